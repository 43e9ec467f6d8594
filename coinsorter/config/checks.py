"""What no single option shows: options of config.yaml that contradict each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from coinsorter.config.flap_checks import find_flap_contradictions, find_late_flaps, list_flaps
from coinsorter.config.schema import Config, PanelSettings
from coinsorter.config.syntax import name_look_alikes
from coinsorter.config.view_checks import (
    MIN_COIN_MM,
    find_crop_contradictions,
    find_view_contradictions,
)
from coinsorter.config.wording import quote
from coinsorter.config.yaml_lines import OptionPath, format_option
from coinsorter.records import UNCERTAIN

if TYPE_CHECKING:
    from coinsorter.vision.crop import CropSpec

#: An option and what is wrong with it.
Contradiction = tuple[OptionPath, str]
Contradictions = Iterator[Contradiction]

#: The Pi's pins that its hardware PWM can drive, and their channels: bcm2835-peripherals.pdf,
#: table 6-31. A Pi 5 has a channel for each, but one config.yaml is to do on any Pi.
PWM_CHANNELS = {12: 0, 13: 1, 18: 0, 19: 1}

#: The Pi's pins with a resistor of 1.8 kOhm to 3.3 V on the board, for the I2C bus: bcm2711
#: data sheet and the Pi's schematics.
PULLED_UP_PINS = (2, 3)
#: The address that every PCA9685 answers to: its data sheet, 7.3.6.
ALL_CALL_ADDRESS = 112
#: The last address that is not reserved: NXP UM10204, table 4.
MAX_ADDRESS = 119
#: Smallest error of a diameter, mm, that a threshold may allow: a twentieth of a pixel at the most.
MIN_DIAMETER_ERROR_MM = 0.01


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


class SizedLabel(Protocol):
    """A label of a bundle, as far as settings depend on it."""

    @property
    def diameter_mm(self) -> float:
        """Nominal diameter of its coins."""
        ...


def find_contradictions(
    config: Config,
    labels: Mapping[str, SizedLabel] | None = None,
    crop: "CropSpec | None" = None,
) -> list[Contradiction]:
    """Every contradiction: things used twice, impossible flaps, labels that the bundle lacks.

    labels, crop: those of the bundle in use; None where there is no bundle to ask.
    """
    sizes_mm = [label.diameter_mm for label in (labels or {}).values()] or [MIN_COIN_MM]
    view = list(find_view_contradictions(config, sizes_mm))
    if not view and crop is not None:
        view = list(find_crop_contradictions(config, sizes_mm, crop))
    late_flaps = [] if view else find_late_flaps(config, sizes_mm)
    return [
        *_check_folder(config),
        *view,
        *late_flaps,
        *find_flap_contradictions(config, sizes_mm),
        *_check_names(config),
        *_check_labels_once(config),
        *_check_pins_once(config),
        *_check_pwm_channels(config),
        *_check_servo_pins(config),
        *_check_feeder_pin(config),
        *_check_board_address(config),
        *_check_labels_known(config, labels),
        *_check_acceptance(config),
    ]


def list_pins(config: Config) -> Iterator[tuple[OptionPath, int, str]]:
    """Every pin in use: the option that names it, its number, and `drives` or `serves`."""
    for option, flap in list_flaps(config):
        yield (*option, "pin"), flap.pin, "drives"
    for option, flap in list_flaps(config):
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


def _check_names(config: Config) -> Contradictions:
    owners = {config.reject_bin: "the reject bin"}
    owners[UNCERTAIN] = "the ledger's word for coins that may lie anywhere"
    if config.reject_bin == UNCERTAIN:
        what = f"{UNCERTAIN!r} is {owners[UNCERTAIN]}"
        yield ("reject_bin",), f"{what}; take another name"
    for index, bin_ in enumerate(config.bins):
        name = bin_.name
        if name in owners:
            what = f"{quote(name)} is {owners[name]} already"
            yield ("bins", index, "name"), f"{what}; take another name"
        owners.setdefault(name, f"bins[{index}]")


def _check_labels_once(config: Config) -> Contradictions:
    owners: dict[str, str] = {}
    for option, label in _list_labels(config):
        if label in owners:
            yield option, f"{quote(label)} goes to {owners[label]} already"
        owners.setdefault(label, _owner_of(option))


def _check_labels_known(config: Config, labels: Mapping[str, SizedLabel] | None) -> Contradictions:
    if labels is None:
        return
    bundle = config.runtime.bundle
    known = ", ".join(labels)
    for option, label in _list_labels(config):
        if label not in labels:
            hint = name_look_alikes(label)
            yield option, f"{quote(label)}{hint} is no label of {bundle}; it knows {known}"


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
    for option, flap in list_flaps(config):
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
    for option, flap in list_flaps(config):
        pin = flap.pin
        in_range = usable.first <= pin <= usable.last
        has_pulses = driver != "hardware-pwm" or pin in PWM_CHANNELS
        if not (in_range and has_pulses):
            yield (*option, "pin"), f"{pin} is none of {driver}'s: {usable.text}"


def _check_feeder_pin(config: Config) -> Contradictions:
    """No feeder at a pin that is high whenever no program holds it low."""
    pin = config.panel.feeder_pin
    if pin in PULLED_UP_PINS:
        what = f"GPIO {pin} is pulled up on the board, so that the feeder would run by itself"
        yield ("panel", "feeder_pin"), f"{what}; take another pin"


def _check_board_address(config: Config) -> Contradictions:
    address = config.servo.i2c_address
    is_reserved = address == ALL_CALL_ADDRESS or address > MAX_ADDRESS
    if config.servo.driver == "pca9685" and is_reserved:
        what = f"{address} is no board's own address"
        yield ("servo", "i2c_address"), f"{what}; take one of 64 to {MAX_ADDRESS}, but not 112"


def _check_acceptance(config: Config) -> Contradictions:
    """No threshold that no coin passes."""
    confidence = config.acceptance.min_confidence
    if confidence == 1:
        what = f"{confidence:g} lets no coin pass: no label is certain"
        yield ("acceptance", "min_confidence"), f"{what}; write at most 0.9999"
    error_mm = config.acceptance.max_diameter_error_mm
    if error_mm is not None and error_mm < MIN_DIAMETER_ERROR_MM:
        what = f"{error_mm:g} lets no coin pass: none is measured so exactly"
        remedy = f"write at least {MIN_DIAMETER_ERROR_MM:g}"
        yield ("acceptance", "max_diameter_error_mm"), f"{what}; {remedy}"


def _list_labels(config: Config) -> Iterator[tuple[OptionPath, str]]:
    for index, bin_ in enumerate(config.bins):
        for place, label in enumerate(bin_.labels):
            option = ("bins", index, "labels", place)
            yield option, label
