"""coinsorter jog: one flap, moved and brought back."""

import pytest


def test_a_jog_says_that_the_flap_is_back_at_rest(command, settings):
    status, out, _ = command("jog", "crown_2", "--us", 1800, "--hold-s", 0, "--config", settings)
    assert status == 0 and out == "crown_2: moved, and back at rest\n"


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["gold"], "gold: no such bin; there are bit_10"),
        (["crown_2", "--us", "2501"], "2501 us is outside"),
    ],
)
def test_a_jog_beyond_what_there_is_moves_nothing_and_says_so(command, settings, words, complaint):
    status, _, err = command("jog", *words, "--hold-s", 0, "--config", settings)
    assert status == 66 and complaint in err


@pytest.mark.parametrize("hold_s", ["-1", "61", "long", "nan"])
def test_a_time_out_of_bounds_is_wrong_usage(command, settings, hold_s):
    with pytest.raises(SystemExit) as stop:
        command("jog", "crown_2", f"--hold-s={hold_s}", "--config", settings)
    assert stop.value.code == 2
