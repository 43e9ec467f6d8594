"""Every line of the Pi's header that is in use: what hangs on it, and where it is."""

from dataclasses import dataclass

from gpiozero import PiBoardInfo

from coinsorter.config.schema import Config

REMAKE = "coinsorter wiring --config config.yaml --out firmware"
# A Pi 4B; every Pi since the B+ has the same header.
REVISION = 0xC03111
I2C_DATA, I2C_CLOCK = 2, 3


@dataclass(frozen=True)
class Kind:
    """What lines of one kind have in common.

    colour: in the drawing, #rrggbb.
    at_boot: the level from the firmware on.
    wire: where it leads.
    """

    what: str
    colour: str
    direction: str
    at_boot: str
    wire: str


KINDS = {
    "servo": Kind(
        "servo signal", "#d9730d", "output", "low", "servo's signal (yellow, orange or white)"
    ),
    "feeder": Kind(
        "feeder", "#b0413e", "output", "low", "gate of the feeder's MOSFET, with 10 kΩ to ground"
    ),
    "sensor": Kind(
        "sensor",
        "#2878c8",
        "input",
        "pulled up",
        "sensor's open-collector output; its supply is 3V3",
    ),
    "button": Kind("button", "#8e44ad", "input", "pulled up", "button to ground, normally open"),
    "light": Kind(
        "status LED",
        "#2e9e4f",
        "output",
        "low",
        "LED's long leg through 330 Ω, short leg to ground",
    ),
    "bus": Kind("I2C", "#0e8a8a", "both", "pulled up on the Pi", "servo board"),
}


@dataclass(frozen=True)
class Line:
    """One pin of the header that is in use: its GPIO number, the kind of thing on it and that thing's name."""

    gpio: int
    kind: str
    name: str

    @property
    def header_pin(self) -> int:
        return HEADER_PINS[self.gpio]

    @property
    def is_output(self) -> bool:
        return KINDS[self.kind].direction == "output"


PINS = PiBoardInfo.from_revision(REVISION).headers["J8"].pins
HEADER_PINS = {
    int(pin.name.removeprefix("GPIO")): number
    for number, pin in PINS.items()
    if pin.name.startswith("GPIO")
}


def lines(config: Config) -> list[Line]:
    """Every pin of the header that is in use, in the order of the belt, the panel last."""
    found = [
        Line(bin_.flap.pin, "servo", f"flap {bin_.name}")
        for bin_ in config.bins
        if not has_board(config)
    ]
    found += [
        Line(bin_.flap.drop_pin, "sensor", f"drop sensor {bin_.name}")
        for bin_ in config.bins
        if bin_.flap.drop_pin is not None
    ]
    panel = config.panel
    for gpio, kind, name in (
        (panel.feeder_pin, "feeder", "feeder"),
        (panel.beam_pin, "sensor", "beam"),
        (panel.stop_pin, "button", "stop button"),
        (panel.status_led_pin, "light", "status LED"),
    ):
        found += [Line(gpio, kind, name)] if gpio is not None else []
    return found + (
        [Line(I2C_DATA, "bus", "I2C data"), Line(I2C_CLOCK, "bus", "I2C clock")]
        if has_board(config)
        else []
    )


def outputs(config: Config) -> dict[int, str]:
    """The servo board's outputs in use and what each moves; empty where there is no such board."""
    return {bin_.flap.pin: f"flap {bin_.name}" for bin_ in config.bins} if has_board(config) else {}


def has_board(config: Config) -> bool:
    return config.servo.driver == "pca9685"
