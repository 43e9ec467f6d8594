"""A flap that could not turn a coin is a mistake, at its limit and just past it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.reachability import find_impossible
from coinsorter.config import schema
from coinsorter.config.checks import find_contradictions
from coinsorter.config.flap_checks import compute_nearest_mm
from coinsorter.config.schema import Config
from tests.unit.config.conftest import change_text, line_of, list_mistakes


def change_first_flap(**changes: float) -> str:
    """The shipped settings with other numbers for the first flap."""
    numbers = {"pin": 5, "rest_deg": 90, "open_deg": 135, "distance_mm": 160, "length_mm": 10}
    new = ", ".join(f"{name}: {value}" for name, value in {**numbers, **changes}.items())
    old = ", ".join(f"{name}: {value}" for name, value in numbers.items())
    return change_text(
        (old + ", travel_ms: 80", new + ("" if "travel_ms" in changes else ", travel_ms: 80"))
    )


def assert_flap_limit(tmp_path, allowed: dict, refused: dict, complaint: str, coins=None):
    assert list_mistakes(tmp_path, change_first_flap(**allowed), coins) == []
    (mistake,) = list_mistakes(tmp_path, change_first_flap(**refused), coins)
    assert mistake.endswith(complaint)


def test_the_nearest_distance_that_is_named_is_accepted_and_one_mm_less_is_not(tmp_path, crowns):
    why = "bins[0].flap.distance_mm: 117 is too near: no decision is in time before 118"
    assert_flap_limit(tmp_path, {"distance_mm": 118}, {"distance_mm": 117}, why, crowns.labels)


def test_a_flap_that_is_slower_has_to_be_further_away(tmp_path):
    why = "bins[0].flap.distance_mm: 160 is too near: no decision is in time before 162"
    assert_flap_limit(tmp_path, {"travel_ms": 245}, {"travel_ms": 250}, why)


def test_a_belt_that_is_faster_needs_flaps_further_away(tmp_path):
    mistakes = list_mistakes(tmp_path, change_text(("speed_mm_s: 250", "speed_mm_s: 800")))
    assert [line.split(": ")[1] for line in mistakes] == [
        "bins[0].flap.distance_mm",
    ]


def test_a_speed_that_few_sightings_tell_badly_needs_time(config):
    flap = config.bins[0].flap
    magnified = {**config.model_dump(), "belt": {"px_per_mm": 15.0}}
    margins_mm = [
        compute_nearest_mm(c, flap, 25) - c.scale.locate_mm(639, 240)[0]
        for c in (config, Config.model_validate(magnified))
    ]
    assert margins_mm[1] > margins_mm[0] + 0.5


def test_no_servo_is_faster_than_servos_are(tmp_path):
    why = (
        "bins[0].flap.travel_ms: 22 is too short: no servo turns 45 degrees in less than 23; "
        "measure it"
    )
    assert_flap_limit(tmp_path, {"travel_ms": 23}, {"travel_ms": 22}, why)


def test_flaps_at_the_same_place_overlap_even_without_a_length(tmp_path):
    text = change_text(
        ("160, length_mm: 10", "160, length_mm: 0"), ("200, length_mm: 10", "160, length_mm: 0")
    )
    (mistake,) = list_mistakes(tmp_path, text)
    assert mistake.endswith(
        "bins[1].flap.distance_mm: 160 overlaps the flap of bins[0], which ends at 160"
    )


def test_flaps_that_touch_do_not_overlap(tmp_path):
    assert_flap_limit(
        tmp_path,
        {"distance_mm": 190},
        {"distance_mm": 190.1},
        "bins[1].flap.distance_mm: 200 overlaps the flap of bins[0], which ends at 195.1",
    )


@pytest.mark.parametrize("coins, fall_ms", [(None, 50), ("crowns", 61)])
def test_a_drop_sensor_waits_as_long_as_a_coin_falls(tmp_path, crowns, coins, fall_ms):
    labels = crowns.labels if coins else None
    why = f"falls past a sensor in {fall_ms} at the least"
    assert_flap_limit(
        tmp_path,
        {"drop_pin": 4, "drop_ms": fall_ms},
        {"drop_pin": 4, "drop_ms": fall_ms - 1},
        why,
        labels,
    )


def test_without_a_drop_sensor_nothing_has_to_fall_in_time(tmp_path):
    assert list_mistakes(tmp_path, change_first_flap(drop_ms=20)) == []


def test_pulses_that_turn_a_servo_by_too_little_are_a_mistake(tmp_path):
    narrow = ("min_pulse_us: 500 ", "min_pulse_us: 1400 ")
    text = change_text(narrow, ("max_pulse_us: 2500 ", "max_pulse_us: 1600 "))
    assert list_mistakes(tmp_path, text) == []
    text = change_text(narrow, ("max_pulse_us: 2500 ", "max_pulse_us: 1599 "))
    (mistake,) = list_mistakes(tmp_path, text)
    assert mistake.startswith(
        f"config.yaml:{line_of(text, 'max_pulse_us')}: servo.max_pulse_us: 1599"
    )
    assert mistake.endswith("the servo may not move; write at least 1600")


# Whatever is accepted can sort.


def in_range(model, name: str, likely):
    """Values of an option over its whole range; often a likely one."""
    field = model.model_fields[name]
    bounds = {
        key: getattr(item, key)
        for item in field.metadata
        for key in ("ge", "le")
        if hasattr(item, key)
    }
    numbers = st.integers if field.annotation is int else st.floats
    return st.one_of(st.sampled_from(likely), numbers(bounds["ge"], bounds["le"]))


@st.composite
def machines(draw, labels: list[str]) -> Config:
    """Settings over the schema's ranges, with flaps near the nearest place that is in time."""

    def values(model, likely: dict) -> dict:
        return {name: draw(in_range(model, name, some)) for name, some in likely.items()}

    camera = values(
        schema.CameraSettings,
        {
            "width_px": [640, 1280],
            "height_px": [480, 800],
            "frames_per_s": [60.0, 30.0, 120.0],
            "exposure_us": [100, 500, 1500],
        },
    )
    belt = values(
        schema.BeltSettings,
        {
            "speed_mm_s": [250.0, 100.0, 600.0],
            "speed_tolerance_percent": [1.5, 0.0, 20.0],
            "px_per_mm": [4.0, 8.0],
            "tilt_along_percent": [0.0, 10.0],
            "tilt_across_percent": [0.0],
            "barrel_percent": [0.0, -4.0],
        },
    )
    bins = []
    for pin, label in enumerate(labels[: draw(st.integers(1, 4))], 4):
        flap = values(
            schema.FlapSettings,
            {"length_mm": [0.0, 10.0], "travel_ms": [80.0, 150.0], "distance_mm": [400.0]},
        )
        bins.append({"name": f"bin{pin}", "labels": [label], "flap": {"pin": pin, **flap}})
    config = Config.model_validate({"camera": camera, "belt": belt, "bins": bins})
    return _place_flaps(config, draw(st.floats(0, 50)))


def _place_flaps(config: Config, gap_mm: float) -> Config:
    """The flaps one behind the other, the first as near as it may be."""
    placed, at_mm = [], 0.0
    for bin_ in config.bins:
        nearest_mm = max(10.0, compute_nearest_mm(config, bin_.flap, 27.5))
        at_mm = max(nearest_mm, at_mm + bin_.flap.length_mm / 2)
        flap = bin_.flap.model_copy(update={"distance_mm": min(at_mm, 5000.0)})
        placed.append(bin_.model_copy(update={"flap": flap}))
        at_mm += bin_.flap.length_mm / 2 + gap_mm + 1
    return config.model_copy(update={"bins": placed})


def test_whatever_is_accepted_can_turn_a_coin_into_every_bin(crowns):
    accepted = []

    @settings(
        max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(machines(list(crowns.labels)))
    def check(config):
        if find_contradictions(config, crowns.labels, crowns.crop):
            return
        accepted.append(config)
        assert find_impossible(config, crowns) == []

    check()
    assert len(accepted) > 50
