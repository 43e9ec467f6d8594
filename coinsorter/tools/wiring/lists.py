"""What a builder reads: the pin table and the bill of materials, in Markdown."""

import math
from collections import Counter
from collections.abc import Sequence

from coinsorter.config.schema import Config
from coinsorter.tools.wiring.lines import (
    KINDS,
    REMAKE,
    HeaderLine,
    list_board_outputs,
    list_lines,
    uses_board,
)

#: The highest GPIO whose pull-up is on from power-on; those above it are pulled down (BCM2711 ARM
#: peripherals, section 5.3; on a Pi 5 too).
LAST_PULLED_UP = 8
#: Amperes of a stalled standard servo at 6 V (data sheet of the Hitec HS-311).
STALL_A = 0.8
#: Amperes of blade fuses that can be bought.
FUSES_A = (1, 2, 3, 4, 5, 7.5, 10, 15, 20, 25, 30)
#: Supply over fuse, so that a short blows the fuse and does not fold the supply back.
SUPPLY_MARGIN = 1.3

#: Part, count, what it must be able to do, an example.
Part = tuple[str, int, str, str]

_ABOUT_PINS = """\
Pin is the number on the 40-pin header. For the first seconds after power-on no line is driven, \
only pulled, up or down as the table says:
the firmware comes later. A constant level is no pulse, so no servo moves by it; the feeder needs \
its own resistor to ground."""
_ABOUT_INPUTS = """\
All inputs are 3.3 V: nothing may put 5 V on them. Ground is common: the Pi's pin 39 and the
servo supply's minus are joined, and no other pin, or the servos' current would run through the Pi.\
"""
_ABOUT_BOARD = """\
VCC is the Pi's 3V3 (pin 1), V+ the servo supply. Each output's connector carries signal, V+ and \
ground of its servo."""
_ABOUT_SUPPLY = """\
The servo supply is sized for every servo stalled at once, {servos} x {stall:g} A = \
{together:.3g} A: a standard servo's stall
current at 6 V (data sheet of the Hitec HS-311). Many small servos' data sheets, that of the MG90S \
too, do not say: hold one at its
horn and read the supply's current, before you choose a smaller one."""


def render_pin_table(config: Config) -> str:
    """The pin table, in Markdown, in the order of the header's pins."""
    head = ("pin", "GPIO", "what", "direction", "from power-on", "from the firmware on", "wire")
    lines = sorted(list_lines(config), key=lambda line: line.header_pin)
    paragraphs = [
        "# Pins",
        f"Made from config.yaml by `{REMAKE}`; the drawing is [wiring.svg](wiring.svg).",
        render_table(head, [_describe_line(line) for line in lines]),
        _ABOUT_PINS,
        _ABOUT_INPUTS,
    ]
    if uses_board(config):
        outputs = sorted(list_board_outputs(config).items())
        rows = [(str(output), name) for output, name in outputs]
        paragraphs += [
            f"## Servo board (PCA9685, I2C address {config.servo.i2c_address:#x})",
            render_table(("output", "what"), rows),
            _ABOUT_BOARD,
        ]
    return "\n\n".join(paragraphs) + "\n"


def _describe_line(line: HeaderLine) -> tuple[str, ...]:
    kind = KINDS[line.kind]
    from_power_on = "pulled up" if line.gpio <= LAST_PULLED_UP else "pulled down"
    return (
        str(line.header_pin),
        f"GPIO {line.gpio}",
        line.name,
        kind.direction,
        from_power_on,
        kind.at_boot,
        kind.wire,
    )


def render_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def render_parts(config: Config) -> str:
    """The bill of materials, in Markdown, with counts and demands that follow from the settings."""
    servos = len(config.bins)
    parts = [*_list_brain(config), *_list_muscle(config, servos), *_list_panel_parts(config)]
    rows = [(part, str(count), must, example) for part, count, must, example in parts if count]
    about_supply = _ABOUT_SUPPLY.format(servos=servos, stall=STALL_A, together=servos * STALL_A)
    paragraphs = [
        "# Bill of materials",
        f"Made from config.yaml by `{REMAKE}`: counts and demands follow from the settings.\n"
        "Belt, hopper, chutes and bins are the builder's own.",
        render_table(("part", "count", "must", "for example"), rows),
        about_supply,
    ]
    return "\n\n".join(paragraphs) + "\n"


def _list_brain(config: Config) -> list[Part]:
    """What sees and computes."""
    return [
        ("Raspberry Pi", 1, "4B or 5, 2 GB", "Raspberry Pi 4 Model B"),
        (
            "its supply",
            1,
            "5.1 V, 3 A for a Pi 4, 5 A for a Pi 5; nothing else on it",
            "Raspberry Pi's own, 15 W or 27 W",
        ),
        (
            "card",
            1,
            "32 GB, for many writes: the ledger is synced for every coin",
            "SanDisk High Endurance",
        ),
        (
            "camera",
            int(config.camera.source != "folder"),
            _describe_camera(config),
            "Raspberry Pi Global Shutter Camera, 6 mm lens",
        ),
        (
            "light",
            1,
            "constant current, no flicker, fixed to the camera's mount",
            "24 V LED ring, 90 mm",
        ),
    ]


def _list_muscle(config: Config, servos: int) -> list[Part]:
    """What moves the flaps."""
    return [
        (
            "servo",
            servos,
            f"{_slowest_turn_s(config):.2f} s per 60° or faster; takes a 3.3 V signal",
            "TowerPro MG90S (0.08 s at 6 V, 0.10 s at 4.8 V)",
        ),
        (
            "return spring",
            servos,
            "turns a limp servo with its flap to rest",
            "torsion or extension spring, to fit",
        ),
        (
            "servo board",
            int(uses_board(config)),
            "16 outputs, 12 bits, terminal for V+",
            "Adafruit 815 (PCA9685)",
        ),
        *_list_supply(servos),
    ]


def _list_supply(servos: int) -> list[Part]:
    """What feeds the servos, and cuts them off."""
    supply = f"{choose_supply_a(servos)} A"
    return [
        (
            "servo supply",
            1,
            f"5 to 6 V, {supply}: a short must blow the fuse, not fold the supply back",
            "Mean Well LRS-50-5 (5 V, 10 A)",
        ),
        (
            "fuse and holder",
            1,
            f"{choose_fuse_a(servos):g} A, in the plus wire, next to the supply",
            "automotive blade fuse",
        ),
        (
            "capacitor",
            1,
            "1000 µF, 10 V or more, low ESR, where the servos' wires part",
            "Panasonic FR",
        ),
        (
            "emergency stop",
            1,
            f"latching, normally closed, {supply} DC, or with a contactor",
            "mushroom button, 22 mm, with a contactor",
        ),
    ]


def _list_panel_parts(config: Config) -> list[Part]:
    counts = Counter(line.kind for line in list_lines(config))
    return [
        (
            "drop or beam sensor",
            counts["sensor"],
            "3.3 V, open collector, low while something is in it",
            "light barrier, slotted or reflex, NPN",
        ),
        (
            "feeder MOSFET",
            counts["feeder"],
            "logic level: fully on at 3.3 V; diode across the motor",
            "module with AO3400",
        ),
        ("resistor 10 kΩ", counts["feeder"], "from the MOSFET's gate to ground", "any"),
        ("button", counts["button"], "normally open, to ground", "any, 16 mm"),
        ("LED and resistor 330 Ω", counts["light"], "at most 5 mA at 3.3 V", "any, 5 mm"),
    ]


def _describe_camera(config: Config) -> str:
    camera = config.camera
    smear_mm = config.belt.speed_mm_s * camera.exposure_us / 1e6
    size = f"{camera.width_px} x {camera.height_px} px at {camera.frames_per_s:g} frames/s"
    smear = f"a coin moves {smear_mm:.2g} mm in an exposure of {camera.exposure_us} µs"
    return f"{size}, global shutter; {smear}"


def _slowest_turn_s(config: Config) -> float:
    """Seconds for 60 degrees that every flap's servo must manage, to keep to its travel_ms."""
    flaps = [bin_.flap for bin_ in config.bins]
    return min(flap.travel_ms / 1000 * 60 / abs(flap.open_deg - flap.rest_deg) for flap in flaps)


def choose_fuse_a(servos: int) -> float:
    """The smallest blade fuse, in amperes, that carries all servos stalled at once."""
    return next(fuse for fuse in FUSES_A if fuse >= servos * STALL_A)


def choose_supply_a(servos: int) -> int:
    """What the servo supply must deliver, amperes: SUPPLY_MARGIN times its fuse."""
    return math.ceil(SUPPLY_MARGIN * choose_fuse_a(servos))
