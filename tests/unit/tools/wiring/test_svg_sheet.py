"""svg_sheet: a drawing that can be read on any page."""

from xml.etree import ElementTree

from coinsorter.tools import wiring
from tests.unit.tools.wiring.machines import (
    every_machine,
)

SVG = "{http://www.w3.org/2000/svg}"


def draw(of) -> ElementTree.Element:
    return ElementTree.fromstring(wiring.render_files(of)["wiring.svg"])


@every_machine
def test_the_drawing_brings_its_own_paper(of):
    """So that it can be read on a dark page too."""
    first = draw(of)[0]
    assert (first.tag, first.get("width"), first.get("height"), first.get("fill")) == (
        f"{SVG}rect",
        "100%",
        "100%",
        "#fcfbf8",
    )
