"""What to write instead of a value that is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.config.wording import MAX_SHOWN, quote, shorten, suggest_number, suggest_truth
from coinsorter.files.strict_yaml import load_yaml


@pytest.mark.parametrize(
    "text, number",
    [
        ("0250", "250"),
        ("-0012.50", "-12.50"),
        ("0", "0"),
        ("000", "0"),
        ("0o17", "15"),
        ("0x1F", "31"),
        ("0b11", "3"),
        ("1_000", "1000"),
        ("1'250'000", "1250000"),
        ("1 000", "1000"),
        ("12,5", "12.5"),
        (",5", ".5"),
        ("1,250", "1.250 or 1250"),
        ("1:30", "one number without colons"),
        ("\uff12\uff15\uff10", "250"),
        ("\u0662\u0665\u0660", "250"),
        ("\N{MINUS SIGN}5", "-5"),
        ("250\u00a0", "250"),
        ("\u200b250", "250"),
        ("12.5mm", "12.5"),
        ("12,5 mm", "12.5"),
        ("16 cm", "the number of mm alone"),
        ("5 apples", "the number of mm alone"),
        ("fast", None),
        ("", None),
        ("0xfish", "the number of mm alone"),
        ("1" * 400, None),
    ],
)
def test_the_number_that_a_text_means(text, number):
    assert suggest_number(text, "distance_mm", whole=False) == number


@pytest.mark.parametrize(
    "name, text",
    [
        ("speed_mm_s", "80 mm/s"),
        ("px_per_mm", "80 px/mm"),
        ("frames_per_s", "80 fps"),
        ("speed_tolerance_percent", "80 %"),
        ("open_deg", "80°"),
        ("exposure_us", "80 µs"),
        ("travel_ms", "80ms"),
        ("width_px", "80px"),
    ],
)
def test_the_options_own_unit_is_left_out(name, text):
    assert suggest_number(text, name, whole=False) == "80"


@pytest.mark.parametrize(
    "text, number",
    [("1.0", "1"), ("6.4e2", "640"), ("1,250", "1250"), ("1.5", None), ("1e99", None)],
)
def test_whole_numbers_are_suggested_as_such(text, number):
    assert suggest_number(text, "width_px", whole=True) == number


@pytest.mark.parametrize(
    "text, truth",
    [("yes", "true"), ("Off", "false"), ("1", "true"), ("tRUE", "true"), ("ja", None)],
)
def test_the_truth_that_a_word_means(text, truth):
    assert suggest_truth(text) == truth


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_leading_zeros_are_left_out_whatever_the_number(number, zeros):
    suggestion = suggest_number("0" * zeros + str(number), "distance_mm", whole=False)
    assert load_yaml(suggestion) == number


@settings(deadline=None)
@given(st.text(max_size=200))
def test_a_quoted_value_is_one_short_line_that_a_terminal_shows_as_it_is(text):
    assert quote(text).isprintable()
    assert len(shorten(text)) <= MAX_SHOWN
