"""What keeps a text from being YAML, with the line that has to be changed."""

import pytest

from tests.unit.config.conftest import TEXT, change_text, line_of, list_mistakes

SPEED = "speed_mm_s: 250 "
LINE = line_of(TEXT, SPEED)


@pytest.mark.parametrize(
    "old, new, line, remedy",
    [
        (SPEED, "speed_mm_s:250 ", LINE, "write a space behind the colon"),
        (SPEED, "speed_mm_s 250 ", LINE, "write a colon and a space behind the option's name"),
        (SPEED, "speed_mm_s = 250 ", LINE, "write a colon and a space behind the option's name"),
        (SPEED, "speed_mm_s:\u00a0250 ", LINE, "instead of U+00A0, NO-BREAK SPACE write a plain"),
        (SPEED, "\tspeed_mm_s: 250 ", LINE, "instead of U+0009, a tab write a plain space"),
        (SPEED, "speed_mm_s: 250\t # ", LINE, "instead of U+0009, a tab write a plain space"),
        (SPEED, "speed_mm_s: '250 ", LINE, "close the quotes"),
        (SPEED, 'speed_mm_s: "250 ', LINE, "close the quotes"),
        (SPEED, "speed_mm_s: @250 ", LINE, "put text that begins with it in quotes"),
        (SPEED, "speed_mm_s: !!int 250 ", LINE, "tags are not read"),
        (SPEED, "speed_mm_s: *b ", LINE, "write the value itself"),
        (SPEED, "speed_mm_s: 250\x07 ", LINE, "holds U+0007, a control character; delete it"),
        (SPEED, "speed_mm_s: 250 # \u2028  gain: 3 ", LINE, "holds U+2028, LINE SEPARATOR; delete"),
        (SPEED, "speed_mm_s: 250 # \x85  gain: 3 ", LINE, "holds U+0085, next line; delete it"),
        (SPEED, "speed_mm_s: 250 # \u202e ", LINE, "RIGHT-TO-LEFT OVERRIDE; delete it"),
        ("  " + SPEED, "    " + SPEED, LINE + 1, "indent this line and the one above"),
        ("  tilt_along", "    tilt_along", LINE + 3, "indent this line and the one above"),
        ("distance_mm: 160,", "distance_mm: 160", 47, "write commas between its options"),
        ("travel_ms: 80}", "travel_ms: 80", 47, "end it with a brace"),
        ("\nservo:", "\n---\nservo:", line_of(TEXT, "servo:"), "delete the line of dashes"),
        ("path: var/ledger.db", r'path: "C:\coins"', 86, "in single quotes"),
    ],
)
def test_the_line_and_what_to_do_are_named(tmp_path, old, new, line, remedy):
    (mistake,) = list_mistakes(tmp_path, change_text((old, new)))
    assert mistake.startswith(f"config.yaml:{line}: (file): ") and remedy in mistake


def test_odd_characters_in_a_comment_are_no_mistake(tmp_path):
    assert (
        list_mistakes(tmp_path, change_text((SPEED, SPEED + "# un\u00a0commentaire \u200b "))) == []
    )
