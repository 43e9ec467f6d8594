"""What no single option shows: options of config.yaml that contradict each other."""

from collections.abc import Collection, Iterator

from coinsorter.config.schema import Config, FlapSettings, PanelSettings
from coinsorter.config.yaml_lines import OptionPath, format_option
from coinsorter.records import UNCERTAIN

#: An option and what is wrong with it.
Contradiction = tuple[OptionPath, str]

#: Frames from the last one that shows a coin to its decision: one is being exposed, one is being
#: classified, one is to spare.
DECISION_FRAMES = 3
#: Degrees between rest and open, below which a flap turns no coin.
MIN_OPENING_DEG = 10

#: The Pi's pins that its hardware PWM can drive, and their channels: bcm2835-peripherals.pdf,
#: table 6-31. A Pi 5 has a channel for each, but one config.yaml is to do on any Pi.
PWM_CHANNELS = {12: 0, 13: 1, 18: 0, 19: 1}
#: By driver the first and the last pin that a servo can have, and how a technician calls them.
SERVO_PINS = {
    "gpio": (2, 27, "GPIO 2 to 27"),
    "hardware-pwm": (12, 19, "GPIO 12 or 18, and 13 or 19"),
    "pca9685": (0, 15, "the board's outputs 0 to 15"),
    "mock": (2, 27, "GPIO 2 to 27"),
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
    for index, bin_ in enumerate(config.bins):
        yield ("bins", index, "flap", "pin"), bin_.flap.pin, "drives"
    for index, bin_ in enumerate(config.bins):
        if bin_.flap.drop_pin is not None:
            yield ("bins", index, "flap", "drop_pin"), bin_.flap.drop_pin, "serves"
    for name in PanelSettings.model_fields:
        pin = getattr(config.panel, name)
        if pin is not None:
            yield ("panel", name), pin, "serves"


def _check_folder(config: Config) -> Iterator[Contradiction]:
    if config.camera.source == "folder" and config.camera.folder is None:
        what = "is missing; source: folder shows the images that lie in it"
        yield ("camera", "folder"), what


def _check_pulses(config: Config) -> Iterator[Contradiction]:
    low, high = config.servo.min_pulse_us, config.servo.max_pulse_us
    if not low < high:
        what = f"{high} is not above min_pulse_us {low}: the servos could not turn"
        yield ("servo", "max_pulse_us"), what


def _check_names(config: Config) -> Iterator[Contradiction]:
    owners = {config.reject_bin: "the reject bin"}
    owners[UNCERTAIN] = "the ledger's word for coins that may lie anywhere"
    if config.reject_bin == UNCERTAIN:
        yield ("reject_bin",), f"{UNCERTAIN!r} is {owners[UNCERTAIN]}; take another name"
    for index, bin_ in enumerate(config.bins):
        if bin_.name in owners:
            what = f"{bin_.name!r} is {owners[bin_.name]} already; take another name"
            yield ("bins", index, "name"), what
        owners.setdefault(bin_.name, f"bins[{index}]")


def _check_labels_once(config: Config) -> Iterator[Contradiction]:
    owners: dict[str, str] = {}
    for option, label in _list_labels(config):
        if label in owners:
            yield option, f"{label!r} goes to {owners[label]} already"
        owners.setdefault(label, format_option(option[:2]))


def _check_labels_known(config: Config, labels: Collection[str] | None) -> Iterator[Contradiction]:
    if labels is None:
        return
    for option, label in _list_labels(config):
        if label not in labels:
            bundle = config.runtime.bundle
            yield option, f"{label!r} is no label of {bundle}; it knows {', '.join(labels)}"


def _list_labels(config: Config) -> Iterator[tuple[OptionPath, str]]:
    for index, bin_ in enumerate(config.bins):
        for place, label in enumerate(bin_.labels):
            yield ("bins", index, "labels", place), label


def _check_pins_once(config: Config) -> Iterator[Contradiction]:
    """No two uses of a pin.

    The outputs of a servo board are numbered apart from the Pi's pins, and its bus takes two pins.
    """
    owners: dict[tuple[str, int], str] = {}
    if config.servo.driver == "pca9685":
        owners = dict.fromkeys([("GPIO", 2), ("GPIO", 3)], "the servo board's I2C bus")
    for option, pin, does in list_pins(config):
        on_board = config.servo.driver == "pca9685" and option[-1] == "pin"
        kind = "output" if on_board else "GPIO"
        if (kind, pin) in owners:
            yield option, f"{kind} {pin} {does} {owners[kind, pin]} already"
        owner = option if option[0] == "panel" else option[:2]
        owners.setdefault((kind, pin), format_option(owner))


def _check_pwm_channels(config: Config) -> Iterator[Contradiction]:
    """No two pins on one channel of the Pi's hardware PWM: they would get the same pulses."""
    if config.servo.driver != "hardware-pwm":
        return
    owners: dict[int | None, str] = {}
    for index, bin_ in enumerate(config.bins):
        channel = PWM_CHANNELS.get(bin_.flap.pin)
        if channel in owners:
            what = f"GPIO {bin_.flap.pin} has the PWM channel of {owners[channel]}"
            remedy = "for more than two servos take gpio or pca9685"
            yield ("bins", index, "flap", "pin"), f"{what}; {remedy}"
        owners.setdefault(channel, f"bins[{index}]")


def _check_servo_pins(config: Config) -> Iterator[Contradiction]:
    """No servo at a pin that its driver has no pulses for."""
    driver = config.servo.driver
    first, last, which = SERVO_PINS[driver]
    for index, bin_ in enumerate(config.bins):
        pin = bin_.flap.pin
        in_range = first <= pin <= last
        if not in_range or (driver == "hardware-pwm" and pin not in PWM_CHANNELS):
            yield ("bins", index, "flap", "pin"), f"{pin} is none of {driver}'s: {which}"


def _check_flap_angles(config: Config) -> Iterator[Contradiction]:
    for index, bin_ in enumerate(config.bins):
        rest_deg, open_deg = bin_.flap.rest_deg, bin_.flap.open_deg
        if abs(open_deg - rest_deg) < MIN_OPENING_DEG:
            near = f"{open_deg:g} is within {MIN_OPENING_DEG} degrees of rest_deg {rest_deg:g}"
            yield ("bins", index, "flap", "open_deg"), f"{near}: the flap would not open"


def _check_flap_distances(config: Config) -> Iterator[Contradiction]:
    for index, bin_ in enumerate(config.bins):
        nearest_mm = _nearest_mm(config, bin_.flap)
        if bin_.flap.distance_mm < nearest_mm:
            near = f"{bin_.flap.distance_mm:g} is too near"
            why = f"no decision is in time before {nearest_mm:.0f}"
            yield ("bins", index, "flap", "distance_mm"), f"{near}: {why}"


def _check_flap_overlaps(config: Config) -> Iterator[Contradiction]:
    ends_mm: dict[float, str] = {}
    by_distance = sorted(enumerate(config.bins), key=lambda pair: pair[1].flap.distance_mm)
    for index, bin_ in by_distance:
        flap = bin_.flap
        for end_mm, other in ends_mm.items():
            if flap.distance_mm - flap.length_mm / 2 < end_mm:
                overlap = f"{flap.distance_mm:g} overlaps the flap of {other}"
                what = f"{overlap}, which ends at {end_mm:g}"
                yield ("bins", index, "flap", "distance_mm"), what
        ends_mm[flap.distance_mm + flap.length_mm / 2] = f"bins[{index}]"


def _nearest_mm(config: Config, flap: FlapSettings) -> float:
    """The least distance of a flap from the view's centre.

    It must be open in time for a coin that is decided on at the view's border.
    """
    belt, camera = config.belt, config.camera
    max_speed_mm_s = belt.speed_mm_s * (1 + belt.speed_tolerance_percent / 100)
    border_mm = config.scale.position_mm(camera.width_px - 1, camera.height_px / 2)[0]
    needed_s = flap.travel_ms / 1000 + DECISION_FRAMES / camera.frames_per_s
    return border_mm + max_speed_mm_s * needed_s + flap.length_mm / 2
