"""coinsorter calibrate: its actions."""

import pytest

from coinsorter import cli


@pytest.mark.parametrize("words", [[], ["camera"]])
def test_without_a_known_action_it_is_wrong_usage_that_names_them(capsys, words):
    with pytest.raises(SystemExit) as stop:
        cli.main(["calibrate", *words])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and ("ACTION" in error or "view" in error)
