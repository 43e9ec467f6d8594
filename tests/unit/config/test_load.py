"""config: every mistake at once, with its line, in a technician's words."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from coinsorter.config.edit import replace_numbers
from coinsorter.config.load import format_mistakes, load_config, read_config
from coinsorter.config.schema import Config, FlapSettings
from coinsorter.errors import ConfigError
from tests.conftest import CONFIG

TEXT = CONFIG.read_text()


def mistakes(tmp_path: Path, text: str, labels=None) -> list[str]:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return [
        line.removeprefix(f"{tmp_path}/")
        for line in format_mistakes(path, read_config(path, labels)[1])
    ]


def changed(*changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_shipped_settings_have_no_mistakes(tmp_path, crowns):
    assert mistakes(tmp_path, TEXT, crowns.labels) == []


def test_three_mistakes_are_found_at_once_each_with_its_line(tmp_path):
    text = changed(
        ("open_deg: 135, distance_mm: 240", "open_deg: 220, distance_mm: 240"),
        ("speed_mm_s", "sped_mm_s"),
        ("threads: 1 ", "threads: 1.5 "),
    )
    assert mistakes(tmp_path, text) == [
        f"config.yaml:{line_of(text, 'sped_mm_s')}: belt.sped_mm_s: is no option; did you mean speed_mm_s?",
        f"config.yaml:{line_of(text, 'open_deg: 220')}: bins[2].flap.open_deg: 220 is above 180",
        f"config.yaml:{line_of(text, 'threads')}: runtime.threads: 1.5 is not a whole number",
    ]


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("width_px: 640", "width_px: 64", "camera.width_px: 64 is below 160"),
        ("frames_per_s: 60", "frames_per_s: fast", "camera.frames_per_s: 'fast' is not a number"),
        (
            "frames_per_s: 60",
            "frames_per_s: .nan",
            "camera.frames_per_s: nan is not a finite number",
        ),
        ("frames_per_s: 60", 'frames_per_s: "60"', "camera.frames_per_s: '60' is not a number"),
        (
            "follow_scale: true",
            "follow_scale: maybe",
            "belt.follow_scale: 'maybe' is neither true nor false",
        ),
        (
            "interpreter: auto",
            "interpreter: gpu",
            "runtime.interpreter: 'gpu' is none of 'auto', 'litert' or 'tflite-runtime'",
        ),
        ("labels: [bit_20]", "labels: []", "bins[1].labels: is empty; list at least one"),
        ("pin: 6,", "", "bins[1].flap.pin: is missing"),
        (
            "name: bit_20",
            "name: a bin!",
            "bins[1].name: 'a bin!' is not a plain name of letters, digits, - _ and .",
        ),
        ("name: bit_20", "name: 20", "bins[1].name: 20 is not text; put it in quotes"),
        ("pin: 6", "pin: 5", "bins[1].flap.pin: GPIO 5 drives bins[0] already"),
        (
            "name: bit_20",
            "name: bit_10",
            "bins[1].name: 'bit_10' is bins[0] already; take another name",
        ),
        (
            "name: bit_20",
            "name: reject",
            "bins[1].name: 'reject' is the reject bin already; take another name",
        ),
        ("[bit_20]", "[bit_10]", "bins[1].labels[0]: 'bit_10' goes to bins[0] already"),
        (
            "open_deg: 135, distance_mm: 200",
            "open_deg: 95, distance_mm: 200",
            "bins[1].flap.open_deg: 95 is within 10 degrees of rest_deg 90: the flap would not open",
        ),
        (
            "distance_mm: 160",
            "distance_mm: 90",
            "bins[0].flap.distance_mm: 90 is too near: no decision is in time before 118",
        ),
        (
            "distance_mm: 200",
            "distance_mm: 165",
            "bins[1].flap.distance_mm: 165 overlaps the flap of bins[0], which ends at 165",
        ),
        (
            "speed_mm_s: 250 ",
            "speed_mm_s: 250\n  speed_mm_s: 300 ",
            "belt.speed_mm_s: is given twice, first in line 17",
        ),
        (
            "name: bit_20",
            "name: uncertain",
            "bins[1].name: 'uncertain' is the ledger's word for coins that may lie anywhere already; take another name",
        ),
        (
            "width_px: 640",
            "width_px: 2024-13-45",
            "camera.width_px: '2024-13-45' cannot be read: month must be in 1..12; put it in quotes",
        ),
        ("belt:\n", "belt: 3\nrest:\n", "belt: has no options in it; indent them below it"),
    ],
)
def test_one_mistake_is_said_in_words_that_help(tmp_path, old, new, complaint):
    found = mistakes(tmp_path, changed((old, new)))
    assert any(line.endswith(f": {complaint}") for line in found), found


@pytest.mark.parametrize(
    "changes, complaint",
    [
        (
            [("source: pi ", "source: folder ")],
            "camera.folder: is missing; source: folder shows the images that lie in it",
        ),
        ([("stop_pin: null", "stop_pin: 6")], "panel.stop_pin: GPIO 6 serves bins[1] already"),
        (
            [("beam_pin: null", "beam_pin: 4"), ("stop_pin: null", "stop_pin: 4")],
            "panel.stop_pin: GPIO 4 serves panel.beam_pin already",
        ),
        (
            [("travel_ms: 80}", "travel_ms: 80, drop_pin: 5}")],
            "bins[0].flap.drop_pin: GPIO 5 serves bins[0] already",
        ),
        ([("pin: 5,", "pin: 0,")], "bins[0].flap.pin: 0 is none of gpio's: GPIO 2 to 27"),
        (
            [("driver: gpio ", "driver: hardware-pwm ")],
            "bins[0].flap.pin: 5 is none of hardware-pwm's: GPIO 12 or 18, and 13 or 19",
        ),
        (
            [("driver: gpio ", "driver: pca9685 ")],
            "bins[3].flap.pin: 16 is none of pca9685's: the board's outputs 0 to 15",
        ),
        (
            [("driver: gpio ", "driver: pca9685 "), ("pin: 6,", "pin: 5,")],
            "bins[1].flap.pin: output 5 drives bins[0] already",
        ),
        (
            [("driver: gpio ", "driver: pca9685 "), ("stop_pin: null", "stop_pin: 2")],
            "panel.stop_pin: GPIO 2 serves the servo board's I2C bus already",
        ),
        (
            [
                ("driver: gpio ", "driver: hardware-pwm "),
                ("pin: 5,", "pin: 12,"),
                ("pin: 6,", "pin: 18,"),
            ],
            "bins[1].flap.pin: GPIO 18 has the PWM channel of bins[0]; for more than two servos take gpio or pca9685",
        ),
    ],
)
def test_wiring_that_cannot_be_is_a_mistake(tmp_path, changes, complaint):
    found = mistakes(tmp_path, changed(*changes))
    assert any(line.endswith(f": {complaint}") for line in found), found


def test_outputs_of_a_board_of_their_own_are_no_pins_of_the_pi(tmp_path):
    text = changed(("driver: gpio ", "driver: pca9685 "), ("stop_pin: null", "stop_pin: 5"))
    for pin, output in ((16, 7), (19, 8), (20, 9), (21, 10), (26, 11)):
        text = text.replace(f"pin: {pin},", f"pin: {output},")
    assert mistakes(tmp_path, text) == []


def test_labels_are_checked_against_the_bundle(tmp_path, crowns):
    (found,) = mistakes(tmp_path, changed(("[bit_20]", "[bit_21]")), crowns.labels)
    assert (
        "bins[1].labels[0]: 'bit_21' is no label of models/crowns; it knows bit_10, bit_20" in found
    )


@pytest.mark.parametrize(
    "text", ["", "just words", "- a\n- list\n", "a: [1,\n", "\tx: 1", "a: &x [*x]\n"]
)
def test_what_is_no_settings_file_is_one_mistake(tmp_path, text):
    assert len(mistakes(tmp_path, text)) == 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_no_text_at_all_makes_a_traceback(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "config.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_config(path)[1]


def test_a_missing_file_is_named():
    with pytest.raises(
        ConfigError, match="nowhere.yaml: cannot be read: No such file or directory"
    ):
        load_config(Path("nowhere.yaml"))


def every_option(model: type[BaseModel], prefix: str = ""):
    """(name, pydantic field) of every option that stands for itself in config.yaml."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from every_option(kind, f"{prefix}{name}.")
        elif name != "bins":
            yield f"{prefix}{name}", field


@pytest.mark.parametrize(
    "name, field",
    [*every_option(Config), *(("flap." + n, f) for n, f in FlapSettings.model_fields.items())],
)
def test_every_option_is_explained_in_the_shipped_file_with_its_true_range_and_default(name, field):
    key = name.rsplit(".", 1)[-1]
    inside_flap = name.startswith("flap.")
    pattern = rf"^#     {key} +(.*)$" if inside_flap else rf"^ *{key}: +\S+ +# (.*)$"
    (comment,) = re.findall(pattern, TEXT, re.MULTILINE)
    limits = [
        getattr(m, "ge", getattr(m, "le", None))
        for m in [
            *field.metadata,
            *getattr(getattr(field.annotation, "__args__", [None])[0], "__metadata__", []),
        ]
        for m in (getattr(m, "metadata", None) or [m])
    ]
    limits = [limit for limit in limits if limit is not None]
    if len(limits) == 2:
        assert f"{limits[0]:g} to {limits[1]:g}" in comment
    if not field.is_required():
        default = field.default
        words = (
            {True: "true", False: "false", None: "null"}.get(default, default)
            if isinstance(default, bool) or default is None
            else default
        )
        assert (
            f"default {words:g}" in comment
            if isinstance(words, (int, float))
            else f"default {words}" in comment
        )


def test_the_shipped_file_states_every_default(config):
    assert Config(bins=config.bins).model_dump(exclude={"bins"}) == config.model_dump(
        exclude={"bins"}
    )


def test_servos_that_could_not_turn_are_a_mistake(tmp_path):
    (found,) = mistakes(
        tmp_path,
        changed(
            ("min_pulse_us: 500 ", "min_pulse_us: 1500 "),
            ("max_pulse_us: 2500 ", "max_pulse_us: 1500 "),
        ),
    )
    assert found.endswith(
        "servo.max_pulse_us: 1500 is not above min_pulse_us 1500: the servos could not turn"
    )


def test_a_file_nested_without_end_is_one_mistake(tmp_path):
    (found,) = mistakes(tmp_path, "camera: " + "[" * 3000)
    assert "nested" in found or "is not YAML" in found


def test_a_number_of_one_bins_flap_is_changed_and_nothing_else(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    text = replace_numbers(
        path, {("bins", 2, "flap", "rest_deg"): 92.5, ("bins", 2, "flap", "drop_ms"): 300}
    )
    (old, new), *more = [
        (a, b) for a, b in zip(TEXT.splitlines(), text.splitlines(), strict=True) if a != b
    ]
    assert (
        more == []
        and old.replace("rest_deg: 90", "rest_deg: 92.5").replace("{pin", "{drop_ms: 300, pin")
        == new
        and "pin: 13" in old
    )
