"""The wiring as a drawing: the header, what hangs on each of its pins, the supplies."""

from xml.etree import ElementTree

from coinsorter.config.schema import Config
from coinsorter.tools.wiring.lines import (
    HEADER_PINS,
    I2C_CLOCK,
    I2C_DATA,
    KINDS,
    PINS,
    Line,
    has_board,
    lines,
    outputs,
)
from coinsorter.tools.wiring.lists import fuse_a, supply_a

BOARD_OUTPUTS = 16
# All sizes in SVG's px. Names are set in a fixed-width face, so that a box can be made as wide as its name needs.
FACE = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
LETTER_PX, ROW_PX, TOP_PX, MARGIN_PX = 8.4, 34, 200, 40
PAPER, INK, PALE = "#fcfbf8", "#22262b", "#8b9199"
SUPPLY, LOGIC, GROUND = "#d62839", "#c08a00", "#40464d"
RAILS = {
    "ground": (GROUND, "ground"),
    "logic": (LOGIC, "3.3 V"),
    "supply": (SUPPLY, "servo supply, 5 to 6 V"),
}
# What a thing of each kind is joined to besides its line of the header.
NEEDS = {
    "servo": ("ground", "supply"),
    "sensor": ("ground", "logic"),
    "feeder": ("ground",),
    "button": ("ground",),
    "light": ("ground",),
    "bus": (),
}
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
    below = _draw_board(sheet, below, config) if has_board(config) else below
    _draw_rails(sheet, below)
    _draw_supply(sheet, below, len(config.bins))
    _draw_legend(sheet, below + 160)
    return sheet.text(below + 250)


class _Sheet:
    """A sheet to draw on, as wide as the longest name needs. Left is what hangs on odd pins of the header, right on even ones."""

    def __init__(self, of: list[Line], on_board: dict[int, str]) -> None:
        self.lines, self.on_board = of, on_board
        self.box_px = (
            max(170.0, LETTER_PX * max(len(line.name) for line in of) + 30) if of else 170.0
        )
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

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        edge: str = "none",
        round_px: float = 6,
    ) -> None:
        self._add("rect", x=x, y=y, width=width, height=height, rx=round_px, fill=fill, stroke=edge)

    def wire(self, colour: str, *points: tuple[float, float], width: float = 2.5) -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._add(
            "polyline",
            points=path,
            fill="none",
            stroke=colour,
            stroke_width=width,
            stroke_linejoin="round",
            stroke_linecap="round",
        )

    def dot(self, x: float, y: float, colour: str, radius: float = 3.5) -> None:
        self._add("circle", cx=x, cy=y, r=radius, fill=colour)

    def words(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 14,
        colour: str = INK,
        anchor: str = "start",
        weight: str = "normal",
    ) -> None:
        """Text whose middle is at height y."""
        node = self._add(
            "text",
            x=x,
            y=y + size * 0.35,
            fill=colour,
            font_size=size,
            text_anchor=anchor,
            font_weight=weight,
        )
        node.text = words

    def text(self, height: float) -> str:
        """The whole sheet, paper and all."""
        paper = ElementTree.Element(
            "rect", width="100%", height="100%", rx="14", fill=PAPER, stroke="#d5d2c8"
        )
        self.root.insert(0, paper)
        width = 2 * self.half_px
        self.root.attrib |= {
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "font-family": FACE,
        }
        ElementTree.indent(self.root)
        return ElementTree.tostring(self.root, encoding="unicode") + "\n"

    def _add(self, tag: str, **attributes: float | str) -> ElementTree.Element:
        plain = {
            name.replace("_", "-"): value if isinstance(value, str) else f"{value:g}"
            for name, value in attributes.items()
        }
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
    for number, pin in PINS.items():
        colour = KINDS[kinds[number]].colour if number in kinds else _power_colour(pin.name)
        side, y = sheet.side(number), sheet.row_y(number)
        sheet.dot(x + side * 14, y, colour, 11)
        sheet.words(x + side * 14, y, str(number), 11, "#ffffff", "middle", "bold")
        shown, weight = (INK, "bold") if number in kinds else (PALE, "normal")
        sheet.words(
            x + side * 36,
            y,
            pin.name.replace("GPIO", "GPIO "),
            12,
            shown,
            "start" if side > 0 else "end",
            weight,
        )


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
    sheet.box(
        left if side > 0 else left + sheet.box_px - 8, y - 13, 8, 26, kind.colour, kind.colour, 3
    )
    sheet.words(left + (18 if side > 0 else 10), y, line.name)


def _draw_rails(sheet: _Sheet, below: float) -> None:
    """Ground and servo supply come up from below on both sides; 3.3 V comes from the Pi, on the right by way of the top."""
    grounds, supplies = [sheet.middle + MINUS_PX], [sheet.middle + PLUS_PX]
    for side in (-1, 1):
        used = sheet.used(side)
        served = [
            sheet.row_y(line.header_pin) + JOINT_PX["supply"]
            for line in used
            if line.kind == "servo"
        ]
        if used or side < 0:
            grounds.append(sheet.rail_x("ground", side))
            _draw_ground_rail(sheet, side, below + 26)
        if served or (side < 0 and sheet.on_board):
            supplies.append(sheet.rail_x("supply", side))
            sheet.wire(
                SUPPLY, (supplies[-1], min(served, default=below)), (supplies[-1], below), width=3.5
            )
    sheet.wire(GROUND, (min(grounds), below + 26), (max(grounds), below + 26), width=3.5)
    sheet.wire(SUPPLY, (min(supplies), below), (max(supplies), below), width=3.5)
    _draw_logic_rails(sheet)


def _draw_ground_rail(sheet: _Sheet, side: int, down_to: float) -> None:
    """From the topmost thing down; the left one also meets the Pi's ground, which only one may: two would lead the servos' current through it."""
    x, pin_y = sheet.rail_x("ground", side), sheet.row_y(GROUND_PIN)
    joints = [
        sheet.row_y(line.header_pin) + JOINT_PX["ground"]
        for line in sheet.used(side)
        if NEEDS[line.kind]
    ]
    sheet.wire(GROUND, (x, min([pin_y, *joints])), (x, down_to), width=3.5)
    if side < 0:
        sheet.wire(GROUND, (sheet.middle - 72, pin_y), (x, pin_y))
        sheet.dot(x, pin_y, GROUND)


def _draw_logic_rails(sheet: _Sheet) -> None:
    served = {
        side: [
            sheet.row_y(line.header_pin) + JOINT_PX["logic"]
            for line in sheet.used(side)
            if line.kind == "sensor"
        ]
        for side in (-1, 1)
    }
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
    sheet.words(
        left + BOARD_PX / 2, top + height / 2 - 10, "PCA9685", 15, "#2b4a6b", "middle", "bold"
    )
    sheet.words(
        left + BOARD_PX / 2,
        top + height / 2 + 10,
        f"I2C {config.servo.i2c_address:#x}",
        11,
        "#2b4a6b",
        "middle",
    )
    _draw_terminals(sheet, left, top, top + height + 40)
    for output in range(BOARD_OUTPUTS):
        _draw_output(sheet, left + BOARD_PX, top + 10 + BOARD_ROW_PX * (output + 0.5), output)
    return top + height + 40


def _draw_terminals(sheet: _Sheet, left: float, top: float, below: float) -> None:
    bus = KINDS["bus"].colour
    terminals = (
        ("SDA", bus, "I2C data", sheet.row_y(HEADER_PINS[I2C_DATA])),
        ("SCL", bus, "I2C clock", sheet.row_y(HEADER_PINS[I2C_CLOCK])),
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
    stopped = (
        "servos and feeder" if any(line.kind == "feeder" for line in sheet.lines) else "servos"
    )
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
