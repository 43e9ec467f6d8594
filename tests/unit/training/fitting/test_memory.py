import resource
import subprocess
import sys

import pytest

#: Steps that ask for some large arrays and free them, as those of a training do.
STEPS = """
import numpy as np
{first}
for _ in range(40):
    arrays = [np.ones(3_000_000, np.uint8) for _ in range(8)]
    del arrays
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
KEEP = "from coinsorter.training.fitting.memory import keep_freed_memory; keep_freed_memory()"


def count_page_faults(first: str) -> int:
    result = subprocess.run(
        [sys.executable, "-c", STEPS.format(first=first)],
        capture_output=True,
        check=True,
        text=True,
    )
    return int(result.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be asked to keep memory")
def test_memory_that_a_step_freed_is_not_asked_of_the_system_again():
    pages_of_a_step = 8 * 3_000_000 / resource.getpagesize()
    saved = count_page_faults("import coinsorter") - count_page_faults(KEEP)
    assert saved > 20 * pages_of_a_step
