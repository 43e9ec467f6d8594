"""Some hostile files as real processes; `python -m benchmarks.hostile` calls all of them."""

import pytest

from benchmarks.hostile import call_hostile

#: One of each input and most kinds.
SOME = [
    ("config", "pipe"),
    ("config", "deep"),
    ("ledger", "zeros"),
    ("export", "socket"),
    ("bundle", "loop"),
    ("image", "pipe"),
]


@pytest.mark.parametrize("source, kind", SOME)
def test_a_hostile_file_is_named_and_refused(source, kind):
    result = call_hostile(source, kind)
    assert "Traceback" not in result.err
    assert result.status is not None and 0 < result.status < 128
    assert result.megabytes < 300
