"""drawing: every name stands beside its pin, and no wire touches what it does not join."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

from hypothesis import given

from coinsorter.tools import wiring
from tests.unit.tools.wiring.machines import (
    BOARD,
    HEADER,
    any_machine,
    every_machine,
    machines,
    wired,
)

SVG = "{http://www.w3.org/2000/svg}"


# The height in the drawing where the header has ended and a servo board has not begun.
BELOW_HEADER = 880


# The width of a letter of a fixed-width face, in parts of its size; the widest of them.
LETTER = 0.61


def draw(of) -> ElementTree.Element:
    return ElementTree.fromstring(wiring.render_files(of)["wiring.svg"])


def words_of(svg: ElementTree.Element) -> list[tuple[str, float, float, float]]:
    """Every text of a drawing: words, where it begins or ends, height of its middle, size."""
    found = [
        (node.text, *(float(node.get(name)) for name in ("x", "y", "font-size")))
        for node in svg.iter(f"{SVG}text")
    ]
    return [(words, x, round(y - 0.35 * size, 3), size) for words, x, y, size in found]


@any_machine
@given(machines())
def test_the_drawing_has_every_name_once_and_beside_its_pin(of):
    words = words_of(draw(of))
    pins = {
        words: (x, y)
        for words, x, y, size in words
        if size == 11 and words.isdigit() and y < BELOW_HEADER
    }
    for gpio, (name, _) in wired(of).items():
        pin_x, pin_y = pins[str(HEADER[gpio])]
        ((x, y),) = [(x, y) for words, x, y, size in words if words == name and size == 14]
        assert y == pin_y
        assert (x < pin_x) == (HEADER[gpio] % 2 == 1)


def test_a_servo_board_has_every_flap_at_its_output():
    heights = {words: y for words, _, y, _ in words_of(draw(BOARD)) if y > BELOW_HEADER}
    rows = dict(
        re.findall(r"^\| (\d+) \| (flap \S+) \|$", wiring.render_pin_table(BOARD), re.MULTILINE)
    )
    assert rows == {str(bin_.flap.pin): f"flap {bin_.name}" for bin_ in BOARD.bins}
    assert all(heights[name] == heights[output] for output, name in rows.items())


def boxes_of_texts(svg: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """Words and where they stand: left, top, right, bottom."""
    found = []
    for node in svg.iter(f"{SVG}text"):
        size, x, y = (float(node.get(name)) for name in ("font-size", "x", "y"))
        width = LETTER * size * len(node.text)
        left = x - {"start": 0, "middle": width / 2, "end": width}[node.get("text-anchor")]
        found.append((node.text, left, y - 0.8 * size, left + width, y + 0.2 * size))
    return found


def stretches(svg: ElementTree.Element):
    """Every straight stretch of wire: left, top, right, bottom, colour."""
    for node in svg.iter(f"{SVG}polyline"):
        points = [
            tuple(float(number) for number in point.split(","))
            for point in node.get("points").split()
        ]
        for (x1, y1), (x2, y2) in pairwise(points):
            yield min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), node.get("stroke")


def apart(one, other) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@any_machine
@given(machines())
def test_no_words_touch_other_words_or_a_wire_and_none_leave_the_sheet(of):
    svg = draw(of)
    words = boxes_of_texts(svg)
    width, height = float(svg.get("width")), float(svg.get("height"))
    assert all(
        left >= 0 and right <= width and top >= 0 and bottom <= height
        for _, left, top, right, bottom in words
    )
    assert [(a[0], b[0]) for a, b in combinations(words, 2) if not apart(a[1:], b[1:])] == []
    assert [text for text, *box in words for wire in stretches(svg) if not apart(box, wire)] == []


@any_machine
@given(machines())
def test_wires_of_two_colours_never_run_together(of):
    for one, other in combinations(stretches(draw(of)), 2):
        both_upright, both_level = (
            one[0] == one[2] and other[0] == other[2],
            one[1] == one[3] and other[1] == other[3],
        )
        if one[4] != other[4] and (both_upright or both_level):
            left, top, right, bottom = one[:4]
            assert apart(
                (left - 5, top, right + 5, bottom)
                if both_upright
                else (left, top - 5, right, bottom + 5),
                other,
            ), (one, other)


@any_machine
@given(machines())
def test_a_dot_joins_wires_of_its_own_colour_only(of):
    svg = draw(of)
    circles = [
        (*(float(node.get(name)) for name in ("cx", "cy", "r")), node.get("fill"))
        for node in svg.iter(f"{SVG}circle")
    ]
    dots = [circle for circle in circles if circle[2] <= 5]  # larger ones are pins
    assert dots
    for x, y, radius, colour in dots:
        touched = {
            wire[4]
            for wire in stretches(svg)
            if not apart((x - radius, y - radius, x + radius, y + radius), wire)
        }
        assert touched == {colour}, (x, y)


@every_machine
def test_the_pi_meets_the_servos_ground_at_one_pin_only(of):
    """With two, the servos' current would run through the Pi."""
    svg = draw(of)
    pi = next(node for node in svg.iter(f"{SVG}rect") if node.get("fill") == "#e4efe2")
    left, top, width, height = (float(pi.get(name)) for name in ("x", "y", "width", "height"))
    reach_the_pi = [
        wire for wire in stretches(svg) if not apart((left, top, left + width, top + height), wire)
    ]
    assert [wire[4] for wire in reach_the_pi].count("#40464d") == 1


@any_machine
@given(machines())
def test_every_name_fits_into_its_box(of):
    svg = draw(of)
    white = [node for node in svg.iter(f"{SVG}rect") if node.get("fill") == "#ffffff"]
    boxes = [
        tuple(float(node.get(name)) for name in ("x", "y", "width", "height")) for node in white
    ]
    for text, left, top, right, bottom in boxes_of_texts(svg):
        if text.startswith(("flap ", "drop sensor ")):
            assert any(
                x <= left and right <= x + width and y <= top and bottom <= y + height
                for x, y, width, height in boxes
            ), text
