"""A long run holds no more memory than a short one; `python -m benchmarks.resident` tries more.

It runs in a process of its own, whose memory is its own.
"""

import re
import subprocess
import sys

from tests.conftest import ROOT

#: MB; the frames of 24 items were 56 MB while only the collector freed them.
MAX_GROWTH_MB = 25.0


def test_frames_are_freed_without_the_collector_while_coins_are_sorted():
    words = ["--coins", "36", "--every", "12", "--no-collector"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.resident", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    samples = re.findall(r"(\d+) items: ([0-9.]+) MB", done.stdout)
    by_items = {int(items): float(megabytes) for items, megabytes in samples}
    assert list(by_items) == [0, 12, 24, 36]
    assert by_items[36] - by_items[12] < MAX_GROWTH_MB
