"""config.yaml -> what the Pi needs below Linux, and how it is wired: firmware settings, device-tree overlay, pin table, drawing, parts.

All of it is made from the settings, so that it cannot drift from them; `coinsorter wiring` writes it.
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from gpiozero import PiBoardInfo

from coinsorter.config import PWM_CHANNELS, Config
from coinsorter.errors import ConfigError, InputError

REMAKE = "coinsorter wiring --config config.yaml --out firmware"
# A Pi 4B; every Pi since the B+ has the same header.
REVISION = 0xC03111
# Which alternative function of a pin is its hardware PWM, by the firmware's count: 4 is Alt0, 2 is Alt5 (overlays/README on the card).
PWM_FUNCTIONS = {12: 4, 13: 4, 18: 2, 19: 2}
I2C_DATA, I2C_CLOCK = 2, 3
# The highest GPIO whose pull-up is on from power-on; those above it are pulled down (BCM2711 ARM peripherals, section 5.3; on a Pi 5 too).
LAST_PULLED_UP = 8
# Interfaces that would take their pins from the machine, were they switched on.
SHARED = {
    "dtparam=i2c_arm=off": {2, 3},
    "dtparam=spi=off": {7, 8, 9, 10, 11},
    "enable_uart=0": {14, 15},
    "dtparam=i2s=off": {18, 19, 20, 21},
}
# A stalled standard servo at 6 V, by the data sheet of a Hitec HS-311.
STALL_A = 0.8
FUSES_A = (1, 2, 3, 4, 5, 7.5, 10, 15, 20, 25, 30)
BOARD_OUTPUTS = 16


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
    "servo": Kind("servo signal", "#d9730d", "output", "low", "servo's signal (yellow, orange or white)"),
    "feeder": Kind("feeder", "#b0413e", "output", "low", "gate of the feeder's MOSFET, with 10 kΩ to ground"),
    "sensor": Kind("sensor", "#2878c8", "input", "pulled up", "sensor's open-collector output; its supply is 3V3"),
    "button": Kind("button", "#8e44ad", "input", "pulled up", "button to ground, normally open"),
    "light": Kind("status LED", "#2e9e4f", "output", "low", "LED's long leg through 330 Ω, short leg to ground"),
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
        return _HEADER_PINS[self.gpio]

    @property
    def is_output(self) -> bool:
        return KINDS[self.kind].direction == "output"


_PINS = PiBoardInfo.from_revision(REVISION).headers["J8"].pins
_HEADER_PINS = {int(pin.name.removeprefix("GPIO")): number for number, pin in _PINS.items() if pin.name.startswith("GPIO")}


def main_for_cli(config: Config, out: Path) -> list[Path]:
    """Writes every file into a folder, which is made if it is missing; returns their paths. Raises InputError where that cannot be."""
    files = made(config)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}; name another folder with --out") from error
    return [out / name for name in files]


def made(config: Config) -> dict[str, str]:
    """Every file's text, by its name. Raises ConfigError for wiring that cannot be."""
    _refuse(config)
    return {
        "coinsorter.txt": settings(config),
        "coinsorter-overlay.dts": overlay(config),
        "pins.md": table(config),
        "wiring.svg": drawing(config),
        "bom.md": parts(config),
    }


def lines(config: Config) -> list[Line]:
    """Every pin of the header that is in use, in the order of the belt, the panel last."""
    found = [Line(bin_.flap.pin, "servo", f"flap {bin_.name}") for bin_ in config.bins if not _has_board(config)]
    found += [Line(bin_.flap.drop_pin, "sensor", f"drop sensor {bin_.name}") for bin_ in config.bins if bin_.flap.drop_pin is not None]
    panel = config.panel
    for gpio, kind, name in (
        (panel.feeder_pin, "feeder", "feeder"),
        (panel.beam_pin, "sensor", "beam"),
        (panel.stop_pin, "button", "stop button"),
        (panel.status_led_pin, "light", "status LED"),
    ):
        found += [Line(gpio, kind, name)] if gpio is not None else []
    return found + ([Line(I2C_DATA, "bus", "I2C data"), Line(I2C_CLOCK, "bus", "I2C clock")] if _has_board(config) else [])


def outputs(config: Config) -> dict[int, str]:
    """The servo board's outputs in use and what each moves; empty where there is no such board."""
    return {bin_.flap.pin: f"flap {bin_.name}" for bin_ in config.bins} if _has_board(config) else {}


def _has_board(config: Config) -> bool:
    return config.servo.driver == "pca9685"


def _refuse(config: Config) -> None:
    owners: dict[int, str] = {}
    for line in lines(config):
        if line.gpio in owners:
            raise ConfigError(f"GPIO {line.gpio} is both {owners[line.gpio]} and {line.name}; move one of them to another pin")
        owners[line.gpio] = line.name
    if config.servo.driver == "hardware-pwm" and len({PWM_CHANNELS[bin_.flap.pin] for bin_ in config.bins}) < len(config.bins):
        raise ConfigError("servo.driver: hardware-pwm moves two servos, at GPIO 12 or 18 and at 13 or 19; for more take gpio or pca9685")


# -- the firmware's settings ----------------------------------------------------------------------------------------------------------


def settings(config: Config) -> str:
    """Lines for /boot/firmware/config.txt, none longer than the 98 characters that the firmware reads."""
    found = [
        "# For /boot/firmware/config.txt. Made from config.yaml; to change it, change that and run",
        f"# {REMAKE}",
        "[all]",
        *(["camera_auto_detect=1"] if config.camera.source == "pi" else []),
        "dtparam=watchdog=on",
        *(["dtparam=i2c_arm=on"] if _has_board(config) else []),
        *_freed(config),
        "# Pins at rest before Linux starts: a servo without pulses is limp, the feeder is off.",
    ]
    for line in lines(config):
        if line.kind != "bus":
            found += [f"# {line.name}", f"gpio={line.gpio}={'op,dl,pd' if line.is_output else 'ip,pu'}"]
    return "\n".join([*found, "# The same for Linux: coinsorter-overlay.dts, compiled.", "dtoverlay=coinsorter", *_pwm(config)]) + "\n"


def _freed(config: Config) -> list[str]:
    """Switches off the interfaces that share a pin with something of ours."""
    ours = {line.gpio for line in lines(config) if line.kind != "bus"}
    return [switch for switch, pins in SHARED.items() if pins & ours]


def _pwm(config: Config) -> list[str]:
    if config.servo.driver != "hardware-pwm":
        return []
    pins = sorted((bin_.flap.pin for bin_ in config.bins), key=PWM_CHANNELS.__getitem__)
    ends = ("", "2")
    chosen = ",".join(f"pin{end}={pin},func{end}={PWM_FUNCTIONS[pin]}" for end, pin in zip(ends, pins, strict=False))
    return [
        "# Hardware PWM. A Pi 5 takes the same line; its channels are 0 to 3 for GPIO 12, 13, 18, 19.",
        "# The sound of a Pi 3's jack would come out of the same channels.",
        "dtparam=audio=off",
        f"dtoverlay={'pwm-2chan' if len(pins) == 2 else 'pwm'},{chosen}",
    ]


# -- the device-tree overlay ----------------------------------------------------------------------------------------------------------

OVERLAY = """\
/*
 * coinsorter's pins at rest, as the GPIO controller's own default state: Linux sets it when it finds the controller, long before
 * any program runs, and whatever the firmware left behind.
 *
 * Made from config.yaml; to change it, change that and run
 *     {remake}
 * Compile and install:
 *     dtc -@ -I dts -O dtb -o /boot/firmware/overlays/coinsorter.dtbo coinsorter-overlay.dts
 *
 * Outputs are low and pulled down, inputs pulled up. Programs can still take every one of these pins: neither controller's driver is
 * strict. Pins of the hardware PWM only get their pull here; their function is set by the pwm overlay, which could not have them otherwise.
 *
 * BCM2711 (Pi 4): brcm,function is 0 for an input, 1 for an output; brcm,pull is 1 for down, 2 for up.
 * RP1 (Pi 5): its driver reads these properties too, but takes no direction from brcm,function. Outputs get theirs from output-low;
 * inputs have it from reset. The overlay needs no other form there.
 *
 * The status LED is no gpio-leds: the kernel would keep its pin, and the program could not open it.
 */
/dts-v1/;
/plugin/;

/ {{
	compatible = "brcm,bcm2835";
{fragment}}};
"""

FRAGMENT = """
	fragment@0 {{
		target = <&gpio>;
		__overlay__ {{
			pinctrl-names = "default";
			pinctrl-0 = {states};
{nodes}
		}};
	}};
"""


def overlay(config: Config) -> str:
    """Device-tree source that brings every pin to rest when Linux starts; without any fragment where no pin is used."""
    pwm = {bin_.flap.pin for bin_ in config.bins} if config.servo.driver == "hardware-pwm" else set()
    own = [line for line in lines(config) if line.kind != "bus"]
    pulled, up = [line for line in own if line.gpio in pwm], [line for line in own if not line.is_output]
    low = [line for line in own if line.is_output and line.gpio not in pwm]
    states = [
        _state("coinsorter_low", low, ("brcm,pins = <{numbers}>;", "brcm,function = <1>;", "brcm,pull = <1>;")),
        _state("coinsorter_level", low, ("pins = {names};", "output-low;")),
        _state("coinsorter_pwm", pulled, ("brcm,pins = <{numbers}>;", "brcm,pull = <1>;")),
        _state("coinsorter_up", up, ("brcm,pins = <{numbers}>;", "brcm,function = <0>;", "brcm,pull = <2>;")),
    ]
    used = {name: node for name, node in states if node}
    fragment = FRAGMENT.format(states=", ".join(f"<&{name}>" for name in used), nodes="\n".join(used.values())) if used else ""
    return OVERLAY.format(remake=REMAKE, fragment=fragment)


def _state(name: str, of: list[Line], properties: tuple[str, ...]) -> tuple[str, str]:
    """A pin state's name and its node; no node where it holds no pins."""
    numbers, names = " ".join(str(line.gpio) for line in of), ", ".join(f'"gpio{line.gpio}"' for line in of)
    body = "".join(f"\t\t\t\t{text.format(numbers=numbers, names=names)}\n" for text in properties)
    remarks = "".join(f"\t\t\t\t/* GPIO {line.gpio}: {line.name} */\n" for line in of)
    return name, f"\n\t\t\t{name}: {name} {{\n{remarks}{body}\t\t\t}};" if of else ""


# -- the pin table --------------------------------------------------------------------------------------------------------------------


def table(config: Config) -> str:
    """The pin table, in Markdown, in the order of the header's pins."""
    rows = [_row(line, KINDS[line.kind]) for line in sorted(lines(config), key=lambda line: line.header_pin)]
    text = [
        "# Pins",
        f"Made from config.yaml by `{REMAKE}`; the drawing is [wiring.svg](wiring.svg).",
        _rows(("pin", "GPIO", "what", "direction", "from power-on", "from the firmware on", "wire"), rows),
        "Pin is the number on the 40-pin header. For the first seconds after power-on no line is driven, only pulled, up or down as the table says:\n"
        "the firmware comes later. A constant level is no pulse, so no servo moves by it; the feeder needs its own resistor to ground.",
        "All inputs are 3.3 V: nothing may put 5 V on them. Ground is common: the Pi's pin 39 and the\n"
        "servo supply's minus are joined, and no other pin, or the servos' current would run through the Pi.",
    ]
    if _has_board(config):
        board = [(f"{output}", name) for output, name in sorted(outputs(config).items())]
        text += [f"## Servo board (PCA9685, I2C address {config.servo.i2c_address:#x})", _rows(("output", "what"), board)]
        text += ["VCC is the Pi's 3V3 (pin 1), V+ the servo supply. Each output's connector carries signal, V+ and ground of its servo."]
    return "\n\n".join(text) + "\n"


def _row(line: Line, kind: Kind) -> tuple[str, ...]:
    from_power_on = "pulled up" if line.gpio <= LAST_PULLED_UP else "pulled down"
    return str(line.header_pin), f"GPIO {line.gpio}", line.name, kind.direction, from_power_on, kind.at_boot, kind.wire


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows))


# -- the parts ------------------------------------------------------------------------------------------------------------------------


def parts(config: Config) -> str:
    """The bill of materials, in Markdown, with counts and demands that follow from the settings."""
    servos = len(config.bins)
    needed = [*_brain(config), *_muscle(config, servos), *_panel_parts(config)]
    rows = [(part, str(count), must, example) for part, count, must, example in needed if count]
    text = [
        "# Bill of materials",
        f"Made from config.yaml by `{REMAKE}`: counts and demands follow from the settings.\nBelt, hopper, chutes and bins are the builder's own.",
        _rows(("part", "count", "must", "for example"), rows),
        f"The servo supply is sized for every servo stalled at once, {servos} x {STALL_A:g} A = {servos * STALL_A:.3g} A: a standard servo's stall\n"
        "current at 6 V (data sheet of the Hitec HS-311). Many small servos' data sheets, that of the MG90S too, do not say: hold one at its\n"
        "horn and read the supply's current, before you choose a smaller one.",
    ]
    return "\n\n".join(text) + "\n"


Part = tuple[str, int, str, str]


def _brain(config: Config) -> list[Part]:
    return [
        ("Raspberry Pi", 1, "4B or 5, 2 GB", "Raspberry Pi 4 Model B"),
        ("its supply", 1, "5.1 V, 3 A for a Pi 4, 5 A for a Pi 5; nothing else on it", "Raspberry Pi's own, 15 W or 27 W"),
        ("card", 1, "32 GB, for many writes: the ledger is synced for every coin", "SanDisk High Endurance"),
        ("camera", int(config.camera.source != "folder"), _camera(config), "Raspberry Pi Global Shutter Camera, 6 mm lens"),
        ("light", 1, "constant current, no flicker, fixed to the camera's mount", "24 V LED ring, 90 mm"),
    ]


def _muscle(config: Config, servos: int) -> list[Part]:
    supply = f"{supply_a(servos)} A"
    return [
        ("servo", servos, f"{_slowest_s(config):.2f} s per 60° or faster; takes a 3.3 V signal", "TowerPro MG90S (0.08 s at 6 V, 0.10 s at 4.8 V)"),
        ("return spring", servos, "turns a limp servo with its flap to rest", "torsion or extension spring, to fit"),
        ("servo board", int(_has_board(config)), "16 outputs, 12 bits, terminal for V+", "Adafruit 815 (PCA9685)"),
        ("servo supply", 1, f"5 to 6 V, {supply}: a short must blow the fuse, not fold the supply back", "Mean Well LRS-50-5 (5 V, 10 A)"),
        ("fuse and holder", 1, f"{fuse_a(servos):g} A, in the plus wire, next to the supply", "automotive blade fuse"),
        ("capacitor", 1, "1000 µF, 10 V or more, low ESR, where the servos' wires part", "Panasonic FR"),
        ("emergency stop", 1, f"latching, normally closed, {supply} DC, or with a contactor", "mushroom button, 22 mm, with a contactor"),
    ]


def _panel_parts(config: Config) -> list[Part]:
    counts = Counter(line.kind for line in lines(config))
    return [
        ("drop or beam sensor", counts["sensor"], "3.3 V, open collector, low while something is in it", "light barrier, slotted or reflex, NPN"),
        ("feeder MOSFET", counts["feeder"], "logic level: fully on at 3.3 V; diode across the motor", "module with AO3400"),
        ("resistor 10 kΩ", counts["feeder"], "from the MOSFET's gate to ground", "any"),
        ("button", counts["button"], "normally open, to ground", "any, 16 mm"),
        ("LED and resistor 330 Ω", counts["light"], "at most 5 mA at 3.3 V", "any, 5 mm"),
    ]


def _camera(config: Config) -> str:
    camera = config.camera
    smear_mm = config.belt.speed_mm_s * camera.exposure_us / 1e6
    size = f"{camera.width_px} x {camera.height_px} px at {camera.frames_per_s:g} frames/s"
    return f"{size}, global shutter; a coin moves {smear_mm:.2g} mm in an exposure of {camera.exposure_us} µs"


def _slowest_s(config: Config) -> float:
    """Seconds for 60 degrees that every flap's servo must manage, to keep to its travel_ms."""
    return min(flap.travel_ms / 1000 * 60 / abs(flap.open_deg - flap.rest_deg) for flap in (bin_.flap for bin_ in config.bins))


def fuse_a(servos: int) -> float:
    """The smallest blade fuse that carries all servos stalled at once."""
    return next(fuse for fuse in FUSES_A if fuse >= servos * STALL_A)


def supply_a(servos: int) -> int:
    """What the servo supply must deliver: 1.3 times its fuse, so that a short blows the fuse and not merely folds the supply back."""
    return math.ceil(1.3 * fuse_a(servos))


# -- the drawing ----------------------------------------------------------------------------------------------------------------------

# All sizes in SVG's px. Names are set in a fixed-width face, so that a box can be made as wide as its name needs.
FACE = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
LETTER_PX, ROW_PX, TOP_PX, MARGIN_PX = 8.4, 34, 200, 40
PAPER, INK, PALE = "#fcfbf8", "#22262b", "#8b9199"
SUPPLY, LOGIC, GROUND = "#d62839", "#c08a00", "#40464d"
RAILS = {"ground": (GROUND, "ground"), "logic": (LOGIC, "3.3 V"), "supply": (SUPPLY, "servo supply, 5 to 6 V")}
# What a thing of each kind is joined to besides its line of the header.
NEEDS = {"servo": ("ground", "supply"), "sensor": ("ground", "logic"), "feeder": ("ground",), "button": ("ground",), "light": ("ground",), "bus": ()}
# How far outside the boxes each rail runs, and how far off a box's middle it is joined to it.
RAIL_PX = {"ground": 24, "logic": 44, "supply": 64, "I2C data": 84, "I2C clock": 100}
JOINT_PX = {"ground": -6, "logic": 6, "supply": 6}
# Off the middle: where the servo supply's wires come up, well inside the rails.
PLUS_PX, MINUS_PX = 305, -200
GROUND_PIN, LOGIC_PIN = 39, 1  # pins of the header that feed the rails, both on the left


def drawing(config: Config) -> str:
    """The wiring as SVG, on its own light paper: the header, what hangs on each pin, the supplies, a legend."""
    sheet = _Sheet(lines(config), outputs(config))
    _draw_title(sheet, config)
    _draw_header(sheet)
    for line in sheet.lines:
        _draw_thing(sheet, line)
    below = sheet.row_y(40) + 50
    below = _draw_board(sheet, below, config) if _has_board(config) else below
    _draw_rails(sheet, below)
    _draw_supply(sheet, below, len(config.bins))
    _draw_legend(sheet, below + 160)
    return sheet.text(below + 250)


class _Sheet:
    """A sheet to draw on, as wide as the longest name needs. Left is what hangs on odd pins of the header, right on even ones."""

    def __init__(self, of: list[Line], on_board: dict[int, str]) -> None:
        self.lines, self.on_board = of, on_board
        self.box_px = max(170.0, LETTER_PX * max(len(line.name) for line in of) + 30) if of else 170.0
        self.half_px = 160 + self.box_px + RAIL_PX["I2C clock"] + MARGIN_PX
        self.middle = self.half_px
        self.root = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg")

    def side(self, header_pin: int) -> int:
        """-1 for the left of the header, 1 for the right."""
        return -1 if header_pin % 2 else 1

    def row_y(self, header_pin: int) -> float:
        return TOP_PX + ROW_PX * ((header_pin - 1) // 2)

    def rail_x(self, rail: str, side: int) -> float:
        return self.middle + side * (160 + self.box_px + RAIL_PX[rail])

    def used(self, side: int) -> list[Line]:
        return [line for line in self.lines if self.side(line.header_pin) == side]

    def box(self, x: float, y: float, width: float, height: float, fill: str, edge: str = "none", round_px: float = 6) -> None:
        self._add("rect", x=x, y=y, width=width, height=height, rx=round_px, fill=fill, stroke=edge)

    def wire(self, colour: str, *points: tuple[float, float], width: float = 2.5) -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._add("polyline", points=path, fill="none", stroke=colour, stroke_width=width, stroke_linejoin="round", stroke_linecap="round")

    def dot(self, x: float, y: float, colour: str, radius: float = 3.5) -> None:
        self._add("circle", cx=x, cy=y, r=radius, fill=colour)

    def words(self, x: float, y: float, words: str, size: float = 14, colour: str = INK, anchor: str = "start", weight: str = "normal") -> None:
        """Text whose middle is at height y."""
        node = self._add("text", x=x, y=y + size * 0.35, fill=colour, font_size=size, text_anchor=anchor, font_weight=weight)
        node.text = words

    def text(self, height: float) -> str:
        """The whole sheet, paper and all."""
        paper = ElementTree.Element("rect", width="100%", height="100%", rx="14", fill=PAPER, stroke="#d5d2c8")
        self.root.insert(0, paper)
        width = 2 * self.half_px
        self.root.attrib |= {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}", "font-family": FACE}
        ElementTree.indent(self.root)
        return ElementTree.tostring(self.root, encoding="unicode") + "\n"

    def _add(self, tag: str, **attributes: float | str) -> ElementTree.Element:
        plain = {name.replace("_", "-"): value if isinstance(value, str) else f"{value:g}" for name, value in attributes.items()}
        return ElementTree.SubElement(self.root, tag, plain)


def _draw_title(sheet: _Sheet, config: Config) -> None:
    sheet.words(MARGIN_PX, 42, "coinsorter: wiring", 24, weight="bold")
    count = f"{len(config.bins)} flap{'s' if len(config.bins) > 1 else ''}, servo driver {config.servo.driver}"
    sheet.words(MARGIN_PX, 70, f"{count}; made from config.yaml", 13, PALE)


def _draw_header(sheet: _Sheet) -> None:
    x, top, bottom = sheet.middle, sheet.row_y(1), sheet.row_y(40)
    sheet.box(x - 112, top - 62, 224, bottom - top + 84, "#e4efe2", "#a9c7a3", 12)
    sheet.words(x, top - 44, "Raspberry Pi", 15, "#2c5e2a", "middle", "bold")
    sheet.words(x, top - 27, "on its own USB-C supply", 11, "#2c5e2a", "middle")
    sheet.box(x - 29, top - 16, 58, bottom - top + 32, "#2b2f36")
    kinds = {line.header_pin: line.kind for line in sheet.lines}
    for number, pin in _PINS.items():
        colour = KINDS[kinds[number]].colour if number in kinds else _power_colour(pin.name)
        side, y = sheet.side(number), sheet.row_y(number)
        sheet.dot(x + side * 14, y, colour, 11)
        sheet.words(x + side * 14, y, str(number), 11, "#ffffff", "middle", "bold")
        shown, weight = (INK, "bold") if number in kinds else (PALE, "normal")
        sheet.words(x + side * 36, y, pin.name.replace("GPIO", "GPIO "), 12, shown, "start" if side > 0 else "end", weight)


def _power_colour(pin_name: str) -> str:
    return {"3V3": LOGIC, "5V": "#8a4b52", "GND": "#737a83"}.get(pin_name, "#565c65")


def _draw_thing(sheet: _Sheet, line: Line) -> None:
    """A box beside its pin, the wire to it, and its joints to the rails; the two lines of a servo board go on to rails of their own."""
    side, y, kind = sheet.side(line.header_pin), sheet.row_y(line.header_pin), KINDS[line.kind]
    inner = sheet.middle + side * 160
    outer = inner + side * sheet.box_px
    sheet.wire(kind.colour, (sheet.middle + side * 94, y), (inner, y))
    for rail in NEEDS[line.kind]:
        joint = (sheet.rail_x(rail, side), y + JOINT_PX[rail])
        sheet.wire(RAILS[rail][0], (outer, joint[1]), joint)
        sheet.dot(*joint, RAILS[rail][0])
    if line.kind == "bus":
        sheet.wire(kind.colour, (outer, y), (sheet.rail_x(line.name, side), y))
    left = min(inner, outer)
    sheet.box(left, y - 13, sheet.box_px, 26, "#ffffff", kind.colour)
    sheet.box(left if side > 0 else left + sheet.box_px - 8, y - 13, 8, 26, kind.colour, kind.colour, 3)
    sheet.words(left + (18 if side > 0 else 10), y, line.name)


def _draw_rails(sheet: _Sheet, below: float) -> None:
    """Ground and servo supply come up from below on both sides; 3.3 V comes from the Pi, on the right by way of the top."""
    grounds, supplies = [sheet.middle + MINUS_PX], [sheet.middle + PLUS_PX]
    for side in (-1, 1):
        used = sheet.used(side)
        served = [sheet.row_y(line.header_pin) + JOINT_PX["supply"] for line in used if line.kind == "servo"]
        if used or side < 0:
            grounds.append(sheet.rail_x("ground", side))
            _draw_ground_rail(sheet, side, below + 26)
        if served or (side < 0 and sheet.on_board):
            supplies.append(sheet.rail_x("supply", side))
            sheet.wire(SUPPLY, (supplies[-1], min(served, default=below)), (supplies[-1], below), width=3.5)
    sheet.wire(GROUND, (min(grounds), below + 26), (max(grounds), below + 26), width=3.5)
    sheet.wire(SUPPLY, (min(supplies), below), (max(supplies), below), width=3.5)
    _draw_logic_rails(sheet)


def _draw_ground_rail(sheet: _Sheet, side: int, down_to: float) -> None:
    """From the topmost thing down; the left one also meets the Pi's ground, which only one may: two would lead the servos' current through it."""
    x, pin_y = sheet.rail_x("ground", side), sheet.row_y(GROUND_PIN)
    joints = [sheet.row_y(line.header_pin) + JOINT_PX["ground"] for line in sheet.used(side) if NEEDS[line.kind]]
    sheet.wire(GROUND, (x, min([pin_y, *joints])), (x, down_to), width=3.5)
    if side < 0:
        sheet.wire(GROUND, (sheet.middle - 72, pin_y), (x, pin_y))
        sheet.dot(x, pin_y, GROUND)


def _draw_logic_rails(sheet: _Sheet) -> None:
    served = {side: [sheet.row_y(line.header_pin) + JOINT_PX["logic"] for line in sheet.used(side) if line.kind == "sensor"] for side in (-1, 1)}
    if not (sheet.on_board or served[-1] or served[1]):
        return
    pin_y, x = sheet.row_y(LOGIC_PIN), sheet.rail_x("logic", -1)
    sheet.wire(LOGIC, (sheet.middle - 72, pin_y), (x, pin_y))
    if served[-1]:
        sheet.wire(LOGIC, (x, pin_y), (x, max(served[-1])), width=3.5)
    if served[1]:
        sheet.dot(x, pin_y, LOGIC)
        over, right = TOP_PX - 80, sheet.rail_x("logic", 1)
        sheet.wire(LOGIC, (x, pin_y), (x, over), (right, over), (right, max(served[1])), width=3.5)


BOARD_ROW_PX, BOARD_PX = 30, 190


def _draw_board(sheet: _Sheet, top: float, config: Config) -> float:
    """The servo board below the header, its terminals to the left, its outputs and their servos to the right. Returns where it ends."""
    left, height = sheet.middle - 160 - sheet.box_px, BOARD_OUTPUTS * BOARD_ROW_PX + 20
    sheet.box(left, top, BOARD_PX, height, "#dfe8f2", "#9fb6cf", 12)
    sheet.words(left + BOARD_PX / 2, top + height / 2 - 10, "PCA9685", 15, "#2b4a6b", "middle", "bold")
    sheet.words(left + BOARD_PX / 2, top + height / 2 + 10, f"I2C {config.servo.i2c_address:#x}", 11, "#2b4a6b", "middle")
    _draw_terminals(sheet, left, top, top + height + 40)
    for output in range(BOARD_OUTPUTS):
        _draw_output(sheet, left + BOARD_PX, top + 10 + BOARD_ROW_PX * (output + 0.5), output)
    return top + height + 40


def _draw_terminals(sheet: _Sheet, left: float, top: float, below: float) -> None:
    bus = KINDS["bus"].colour
    terminals = (
        ("SDA", bus, "I2C data", sheet.row_y(_HEADER_PINS[I2C_DATA])),
        ("SCL", bus, "I2C clock", sheet.row_y(_HEADER_PINS[I2C_CLOCK])),
        ("VCC", LOGIC, "logic", sheet.row_y(LOGIC_PIN)),
        ("GND", GROUND, "ground", sheet.row_y(GROUND_PIN)),
        ("V+", SUPPLY, "supply", below),
    )
    for place, (name, colour, rail, from_y) in enumerate(terminals):
        x, y = sheet.rail_x(rail, -1), top + 60 + 90 * place
        sheet.wire(colour, (x, from_y), (x, y), (left, y))
        sheet.dot(left, y, colour, 5)
        sheet.words(left + 12, y, name, 12)
    sheet.dot(sheet.rail_x("ground", -1), top + 60 + 90 * 3, GROUND)


def _draw_output(sheet: _Sheet, x: float, y: float, output: int) -> None:
    colour = KINDS["servo"].colour if output in sheet.on_board else PALE
    sheet.dot(x, y, colour, 10)
    sheet.words(x, y, str(output), 11, "#ffffff", "middle", "bold")
    if output in sheet.on_board:
        name = sheet.on_board[output]
        sheet.wire(colour, (x + 10, y), (x + 70, y))
        sheet.box(x + 70, y - 12, LETTER_PX * len(name) + 30, 24, "#ffffff", colour)
        sheet.box(x + 70, y - 12, 8, 24, colour, colour, 3)
        sheet.words(x + 88, y, name)


def _draw_supply(sheet: _Sheet, below: float, servos: int) -> None:
    """The servos' own supply: plus by way of fuse and emergency stop to the red rail, minus to the common ground."""
    y, x = below + 90, sheet.middle
    stopped = "servos and feeder" if any(line.kind == "feeder" for line in sheet.lines) else "servos"
    for left, width, title, detail in (
        (-300, 200, "servo supply", f"5 to 6 V, {supply_a(servos)} A"),
        (-65, 110, "fuse", f"{fuse_a(servos):g} A"),
        (80, 200, "emergency stop", f"cuts {stopped}"),
    ):
        sheet.box(x + left, y - 28, width, 56, "#ffffff", INK)
        sheet.words(x + left + width / 2, y - 9, title, 14, INK, "middle", "bold")
        sheet.words(x + left + width / 2, y + 11, detail, 12, INK, "middle")
    sheet.wire(SUPPLY, (x - 100, y), (x - 65, y), width=3.5)
    sheet.wire(SUPPLY, (x + 45, y), (x + 80, y), width=3.5)
    sheet.wire(SUPPLY, (x + 280, y), (x + PLUS_PX, y), (x + PLUS_PX, below), width=3.5)
    sheet.wire(GROUND, (x + MINUS_PX, y - 28), (x + MINUS_PX, below + 26), width=3.5)
    sheet.dot(x + PLUS_PX, below, SUPPLY, 5)
    sheet.dot(x + MINUS_PX, below + 26, GROUND, 5)
    sheet.words(x + MINUS_PX + 12, below + 46, "common ground", 11, GROUND)


def _draw_legend(sheet: _Sheet, y: float) -> None:
    boxes = [(kind.what, kind.colour) for kind in KINDS.values()]
    rails = [(words, colour) for colour, words in RAILS.values()]
    _draw_keys(sheet, y, [(words, colour, True) for words, colour in boxes])
    _draw_keys(sheet, y + 30, [(words, colour, False) for words, colour in rails])
    note = "Numbers in circles are pins of the header. A dot joins wires; wires that cross without one do not touch."
    sheet.words(MARGIN_PX, y + 60, note, 11, PALE)


def _draw_keys(sheet: _Sheet, y: float, keys: list[tuple[str, str, bool]]) -> None:
    x: float = MARGIN_PX
    for words, colour, is_box in keys:
        if is_box:
            sheet.box(x, y - 8, 24, 16, colour, round_px=4)
        else:
            sheet.wire(colour, (x, y), (x + 24, y), width=3.5)
        sheet.words(x + 34, y, words, 12)
        x += 34 + LETTER_PX * len(words) + 20
