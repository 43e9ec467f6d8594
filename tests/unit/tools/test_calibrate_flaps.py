"""A technician turns flaps by hand: where they stand, and what config.yaml gets."""

import pytest

from coinsorter.tools import calibrate_flaps
from coinsorter.tools.calibrate_flaps import HELP, FlapTrial


class TurnedByHand:
    """Flaps that remember where they stand."""

    def __init__(self) -> None:
        self.at_us: dict[str, list[float]] = {}

    def jog(self, bin: str, us: float) -> None:
        self.at_us.setdefault(bin, []).append(us)


@pytest.fixture
def trial(config):
    return FlapTrial(TurnedByHand(), config.bins[0], config.servo)


def test_steps_and_pulses_turn_the_flap(trial):
    assert trial.obey("show rest") == "1500 us, 90.0 degrees"
    assert [trial.obey(word) for word in ("+20", "-5", "1400")] == [
        "1520 us, 91.8 degrees",
        "1515 us, 91.3 degrees",
        "1400 us, 81.0 degrees",
    ]
    assert trial.flaps.at_us == {"bit_10": [1500, 1520, 1515, 1400]}


@pytest.mark.parametrize("word", ["499", "2501", "+1001", "-1001"])
def test_nothing_moves_beyond_the_servos_range(trial, word):
    trial.obey("show rest")
    assert "is beyond 500 to 2500; nothing moved" in trial.obey(word)
    assert trial.flaps.at_us == {"bit_10": [1500]} and trial.us == 1500


@pytest.mark.parametrize("word", ["", "nan us", "left", "show me", "+"])
def test_an_unknown_command_is_answered_with_those_there_are(trial, word):
    assert trial.obey(word) == HELP and trial.flaps.at_us == {}


def test_no_number_at_all_moves_nothing(trial):
    assert "nothing moved" in trial.obey("nan") and trial.flaps.at_us == {}


def test_the_result_is_what_config_yaml_needs_and_no_more(config):
    flaps, shown_lines = TurnedByHand(), []
    words = iter(["+20", "rest", "2100", "open", "next", "next", "1450", "rest", "end"])
    numbers = calibrate_flaps.try_flaps(
        config, flaps, [b.name for b in config.bins], lambda prompt: next(words), shown_lines.append
    )
    assert numbers == {
        ("bins", 0, "flap", "rest_deg"): 91.8,
        ("bins", 0, "flap", "open_deg"): 144.0,
        ("bins", 2, "flap", "rest_deg"): 85.5,
    }
    assert list(flaps.at_us) == ["bit_10", "bit_20", "bit_50"] and flaps.at_us["bit_20"] == [1500]
    assert "bit_50: 1500 us, 90.0 degrees" in shown_lines
