"""Every line of the Pi's header that is in use: what is connected to it, and where it is."""

from dataclasses import dataclass

from gpiozero import PiBoardInfo

from coinsorter.config.schema import Config

#: The command that makes the files of `firmware/` again.
REMAKE = "coinsorter wiring --config config.yaml --out firmware"
#: Revision code of a Pi 4B; every Pi since the B+ has the same header.
REVISION = 0xC03111
#: GPIO numbers of the I2C bus.
I2C_DATA, I2C_CLOCK = 2, 3


@dataclass(frozen=True)
class LineKind:
    """What lines of one kind have in common.

    name: as the legend has it. colour: in the drawing, #rrggbb. direction: input or output.
    at_boot: the level from the firmware on. wire: where it leads.
    """

    name: str
    colour: str
    direction: str
    at_boot: str
    wire: str


KINDS = {
    "servo": LineKind(
        name="servo signal",
        colour="#d9730d",
        direction="output",
        at_boot="low",
        wire="servo's signal (yellow, orange or white)",
    ),
    "feeder": LineKind(
        name="feeder",
        colour="#b0413e",
        direction="output",
        at_boot="low",
        wire="gate of the feeder's MOSFET, with 10 kΩ to ground",
    ),
    "sensor": LineKind(
        name="sensor",
        colour="#2878c8",
        direction="input",
        at_boot="pulled up",
        wire="sensor's open-collector output; its supply is 3V3",
    ),
    "button": LineKind(
        name="button",
        colour="#8e44ad",
        direction="input",
        at_boot="pulled up",
        wire="button to ground, normally open",
    ),
    "light": LineKind(
        name="status LED",
        colour="#2e9e4f",
        direction="output",
        at_boot="low",
        wire="LED's long leg through 330 Ω, short leg to ground",
    ),
    "bus": LineKind(
        name="I2C",
        colour="#0e8a8a",
        direction="both",
        at_boot="pulled up on the Pi",
        wire="servo board",
    ),
}


@dataclass(frozen=True)
class HeaderLine:
    """One pin of the header that is in use.

    gpio: its GPIO number. kind: a key of KINDS. name: of the thing that is connected.
    """

    gpio: int
    kind: str
    name: str

    @property
    def header_pin(self) -> int:
        """The pin's number on the 40-pin header."""
        return HEADER_PINS[self.gpio]

    @property
    def is_output(self) -> bool:
        """Whether the Pi drives it."""
        return KINDS[self.kind].direction == "output"


#: The pins of the 40-pin header by their numbers.
PINS = PiBoardInfo.from_revision(REVISION).headers["J8"].pins
#: The header's pin of each GPIO number.
HEADER_PINS = {
    int(pin.name.removeprefix("GPIO")): number
    for number, pin in PINS.items()
    if pin.name.startswith("GPIO")
}


def list_lines(config: Config) -> list[HeaderLine]:
    """Every pin of the header that is in use, in the order of the belt, the panel last."""
    lines = _list_servos(config) + _list_drop_sensors(config) + _list_panel(config)
    if uses_board(config):
        lines.append(HeaderLine(I2C_DATA, "bus", "I2C data"))
        lines.append(HeaderLine(I2C_CLOCK, "bus", "I2C clock"))
    return lines


def _list_servos(config: Config) -> list[HeaderLine]:
    if uses_board(config):
        return []
    return [HeaderLine(bin_.flap.pin, "servo", f"flap {bin_.name}") for bin_ in config.bins]


def _list_drop_sensors(config: Config) -> list[HeaderLine]:
    return [
        HeaderLine(bin_.flap.drop_pin, "sensor", f"drop sensor {bin_.name}")
        for bin_ in config.bins
        if bin_.flap.drop_pin is not None
    ]


def _list_panel(config: Config) -> list[HeaderLine]:
    panel = config.panel
    parts = (
        (panel.feeder_pin, "feeder", "feeder"),
        (panel.beam_pin, "sensor", "beam"),
        (panel.stop_pin, "button", "stop button"),
        (panel.status_led_pin, "light", "status LED"),
    )
    return [HeaderLine(gpio, kind, name) for gpio, kind, name in parts if gpio is not None]


def list_board_outputs(config: Config) -> dict[int, str]:
    """The servo board's outputs in use and what each moves; empty where there is no board."""
    if not uses_board(config):
        return {}
    return {bin_.flap.pin: f"flap {bin_.name}" for bin_ in config.bins}


def uses_board(config: Config) -> bool:
    """Whether a servo board on the I2C bus makes the pulses."""
    return config.servo.driver == "pca9685"
