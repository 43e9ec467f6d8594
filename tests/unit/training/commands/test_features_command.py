"""coinsorter-train features: its usage, and what it refuses before any work."""

import pytest

from tests.conftest import only_line


@pytest.mark.parametrize("seconds", ["-1", "inf", "soon"])
def test_a_burst_is_a_number_of_seconds(command, seconds):
    with pytest.raises(SystemExit) as stop:
        command("features", "data", f"--burst-s={seconds}")
    assert stop.value.code == 2


@pytest.mark.parametrize(
    "words, status, complaint",
    [
        (["none"], 66, "none: no such folder"),
        (["none", "--bundle", "no-bundle"], 78, "no-bundle"),
    ],
)
def test_an_input_that_is_absent_is_named_and_nothing_is_written(
    command, tmp_path, monkeypatch, words, status, complaint
):
    monkeypatch.chdir(tmp_path)
    answer = command("features", *words)
    assert answer[:2] == (status, "") and complaint in only_line(answer[2])
    assert list(tmp_path.iterdir()) == []
