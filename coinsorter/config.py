"""config.yaml -> checked settings; every mistake at once, each with its line."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from coinsorter.errors import ConfigError
from coinsorter.records import UNCERTAIN
from coinsorter.vision.scale import ScalePlane

# A decision comes out some frames after the last picture of a coin: one to be taken, one to be judged, one to spare.
DECISION_FRAMES = 3
# More than any machine's settings need.
MOST_NESTED, MOST_OPTIONS = 12, 5000


# The Pi's pins that its hardware PWM can drive, and their channels: bcm2835-peripherals.pdf, table 6-31. A Pi 5 has a channel for each, but
# one config.yaml is to do on any Pi.
PWM_CHANNELS = {12: 0, 13: 1, 18: 0, 19: 1}
# By driver the first and the last pin that a servo can have, and how a technician calls them.
PINS_OF = {
    "gpio": (2, 27, "GPIO 2 to 27"),
    "hardware-pwm": (12, 19, "GPIO 12 or 18, and 13 or 19"),
    "pca9685": (0, 15, "the board's outputs 0 to 15"),
    "mock": (2, 27, "GPIO 2 to 27"),
}


class Section(BaseModel):
    """A part of config.yaml: unknown options are refused, numbers are not read out of text, nothing changes once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Camera(Section):
    source: Literal["pi", "usb", "folder"] = "pi"
    usb_device: Annotated[int, Field(ge=0, le=63)] = 0
    folder: Annotated[str, Field(min_length=1)] | None = None
    width_px: Annotated[int, Field(ge=160, le=4056)] = 640
    height_px: Annotated[int, Field(ge=120, le=3040)] = 480
    frames_per_s: Annotated[float, Field(ge=1, le=120)] = 60.0
    exposure_us: Annotated[int, Field(ge=50, le=30000)] = 1500
    gain: Annotated[float, Field(ge=1, le=16)] = 2.0
    red_gain: Annotated[float, Field(ge=0.1, le=32)] | None = None
    blue_gain: Annotated[float, Field(ge=0.1, le=32)] | None = None


class Belt(Section):
    speed_mm_s: Annotated[float, Field(ge=10, le=2000)] = 250.0
    speed_tolerance_percent: Annotated[float, Field(ge=0, le=20)] = 1.5
    px_per_mm: Annotated[float, Field(ge=0.5, le=50)] = 4.0
    tilt_along_percent: Annotated[float, Field(ge=-40, le=40)] = 0.0
    tilt_across_percent: Annotated[float, Field(ge=-40, le=40)] = 0.0
    barrel_percent: Annotated[float, Field(ge=-10, le=10)] = 0.0
    follow_scale: bool = True


class Servo(Section):
    driver: Literal["gpio", "hardware-pwm", "pca9685", "mock"] = "gpio"
    min_pulse_us: Annotated[int, Field(ge=400, le=1500)] = 500
    max_pulse_us: Annotated[int, Field(ge=1500, le=2600)] = 2500
    release_ms: Annotated[int, Field(ge=100, le=600000)] | None = None
    i2c_address: Annotated[int, Field(ge=64, le=127)] = 64


Pin = Annotated[int, Field(ge=2, le=27)]


class Flap(Section):
    pin: Annotated[int, Field(ge=0, le=27)]
    rest_deg: Annotated[float, Field(ge=0, le=180)] = 90.0
    open_deg: Annotated[float, Field(ge=0, le=180)] = 135.0
    distance_mm: Annotated[float, Field(ge=10, le=5000)]
    length_mm: Annotated[float, Field(ge=0, le=200)] = 10.0
    travel_ms: Annotated[float, Field(ge=5, le=2000)] = 80.0
    drop_pin: Pin | None = None
    drop_ms: Annotated[float, Field(ge=20, le=5000)] = 400.0


class Bin(Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=40)]
    labels: Annotated[list[str], Field(min_length=1)]
    flap: Flap


class Panel(Section):
    feeder_pin: Pin | None = None
    beam_pin: Pin | None = None
    stop_pin: Pin | None = None
    status_led_pin: Pin | None = None


class Acceptance(Section):
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    max_anomaly: Annotated[float, Field(ge=0, le=1000)] | None = None
    max_diameter_error_mm: Annotated[float, Field(ge=0, le=10)] | None = None
    may_loosen: bool = False


class LedgerFile(Section):
    path: Annotated[str, Field(min_length=1)] = "var/ledger.db"


class Runtime(Section):
    bundle: Annotated[str, Field(min_length=1)] = "models/crowns"
    interpreter: Literal["auto", "litert", "tflite-runtime"] = "auto"
    threads: Annotated[int, Field(ge=1, le=8)] = 1
    crops_per_coin: Annotated[int, Field(ge=1, le=8)] = 3
    turns_per_crop: Literal[1, 2, 4] = 4


class Config(Section):
    """Everything config.yaml says; see that file for what each option means."""

    camera: Camera = Camera()
    belt: Belt = Belt()
    servo: Servo = Servo()
    bins: Annotated[list[Bin], Field(min_length=1, max_length=26)]
    reject_bin: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=40)] = (
        "reject"
    )
    panel: Panel = Panel()
    acceptance: Acceptance = Acceptance()
    ledger: LedgerFile = LedgerFile()
    runtime: Runtime = Runtime()

    @cached_property
    def scale(self) -> ScalePlane:
        belt, camera = self.belt, self.camera
        tilts = belt.tilt_along_percent / 100, belt.tilt_across_percent / 100
        return ScalePlane(
            belt.px_per_mm, *tilts, camera.width_px, camera.height_px, belt.barrel_percent / 100
        )


@dataclass(frozen=True)
class Mistake:
    """One mistake: the line it is in, the option, and what is wrong with it."""

    line: int
    option: str
    what: str


def load(path: Path) -> Config:
    """The settings in a file. Raises ConfigError with every mistake in it, a line each: `config.yaml:14: bins[2].flap.pin: ...`."""
    config, mistakes = read(path)
    if config is None or mistakes:
        raise ConfigError("\n".join(render(path, mistakes)))
    return config


def render(path: Path, mistakes: list[Mistake]) -> list[str]:
    """The mistakes as a technician reads them, in the order of the file."""
    return [
        f"{path}:{m.line}: {m.option}: {m.what}"
        for m in sorted(mistakes, key=lambda m: (m.line, m.option))
    ]


def mistake_in(path: Path, at: tuple, what: str) -> Mistake:
    """A mistake that is found in an option of a file when it is used."""
    lines = _Lines()
    lines.load(_text(path))
    return lines.mistake(at, what)


def read(path: Path, labels: dict[str, Any] | None = None) -> tuple[Config | None, list[Mistake]]:
    """The settings in a file and every mistake found; None for settings that cannot be made sense of.

    labels: those of the bundle in use, to check the bins against; None where there is no bundle to ask.
    """
    return _read(_text(path), labels)


def changed(path: Path, numbers: dict[tuple, float]) -> str:
    """The text of a settings file with other numbers for some options; all else, comments too, stays as it is.

    numbers: by the option's place, such as ("belt", "px_per_mm") or ("bins", 2, "flap", "rest_deg"). Raises ConfigError where there are
    mistakes, before or after.
    """
    load(path)
    text = _text(path)
    for at, number in numbers.items():
        text = _with_number(text, at, number)
    mistakes = _read(text, None)[1]
    if mistakes:
        raise ConfigError(
            "\n".join(["with the new numbers there would be mistakes:", *render(path, mistakes)])
        )
    return text


def _with_number(text: str, at: tuple, number: float) -> str:
    *sections, name = at
    node = yaml.compose(text, yaml.SafeLoader)
    for part in sections:
        inner = (
            node.value[part]
            if isinstance(part, int)
            else {key.value: value for key, value in node.value}.get(part)
        )
        if inner is None:  # the section is not there yet
            return f"{text.rstrip()}\n\n{part}:\n  {name}: {number:g}\n"
        node = inner
    if not node.value:  # {}
        return f"{text[: node.start_mark.index]}{{{name}: {number:g}}}{text[node.end_mark.index :]}"
    for key, value in node.value:
        if key.value == name:
            return f"{text[: value.start_mark.index]}{number:g}{text[value.end_mark.index :]}"
    first = node.value[0][0].start_mark
    apart = ", " if node.flow_style else "\n" + " " * first.column
    return f"{text[: first.index]}{name}: {number:g}{apart}{text[first.index :]}"


def _read(text: str, labels: dict[str, Any] | None) -> tuple[Config | None, list[Mistake]]:
    lines = _Lines()
    try:
        values = lines.load(text)
    except _Unreadable as error:
        return None, [error.mistake]
    config, wrong = _validated(values)
    mistakes = lines.mistakes + [lines.mistake(detail["loc"], _what(detail)) for detail in wrong]
    for detail in wrong:  # so that contradictions among the rest come to light in the same run
        _forget(values, detail["loc"])
    rest = _validated(values)[0] if wrong else config
    mistakes += (
        [lines.mistake(at, what) for at, what in _contradictions(rest, labels)] if rest else []
    )
    return config, mistakes


def _validated(values: Any) -> tuple[Config | None, list[Any]]:
    try:
        return Config.model_validate(values), []
    except ValidationError as error:
        return None, error.errors()


def _forget(values: Any, at: tuple) -> None:
    """Takes an option out of the values, where it is in them."""
    for part in at[:-1]:
        values = values[part] if isinstance(values, list) or part in values else {}
    if isinstance(values, dict):
        values.pop(at[-1], None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}; name a file with --config") from error


class _Unreadable(Exception):
    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.what)
        self.mistake = mistake


class _Lines:
    """YAML as plain values, and the line each came from."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._lines: dict[tuple, int] = {}
        self._siblings: dict[tuple, list[str]] = {}

    def load(self, text: str) -> Any:
        try:
            node = yaml.compose(text, yaml.SafeLoader)
            if not isinstance(node, MappingNode):
                raise _Unreadable(
                    Mistake(
                        1,
                        "(file)",
                        "holds no options; start from the config.yaml that came with coinsorter",
                    )
                )
            return self._value(node, (), yaml.SafeLoader(text))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or "is not YAML"
            raise _Unreadable(
                Mistake(mark.line + 1 if mark else 1, "(file)", f"is not YAML: {what}")
            ) from error
        except RecursionError as error:
            raise _Unreadable(
                Mistake(
                    1, "(file)", "is nested too deeply; nothing in it needs more than four levels"
                )
            ) from error

    def line(self, at: tuple) -> int:
        """The line of an option, or of the nearest part around it that the file has."""
        while at and at not in self._lines:
            at = at[:-1]
        return self._lines.get(at, 1)

    def mistake(self, at: tuple, what: str) -> Mistake:
        return Mistake(self.line(at), option(at), what)

    def _value(self, node: Node, at: tuple, loader: yaml.SafeLoader) -> Any:
        self._lines.setdefault(at, node.start_mark.line + 1)
        if (
            len(at) > MOST_NESTED or len(self._lines) > MOST_OPTIONS
        ):  # aliases can make a short file endless
            raise _Unreadable(
                Mistake(
                    node.start_mark.line + 1,
                    "(file)",
                    "is nested too deeply or too long; write it without aliases",
                )
            )
        if isinstance(node, SequenceNode):
            return [
                self._value(child, (*at, index), loader) for index, child in enumerate(node.value)
            ]
        if isinstance(node, MappingNode):
            return self._mapping(node, at, loader)
        try:
            return loader.construct_object(node)
        except (ValueError, OverflowError) as error:  # such as a date that does not exist
            raise _Unreadable(
                Mistake(
                    node.start_mark.line + 1,
                    option(at),
                    f"{node.value!r} cannot be read: {error}; put it in quotes",
                )
            ) from error

    def _mapping(self, node: MappingNode, at: tuple, loader: yaml.SafeLoader) -> dict:
        values: dict = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, ScalarNode) else "?"
            here = (*at, key)
            if key in values:
                line = key_node.start_mark.line + 1
                self.mistakes.append(
                    Mistake(
                        line, option(here), f"is given twice, first in line {self._lines[here]}"
                    )
                )
                continue
            self._lines[here] = key_node.start_mark.line + 1
            values[key] = self._value(value_node, here, loader)
        return values


def option(at: tuple) -> str:
    """("bins", 2, "flap", "pin") as bins[2].flap.pin."""
    name = ""
    for part in at:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name or "(file)"


_SIMPLE = {
    "missing": "is missing",
    "int_type": "{input!r} is not a whole number",
    "int_from_float": "{input!r} is not a whole number",
    "float_type": "{input!r} is not a number",
    "finite_number": "{input!r} is not a finite number",
    "string_type": "{input!r} is not text; put it in quotes",
    "bool_type": "{input!r} is neither true nor false",
    "list_type": "is not a list; begin each entry with a dash",
    "model_type": "has no options in it; indent them below it",
    "greater_than_equal": "{input:g} is below {ge:g}",
    "less_than_equal": "{input:g} is above {le:g}",
    "literal_error": "{input!r} is none of {expected}",
    "too_short": "is empty; list at least one",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "{input!r} is not a plain name of letters, digits, - _ and .",
}


def _what(detail: Any) -> str:
    """A pydantic error in a technician's words."""
    if detail["type"] == "extra_forbidden":
        return "is no option" + _did_you_mean(detail["loc"])
    words = _SIMPLE.get(detail["type"])
    return words.format(input=detail["input"], **detail.get("ctx", {})) if words else detail["msg"]


def _did_you_mean(at: tuple) -> str:
    known = _options_at(at[:-1])
    near = difflib.get_close_matches(str(at[-1]), known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _options_at(at: tuple) -> list[str]:
    model: Any = Config
    for part in at:
        if not isinstance(part, int):
            kind = model.model_fields[part].annotation
            model = getattr(kind, "__args__", (kind,))[0]
    return list(model.model_fields)


def _contradictions(config: Config, labels: dict[str, Any] | None) -> list[tuple[tuple, str]]:
    """What no single option shows: things used twice, flaps that cannot do what they should, labels that nobody knows."""
    return [
        *_missing_folder(config),
        *_servo_without_range(config),
        *_used_twice(config),
        *_channels_used_twice(config),
        *_pins_without_servo(config),
        *_unknown_labels(config, labels),
        *_impossible_flaps(config),
    ]


def _missing_folder(config: Config) -> list[tuple[tuple, str]]:
    lost = config.camera.source == "folder" and config.camera.folder is None
    return (
        [(("camera", "folder"), "is missing; source: folder shows the pictures that lie in it")]
        if lost
        else []
    )


def _servo_without_range(config: Config) -> list[tuple[tuple, str]]:
    low, high = config.servo.min_pulse_us, config.servo.max_pulse_us
    return (
        []
        if low < high
        else [
            (
                ("servo", "max_pulse_us"),
                f"{high} is not above min_pulse_us {low}: the servos could not turn",
            )
        ]
    )


def _used_twice(config: Config) -> list[tuple[tuple, str]]:
    found, owners = [], {}
    names = {
        config.reject_bin: "the reject bin",
        UNCERTAIN: "the ledger's word for coins that may lie anywhere",
    }
    if config.reject_bin == UNCERTAIN:
        found.append((("reject_bin",), f"{UNCERTAIN!r} is {names[UNCERTAIN]}; take another name"))
    for index, bin_ in enumerate(config.bins):
        name = f"bins[{index}]"
        if bin_.name in names:
            found.append(
                (
                    ("bins", index, "name"),
                    f"{bin_.name!r} is {names[bin_.name]} already; take another name",
                )
            )
        for place, label in enumerate(bin_.labels):
            if label in owners:
                found.append(
                    (("bins", index, "labels", place), f"{label!r} goes to {owners[label]} already")
                )
            owners.setdefault(label, name)
        names.setdefault(bin_.name, name)
    return [*found, *_pins_used_twice(config)]


def _pins_used_twice(config: Config) -> list[tuple[tuple, str]]:
    """Of the Pi's own header; the outputs of a board of their own are numbered apart, and its bus takes two pins."""
    found, owners = (
        [],
        dict.fromkeys([(False, 2), (False, 3)], "the servo board's I2C bus")
        if config.servo.driver == "pca9685"
        else {},
    )
    for at, pin, what in pins(config):
        apart = config.servo.driver == "pca9685" and at[-1] == "pin"
        if (apart, pin) in owners:
            found.append(
                (at, f"{'output' if apart else 'GPIO'} {pin} {what} {owners[apart, pin]} already")
            )
        owners.setdefault((apart, pin), option(at if at[0] == "panel" else at[:2]))
    return found


def pins(config: Config) -> Iterator[tuple[tuple, int, str]]:
    """Every pin in use, with the option that names it and what it does to whom."""
    for index, bin_ in enumerate(config.bins):
        yield ("bins", index, "flap", "pin"), bin_.flap.pin, "drives"
    for index, bin_ in enumerate(config.bins):
        if bin_.flap.drop_pin is not None:
            yield ("bins", index, "flap", "drop_pin"), bin_.flap.drop_pin, "serves"
    for name in Panel.model_fields:
        if (pin := getattr(config.panel, name)) is not None:
            yield ("panel", name), pin, "serves"


def _channels_used_twice(config: Config) -> list[tuple[tuple, str]]:
    """Pins that one channel of the Pi's hardware PWM drives: they would get the same pulses."""
    found, owners = [], {}
    for index, bin_ in enumerate(config.bins if config.servo.driver == "hardware-pwm" else []):
        channel = PWM_CHANNELS.get(bin_.flap.pin)
        if channel in owners:
            found.append(
                (
                    ("bins", index, "flap", "pin"),
                    f"GPIO {bin_.flap.pin} has the PWM channel of {owners[channel]}; for more than two servos take gpio or pca9685",
                )
            )
        owners.setdefault(channel, f"bins[{index}]")
    return found


def _pins_without_servo(config: Config) -> list[tuple[tuple, str]]:
    """Servos at pins that their driver has no pulses for."""
    first, last, which = PINS_OF[config.servo.driver]
    return [
        (
            ("bins", index, "flap", "pin"),
            f"{bin_.flap.pin} is none of {config.servo.driver}'s: {which}",
        )
        for index, bin_ in enumerate(config.bins)
        if not (
            first <= bin_.flap.pin <= last
            and (config.servo.driver != "hardware-pwm" or bin_.flap.pin in PWM_CHANNELS)
        )
    ]


def _unknown_labels(config: Config, labels: dict[str, Any] | None) -> list[tuple[tuple, str]]:
    if labels is None:
        return []
    return [
        (
            ("bins", index, "labels", place),
            f"{label!r} is no label of {config.runtime.bundle}; it knows {', '.join(labels)}",
        )
        for index, bin_ in enumerate(config.bins)
        for place, label in enumerate(bin_.labels)
        if label not in labels
    ]


def _impossible_flaps(config: Config) -> list[tuple[tuple, str]]:
    found, ends = [], {}
    for index, flap in sorted(
        ((i, b.flap) for i, b in enumerate(config.bins)), key=lambda pair: pair[1].distance_mm
    ):
        at = ("bins", index, "flap")
        if abs(flap.open_deg - flap.rest_deg) < 10:
            found.append(
                (
                    (*at, "open_deg"),
                    f"{flap.open_deg:g} is within 10 degrees of rest_deg {flap.rest_deg:g}: the flap would not open",
                )
            )
        if flap.distance_mm < (nearest := _nearest_mm(config, flap)):
            found.append(
                (
                    (*at, "distance_mm"),
                    f"{flap.distance_mm:g} is too near: no decision is in time before {nearest:.0f}",
                )
            )
        for end, other in ends.items():
            if flap.distance_mm - flap.length_mm / 2 < end:
                found.append(
                    (
                        (*at, "distance_mm"),
                        f"{flap.distance_mm:g} overlaps the flap of {other}, which ends at {end:g}",
                    )
                )
        ends[flap.distance_mm + flap.length_mm / 2] = f"bins[{index}]"
    return found


def _nearest_mm(config: Config, flap: Flap) -> float:
    """How far from the view's centre a flap must be, to be open in time for a coin that is decided on at the view's border."""
    belt, camera = config.belt, config.camera
    fastest = belt.speed_mm_s * (1 + belt.speed_tolerance_percent / 100)
    border = config.scale.position_mm(camera.width_px - 1, camera.height_px / 2)[0]
    return (
        border
        + fastest * (flap.travel_ms / 1000 + DECISION_FRAMES / camera.frames_per_s)
        + flap.length_mm / 2
    )
