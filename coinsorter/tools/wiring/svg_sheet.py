"""A sheet of SVG to draw the wiring on, as wide as the longest name needs."""

from xml.etree import ElementTree

from coinsorter.tools.wiring.lines import HeaderLine

#: Names are set in a fixed-width face, so that a box can be made as wide as its name needs.
FACE = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
# All sizes are in SVG's px.
#: Width of a letter at size 14.
LETTER_PX = 8.4
#: Distance of the header's rows, and where the first one is.
ROW_PX, TOP_PX = 34, 200
MARGIN_PX = 40
#: From the middle of the header to the boxes beside it; and the smallest width of such a box.
BOX_FROM_MIDDLE_PX, MIN_BOX_PX = 160, 170.0
#: How far outside the boxes each rail runs.
RAIL_PX = {"ground": 24, "logic": 44, "supply": 64, "I2C data": 84, "I2C clock": 100}
PAPER, INK = "#fcfbf8", "#22262b"

Point = tuple[float, float]


class SvgSheet:
    """A sheet to draw on.

    Left of the header is what is connected to its odd pins, right what is connected to even ones.
    """

    def __init__(self, lines: list[HeaderLine], board_outputs: dict[int, str]) -> None:
        self.lines = lines
        self.board_outputs = board_outputs
        longest = max((len(line.name) for line in lines), default=0)
        self.box_px = max(MIN_BOX_PX, LETTER_PX * longest + 30)
        self.middle = BOX_FROM_MIDDLE_PX + self.box_px + RAIL_PX["I2C clock"] + MARGIN_PX
        self._root = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg")

    def side_of(self, header_pin: int) -> int:
        """-1 for the left of the header, 1 for the right."""
        return -1 if header_pin % 2 else 1

    def row_y(self, header_pin: int) -> float:
        """The height of a pin's row."""
        return TOP_PX + ROW_PX * ((header_pin - 1) // 2)

    def rail_x(self, rail: str, side: int) -> float:
        """Where a rail runs on one side."""
        return self.middle + side * (BOX_FROM_MIDDLE_PX + self.box_px + RAIL_PX[rail])

    def lines_on(self, side: int) -> list[HeaderLine]:
        """The lines whose pins are on one side."""
        return [line for line in self.lines if self.side_of(line.header_pin) == side]

    def add_box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        edge: str = "none",
        round_px: float = 6,
    ) -> None:
        """A rectangle; x, y: its upper left corner."""
        self._add("rect", x=x, y=y, width=width, height=height, rx=round_px, fill=fill, stroke=edge)

    def add_wire(self, colour: str, *points: Point, width: float = 2.5) -> None:
        """A line through some points."""
        self._add(
            "polyline",
            points=" ".join(f"{x:g},{y:g}" for x, y in points),
            fill="none",
            stroke=colour,
            stroke_width=width,
            stroke_linejoin="round",
            stroke_linecap="round",
        )

    def add_dot(self, x: float, y: float, colour: str, radius: float = 3.5) -> None:
        """A disc."""
        self._add("circle", cx=x, cy=y, r=radius, fill=colour)

    def add_text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 14,
        colour: str = INK,
        anchor: str = "start",
        weight: str = "normal",
    ) -> None:
        """Text whose middle is at height y; anchor: start, middle or end is at x."""
        node = self._add(
            "text",
            x=x,
            y=y + size * 0.35,
            fill=colour,
            font_size=size,
            text_anchor=anchor,
            font_weight=weight,
        )
        node.text = text

    def render(self, height: float) -> str:
        """The whole sheet as SVG, on paper of its own, so high."""
        paper = ElementTree.Element(
            "rect", width="100%", height="100%", rx="14", fill=PAPER, stroke="#d5d2c8"
        )
        self._root.insert(0, paper)
        width = 2 * self.middle
        self._root.attrib |= {
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "font-family": FACE,
        }
        ElementTree.indent(self._root)
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def _add(self, tag: str, **attributes: float | str) -> ElementTree.Element:
        plain = {
            name.replace("_", "-"): value if isinstance(value, str) else f"{value:g}"
            for name, value in attributes.items()
        }
        return ElementTree.SubElement(self._root, tag, plain)
