"""A number in config.yaml changes, and nothing else."""

import pytest

from coinsorter.config.edit import replace_numbers
from coinsorter.config.load import load_config
from coinsorter.errors import ConfigError
from tests.unit.config.conftest import TEXT, change_text


@pytest.fixture
def path(tmp_path):
    """The shipped settings in a file of their own."""
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    return path


def test_a_number_of_one_bins_flap_is_changed_and_nothing_else(path):
    text = replace_numbers(
        path, {("bins", 2, "flap", "rest_deg"): 92.5, ("bins", 2, "flap", "drop_ms"): 300}
    )
    (old, new), *more = [
        (a, b) for a, b in zip(TEXT.splitlines(), text.splitlines(), strict=True) if a != b
    ]
    assert (
        more == []
        and old.replace("rest_deg: 90", "rest_deg: 92.5").replace("{pin", "{drop_ms: 300, pin")
        == new
        and "pin: 13" in old
    )


def test_a_number_that_is_there_is_replaced_and_its_comment_stays(path):
    text = replace_numbers(path, {("belt", "px_per_mm"): 5.25})
    assert text == TEXT.replace("px_per_mm: 4.0 ", "px_per_mm: 5.25 ")


def test_mistakes_before_the_change_are_an_error(path):
    path.write_text(change_text(("threads: 1 ", "threads: 0 ")))
    with pytest.raises(ConfigError, match=r"runtime\.threads: 0 is below 1"):
        replace_numbers(path, {("belt", "px_per_mm"): 5})


def test_an_option_is_added_to_its_section(path):
    path.write_text(change_text(("  px_per_mm: 4.0 ", "  # ")))
    path.write_text(replace_numbers(path, {("belt", "px_per_mm"): 5}))
    assert load_config(path).belt.px_per_mm == 5


def test_a_section_that_is_missing_is_added_at_the_end(path):
    bins = TEXT[TEXT.index("bins:") : TEXT.index("reject_bin:")]
    path.write_text(bins)
    text = replace_numbers(path, {("belt", "px_per_mm"): 5})
    assert text == f"{bins.rstrip()}\n\nbelt:\n  px_per_mm: 5\n"


def test_an_empty_section_gets_the_option(path):
    bins = TEXT[TEXT.index("bins:") : TEXT.index("reject_bin:")]
    path.write_text("belt: {}\n" + bins)
    text = replace_numbers(path, {("belt", "px_per_mm"): 5})
    assert text.startswith("belt: {px_per_mm: 5}\n")


def test_a_number_out_of_range_is_an_error(path):
    with pytest.raises(ConfigError, match=r"(?s)there would be mistakes:.*70 is above 50"):
        replace_numbers(path, {("belt", "px_per_mm"): 70})
    assert path.read_text() == TEXT


def test_a_number_that_an_alias_shares_is_not_changed(path):
    text = change_text(("px_per_mm: 4.0 ", "px_per_mm: &four 4.0 "))
    path.write_text(text.replace("turns_per_crop: 4 ", "turns_per_crop: *four "))
    with pytest.raises(ConfigError, match=r"belt\.px_per_mm cannot be changed alone"):
        replace_numbers(path, {("belt", "px_per_mm"): 5})


def test_line_ends_of_another_system_stay_as_they_are(path):
    text = TEXT.replace("  px_per_mm: 4.0 ", "  # ").replace("\n", "\r\n")
    path.write_bytes(text.encode())
    new = replace_numbers(path, {("belt", "px_per_mm"): 5})
    assert new == text.replace("  speed_mm_s", "  px_per_mm: 5\r\n  speed_mm_s")
