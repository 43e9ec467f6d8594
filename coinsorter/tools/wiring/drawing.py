"""The wiring as a drawing: the header, what is connected to each of its pins, the supplies."""

from coinsorter.config.schema import Config
from coinsorter.tools.wiring.lines import (
    HEADER_PINS,
    I2C_CLOCK,
    I2C_DATA,
    KINDS,
    PINS,
    HeaderLine,
    list_board_outputs,
    list_lines,
    uses_board,
)
from coinsorter.tools.wiring.lists import choose_fuse_a, choose_supply_a
from coinsorter.tools.wiring.svg_sheet import INK, LETTER_PX, MARGIN_PX, TOP_PX, SvgSheet

#: Outputs of a PCA9685.
BOARD_OUTPUTS = 16
# All sizes are in SVG's px.
BOARD_ROW_PX, BOARD_PX = 30, 190
PALE, WHITE = "#8b9199", "#ffffff"
SUPPLY, LOGIC, GROUND = "#d62839", "#c08a00", "#40464d"
#: Colours of the Pi, of its text, and of the servo board's text.
PI_FILL, PI_EDGE, PI_INK = "#e4efe2", "#a9c7a3", "#2c5e2a"
BOARD_FILL, BOARD_EDGE, BOARD_INK = "#dfe8f2", "#9fb6cf", "#2b4a6b"
RAILS = {
    "ground": (GROUND, "ground"),
    "logic": (LOGIC, "3.3 V"),
    "supply": (SUPPLY, "servo supply, 5 to 6 V"),
}
#: The rails that a thing of each kind is joined to, besides its line of the header.
RAILS_OF_KIND = {
    "servo": ("ground", "supply"),
    "sensor": ("ground", "logic"),
    "feeder": ("ground",),
    "button": ("ground",),
    "light": ("ground",),
    "bus": (),
}
#: How far off a box's middle it is joined to each rail.
JOINT_PX = {"ground": -6, "logic": 6, "supply": 6}
#: Off the middle: where the servo supply's wires come up, well inside the rails.
PLUS_PX, MINUS_PX = 305, -200
#: Width of rails and of the supply's wires.
THICK_PX = 3.5
#: Pins of the header that feed the rails, both on the left.
GROUND_PIN, LOGIC_PIN = 39, 1


def draw_wiring(config: Config) -> str:
    """The wiring as SVG, on its own light paper.

    It shows the header, what is connected to each pin, the supplies and a legend.
    """
    sheet = SvgSheet(list_lines(config), list_board_outputs(config))
    _draw_title(sheet, config)
    _draw_header(sheet)
    for line in sheet.lines:
        _draw_line(sheet, line)
    below = sheet.row_y(40) + 50
    if uses_board(config):
        below = _draw_board(sheet, below, config)
    _draw_rails(sheet, below)
    _draw_supply(sheet, below, len(config.bins))
    _draw_legend(sheet, below + 160)
    return sheet.render(below + 250)


def _draw_title(sheet: SvgSheet, config: Config) -> None:
    sheet.add_text(MARGIN_PX, 42, "coinsorter: wiring", 24, weight="bold")
    flaps = f"{len(config.bins)} flap{'s' if len(config.bins) > 1 else ''}"
    text = f"{flaps}, servo driver {config.servo.driver}; made from config.yaml"
    sheet.add_text(MARGIN_PX, 70, text, 13, PALE)


# --- the header


def _draw_header(sheet: SvgSheet) -> None:
    x, top, bottom = sheet.middle, sheet.row_y(1), sheet.row_y(40)
    sheet.add_box(x - 112, top - 62, 224, bottom - top + 84, PI_FILL, PI_EDGE, 12)
    sheet.add_text(x, top - 44, "Raspberry Pi", 15, PI_INK, "middle", "bold")
    sheet.add_text(x, top - 27, "on its own USB-C supply", 11, PI_INK, "middle")
    sheet.add_box(x - 29, top - 16, 58, bottom - top + 32, "#2b2f36")
    kinds = {line.header_pin: line.kind for line in sheet.lines}
    for number, pin in PINS.items():
        _draw_pin(sheet, number, pin.name, kinds.get(number))


def _draw_pin(sheet: SvgSheet, number: int, name: str, kind: str | None) -> None:
    colour = KINDS[kind].colour if kind else _power_colour(name)
    side, y = sheet.side_of(number), sheet.row_y(number)
    x = sheet.middle + side * 14
    sheet.add_dot(x, y, colour, 11)
    sheet.add_text(x, y, str(number), 11, WHITE, "middle", "bold")
    name_colour, weight = (INK, "bold") if kind else (PALE, "normal")
    anchor = "start" if side > 0 else "end"
    text = name.replace("GPIO", "GPIO ")
    sheet.add_text(sheet.middle + side * 36, y, text, 12, name_colour, anchor, weight)


def _power_colour(pin_name: str) -> str:
    return {"3V3": LOGIC, "5V": "#8a4b52", "GND": "#737a83"}.get(pin_name, "#565c65")


def _draw_line(sheet: SvgSheet, line: HeaderLine) -> None:
    """A box beside its pin, the wire to it, and its joints to the rails.

    The two lines of a servo board go on to rails of their own.
    """
    side, y = sheet.side_of(line.header_pin), sheet.row_y(line.header_pin)
    colour = KINDS[line.kind].colour
    inner = sheet.middle + side * 160
    outer = inner + side * sheet.box_px
    sheet.add_wire(colour, (sheet.middle + side * 94, y), (inner, y))
    for rail in RAILS_OF_KIND[line.kind]:
        joint = (sheet.rail_x(rail, side), y + JOINT_PX[rail])
        sheet.add_wire(RAILS[rail][0], (outer, joint[1]), joint)
        sheet.add_dot(*joint, RAILS[rail][0])
    if line.kind == "bus":
        sheet.add_wire(colour, (outer, y), (sheet.rail_x(line.name, side), y))
    left = min(inner, outer)
    stripe = left if side > 0 else left + sheet.box_px - 8
    sheet.add_box(left, y - 13, sheet.box_px, 26, WHITE, colour)
    sheet.add_box(stripe, y - 13, 8, 26, colour, colour, 3)
    sheet.add_text(left + (18 if side > 0 else 10), y, line.name)


# --- the rails


def _draw_rails(sheet: SvgSheet, below: float) -> None:
    """Ground and servo supply come up from below on both sides.

    3.3 V comes from the Pi, on the right by way of the top.
    """
    grounds = [sheet.middle + MINUS_PX]
    supplies = [sheet.middle + PLUS_PX]
    for side in (-1, 1):
        joints = _joints(sheet, side, "supply")
        if sheet.lines_on(side) or side < 0:
            grounds.append(sheet.rail_x("ground", side))
            _draw_ground_rail(sheet, side, below + 26)
        if joints or (side < 0 and sheet.board_outputs):
            x = sheet.rail_x("supply", side)
            supplies.append(x)
            top = min(joints, default=below)
            sheet.add_wire(SUPPLY, (x, top), (x, below), width=THICK_PX)
    _draw_level(sheet, GROUND, grounds, below + 26)
    _draw_level(sheet, SUPPLY, supplies, below)
    _draw_logic_rails(sheet)


def _joints(sheet: SvgSheet, side: int, rail: str) -> list[float]:
    """The heights at which the things of one side are joined to a rail."""
    return [
        sheet.row_y(line.header_pin) + JOINT_PX[rail]
        for line in sheet.lines_on(side)
        if rail in RAILS_OF_KIND[line.kind]
    ]


def _draw_level(sheet: SvgSheet, colour: str, places: list[float], y: float) -> None:
    sheet.add_wire(colour, (min(places), y), (max(places), y), width=THICK_PX)


def _draw_ground_rail(sheet: SvgSheet, side: int, bottom: float) -> None:
    """From the topmost thing down; the left one also meets the Pi's ground.

    Only one may: two would lead the servos' current through the Pi.
    """
    x, pin_y = sheet.rail_x("ground", side), sheet.row_y(GROUND_PIN)
    top = min([pin_y, *_joints(sheet, side, "ground")])
    sheet.add_wire(GROUND, (x, top), (x, bottom), width=THICK_PX)
    if side < 0:
        sheet.add_wire(GROUND, (sheet.middle - 72, pin_y), (x, pin_y))
        sheet.add_dot(x, pin_y, GROUND)


def _draw_logic_rails(sheet: SvgSheet) -> None:
    left, right = _joints(sheet, -1, "logic"), _joints(sheet, 1, "logic")
    if not (sheet.board_outputs or left or right):
        return
    x, pin_y = sheet.rail_x("logic", -1), sheet.row_y(LOGIC_PIN)
    sheet.add_wire(LOGIC, (sheet.middle - 72, pin_y), (x, pin_y))
    if left:
        sheet.add_wire(LOGIC, (x, pin_y), (x, max(left)), width=THICK_PX)
    if right:
        sheet.add_dot(x, pin_y, LOGIC)
        over, far = TOP_PX - 80, sheet.rail_x("logic", 1)
        path = ((x, pin_y), (x, over), (far, over), (far, max(right)))
        sheet.add_wire(LOGIC, *path, width=THICK_PX)


# --- the servo board


def _draw_board(sheet: SvgSheet, top: float, config: Config) -> float:
    """The servo board below the header; returns where it ends.

    Its terminals are to the left, its outputs and their servos to the right.
    """
    left = sheet.middle - 160 - sheet.box_px
    height = BOARD_OUTPUTS * BOARD_ROW_PX + 20
    middle_x, middle_y = left + BOARD_PX / 2, top + height / 2
    address = f"I2C {config.servo.i2c_address:#x}"
    sheet.add_box(left, top, BOARD_PX, height, BOARD_FILL, BOARD_EDGE, 12)
    sheet.add_text(middle_x, middle_y - 10, "PCA9685", 15, BOARD_INK, "middle", "bold")
    sheet.add_text(middle_x, middle_y + 10, address, 11, BOARD_INK, "middle")
    _draw_terminals(sheet, left, top, top + height + 40)
    for output in range(BOARD_OUTPUTS):
        y = top + 10 + BOARD_ROW_PX * (output + 0.5)
        _draw_output(sheet, left + BOARD_PX, y, output)
    return top + height + 40


def _draw_terminals(sheet: SvgSheet, left: float, top: float, below: float) -> None:
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
        sheet.add_wire(colour, (x, from_y), (x, y), (left, y))
        sheet.add_dot(left, y, colour, 5)
        sheet.add_text(left + 12, y, name, 12)
    sheet.add_dot(sheet.rail_x("ground", -1), top + 60 + 90 * 3, GROUND)


def _draw_output(sheet: SvgSheet, x: float, y: float, output: int) -> None:
    name = sheet.board_outputs.get(output)
    colour = KINDS["servo"].colour if name else PALE
    sheet.add_dot(x, y, colour, 10)
    sheet.add_text(x, y, str(output), 11, WHITE, "middle", "bold")
    if name:
        sheet.add_wire(colour, (x + 10, y), (x + 70, y))
        sheet.add_box(x + 70, y - 12, LETTER_PX * len(name) + 30, 24, WHITE, colour)
        sheet.add_box(x + 70, y - 12, 8, 24, colour, colour, 3)
        sheet.add_text(x + 88, y, name)


# --- the servos' supply and the legend


def _draw_supply(sheet: SvgSheet, below: float, servos: int) -> None:
    """The servos' own supply.

    Plus goes by way of fuse and emergency stop to the red rail, minus to the common ground.
    """
    has_feeder = any(line.kind == "feeder" for line in sheet.lines)
    stopped = "servos and feeder" if has_feeder else "servos"
    y, x = below + 90, sheet.middle
    plus, minus = x + PLUS_PX, x + MINUS_PX
    _draw_part(sheet, x - 300, y, 200, "servo supply", f"5 to 6 V, {choose_supply_a(servos)} A")
    _draw_part(sheet, x - 65, y, 110, "fuse", f"{choose_fuse_a(servos):g} A")
    _draw_part(sheet, x + 80, y, 200, "emergency stop", f"cuts {stopped}")
    sheet.add_wire(SUPPLY, (x - 100, y), (x - 65, y), width=THICK_PX)
    sheet.add_wire(SUPPLY, (x + 45, y), (x + 80, y), width=THICK_PX)
    sheet.add_wire(SUPPLY, (x + 280, y), (plus, y), (plus, below), width=THICK_PX)
    sheet.add_wire(GROUND, (minus, y - 28), (minus, below + 26), width=THICK_PX)
    sheet.add_dot(plus, below, SUPPLY, 5)
    sheet.add_dot(minus, below + 26, GROUND, 5)
    sheet.add_text(minus + 12, below + 46, "common ground", 11, GROUND)


def _draw_part(
    sheet: SvgSheet, left: float, y: float, width: float, title: str, detail: str
) -> None:
    middle = left + width / 2
    sheet.add_box(left, y - 28, width, 56, WHITE, INK)
    sheet.add_text(middle, y - 9, title, 14, INK, "middle", "bold")
    sheet.add_text(middle, y + 11, detail, 12, INK, "middle")


def _draw_legend(sheet: SvgSheet, y: float) -> None:
    boxes = [(kind.name, kind.colour, True) for kind in KINDS.values()]
    rails = [(name, colour, False) for colour, name in RAILS.values()]
    _draw_keys(sheet, y, boxes)
    _draw_keys(sheet, y + 30, rails)
    note = (
        "Numbers in circles are pins of the header. A dot joins wires; "
        "wires that cross without one do not touch."
    )
    sheet.add_text(MARGIN_PX, y + 60, note, 11, PALE)


def _draw_keys(sheet: SvgSheet, y: float, keys: list[tuple[str, str, bool]]) -> None:
    x: float = MARGIN_PX
    for name, colour, is_box in keys:
        if is_box:
            sheet.add_box(x, y - 8, 24, 16, colour, round_px=4)
        else:
            sheet.add_wire(colour, (x, y), (x + 24, y), width=THICK_PX)
        sheet.add_text(x + 34, y, name, 12)
        x += 34 + LETTER_PX * len(name) + 20
