"""What no single option shows: options of config.yaml that contradict each other."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from coinsorter.config.schema import Config, FlapSettings, PanelSettings
from coinsorter.config.yaml_lines import OptionPath, format_option
from coinsorter.records import UNCERTAIN

#: An option and what is wrong with it.
Contradiction = tuple[OptionPath, str]
Contradictions = Iterator[Contradiction]

#: Frames from the last one that shows a coin to its decision: one is being exposed, one is being
#: classified, one is to spare.
DECISION_FRAMES = 3
#: Degrees between rest and open, below which a flap turns no coin.
MIN_OPENING_DEG = 10

#: The Pi's pins that its hardware PWM can drive, and their channels: bcm2835-peripherals.pdf,
#: table 6-31. A Pi 5 has a channel for each, but one config.yaml is to do on any Pi.
PWM_CHANNELS = {12: 0, 13: 1, 18: 0, 19: 1}


@dataclass(frozen=True)
class PinRange:
    """The first and the last pin that a servo can have, and how a technician calls them."""

    first: int
    last: int
    text: str


#: By servo.driver.
SERVO_PINS = {
    "gpio": PinRange(2, 27, "GPIO 2 to 27"),
    "hardware-pwm": PinRange(12, 19, "GPIO 12 or 18, and 13 or 19"),
    "pca9685": PinRange(0, 15, "the board's outputs 0 to 15"),
    "mock": PinRange(2, 27, "GPIO 2 to 27"),
}


def find_contradictions(
    config: Config, labels: Collection[str] | None = None
) -> list[Contradiction]:
    """Every contradiction: things used twice, impossible flaps, labels that the bundle lacks.

    labels: those of the bundle in use; None where there is no bundle to ask.
    """
    return [
        *_check_folder(config),
        *_check_pulses(config),
        *_check_names(config),
        *_check_labels_once(config),
        *_check_pins_once(config),
        *_check_pwm_channels(config),
        *_check_servo_pins(config),
        *_check_labels_known(config, labels),
        *_check_flap_angles(config),
        *_check_flap_distances(config),
        *_check_flap_overlaps(config),
    ]


def list_pins(config: Config) -> Iterator[tuple[OptionPath, int, str]]:
    """Every pin in use: the option that names it, its number, and `drives` or `serves`."""
    for option, flap in _list_flaps(config):
        yield (*option, "pin"), flap.pin, "drives"
    for option, flap in _list_flaps(config):
        if flap.drop_pin is not None:
            yield (*option, "drop_pin"), flap.drop_pin, "serves"
    for name in PanelSettings.model_fields:
        pin = getattr(config.panel, name)
        if pin is not None:
            yield ("panel", name), pin, "serves"


def _check_folder(config: Config) -> Contradictions:
    camera = config.camera
    if camera.source == "folder" and camera.folder is None:
        option = ("camera", "folder")
        yield option, "is missing; source: folder shows the images that lie in it"


def _check_pulses(config: Config) -> Contradictions:
    low = config.servo.min_pulse_us
    high = config.servo.max_pulse_us
    if not low < high:
        option = ("servo", "max_pulse_us")
        yield option, f"{high} is not above min_pulse_us {low}: the servos could not turn"


def _check_names(config: Config) -> Contradictions:
    owners = {config.reject_bin: "the reject bin"}
    owners[UNCERTAIN] = "the ledger's word for coins that may lie anywhere"
    if config.reject_bin == UNCERTAIN:
        what = f"{UNCERTAIN!r} is {owners[UNCERTAIN]}"
        yield ("reject_bin",), f"{what}; take another name"
    for index, bin_ in enumerate(config.bins):
        name = bin_.name
        if name in owners:
            what = f"{name!r} is {owners[name]} already"
            yield ("bins", index, "name"), f"{what}; take another name"
        owners.setdefault(name, f"bins[{index}]")


def _check_labels_once(config: Config) -> Contradictions:
    owners: dict[str, str] = {}
    for option, label in _list_labels(config):
        if label in owners:
            yield option, f"{label!r} goes to {owners[label]} already"
        owners.setdefault(label, _owner_of(option))


def _check_labels_known(config: Config, labels: Collection[str] | None) -> Contradictions:
    if labels is None:
        return
    bundle = config.runtime.bundle
    known = ", ".join(labels)
    for option, label in _list_labels(config):
        if label not in labels:
            yield option, f"{label!r} is no label of {bundle}; it knows {known}"


def _check_pins_once(config: Config) -> Contradictions:
    """No two uses of a pin.

    The outputs of a servo board are numbered apart from the Pi's pins, and its bus takes two pins.
    """
    with_board = config.servo.driver == "pca9685"
    owners: dict[tuple[str, int], str] = {}
    if with_board:
        owners["GPIO", 2] = "the servo board's I2C bus"
        owners["GPIO", 3] = "the servo board's I2C bus"
    for option, pin, does in list_pins(config):
        on_board = with_board and option[-1] == "pin"
        kind = "output" if on_board else "GPIO"
        contact = (kind, pin)
        if contact in owners:
            yield option, f"{kind} {pin} {does} {owners[contact]} already"
        owners.setdefault(contact, _owner_of(option))


def _owner_of(option: OptionPath) -> str:
    """The bin that a pin is for, or the panel's option."""
    if option[0] == "panel":
        return format_option(option)
    return format_option(option[:2])


def _check_pwm_channels(config: Config) -> Contradictions:
    """No two pins on one channel of the Pi's hardware PWM: they would get the same pulses."""
    if config.servo.driver != "hardware-pwm":
        return
    owners: dict[int | None, str] = {}
    for option, flap in _list_flaps(config):
        channel = PWM_CHANNELS.get(flap.pin)
        if channel in owners:
            what = f"GPIO {flap.pin} has the PWM channel of {owners[channel]}"
            remedy = "for more than two servos take gpio or pca9685"
            yield (*option, "pin"), f"{what}; {remedy}"
        owners.setdefault(channel, _owner_of(option))


def _check_servo_pins(config: Config) -> Contradictions:
    """No servo at a pin that its driver has no pulses for."""
    driver = config.servo.driver
    usable = SERVO_PINS[driver]
    for option, flap in _list_flaps(config):
        pin = flap.pin
        in_range = usable.first <= pin <= usable.last
        has_pulses = driver != "hardware-pwm" or pin in PWM_CHANNELS
        if not (in_range and has_pulses):
            yield (*option, "pin"), f"{pin} is none of {driver}'s: {usable.text}"


def _check_flap_angles(config: Config) -> Contradictions:
    for option, flap in _list_flaps(config):
        opening_deg = abs(flap.open_deg - flap.rest_deg)
        if opening_deg < MIN_OPENING_DEG:
            what = (
                f"{flap.open_deg:g} is within {MIN_OPENING_DEG} degrees of "
                f"rest_deg {flap.rest_deg:g}: the flap would not open"
            )
            yield (*option, "open_deg"), what


def _check_flap_distances(config: Config) -> Contradictions:
    for option, flap in _list_flaps(config):
        nearest_mm = _nearest_mm(config, flap)
        if flap.distance_mm < nearest_mm:
            what = f"{flap.distance_mm:g} is too near"
            why = f"no decision is in time before {nearest_mm:.0f}"
            yield (*option, "distance_mm"), f"{what}: {why}"


def _nearest_mm(config: Config, flap: FlapSettings) -> float:
    """The least distance of a flap from the view's centre.

    It must be open in time for a coin that is decided on at the view's border.
    """
    belt = config.belt
    camera = config.camera
    tolerance = belt.speed_tolerance_percent / 100
    max_speed_mm_s = belt.speed_mm_s * (1 + tolerance)
    border_mm, _ = config.scale.locate_mm(camera.width_px - 1, camera.height_px / 2)
    travel_s = flap.travel_ms / 1000
    decision_s = DECISION_FRAMES / camera.frames_per_s
    needed_s = travel_s + decision_s
    return border_mm + max_speed_mm_s * needed_s + flap.length_mm / 2


def _check_flap_overlaps(config: Config) -> Contradictions:
    ends_mm: dict[float, str] = {}
    by_distance = sorted(_list_flaps(config), key=_distance_mm)
    for option, flap in by_distance:
        start_mm = flap.distance_mm - flap.length_mm / 2
        for end_mm, other in ends_mm.items():
            if start_mm < end_mm:
                what = f"{flap.distance_mm:g} overlaps the flap of {other}"
                yield (*option, "distance_mm"), f"{what}, which ends at {end_mm:g}"
        end_mm = flap.distance_mm + flap.length_mm / 2
        ends_mm[end_mm] = _owner_of(option)


def _distance_mm(option_and_flap: tuple[OptionPath, FlapSettings]) -> float:
    _, flap = option_and_flap
    return flap.distance_mm


def _list_flaps(config: Config) -> Iterator[tuple[OptionPath, FlapSettings]]:
    for index, bin_ in enumerate(config.bins):
        option = ("bins", index, "flap")
        yield option, bin_.flap


def _list_labels(config: Config) -> Iterator[tuple[OptionPath, str]]:
    for index, bin_ in enumerate(config.bins):
        for place, label in enumerate(bin_.labels):
            option = ("bins", index, "labels", place)
            yield option, label
