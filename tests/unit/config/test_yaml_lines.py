"""YAML as plain values with their lines, and texts that are no settings."""

import pytest

from coinsorter.config.yaml_lines import YamlLines, format_option
from tests.unit.config.conftest import list_mistakes


@pytest.mark.parametrize(
    "text", ["", "just words", "- a\n- list\n", "a: [1,\n", "\tx: 1", "a: &x [*x]\n"]
)
def test_what_is_no_settings_file_is_one_mistake(tmp_path, text):
    assert len(list_mistakes(tmp_path, text)) == 1


def test_a_file_nested_without_end_is_one_mistake(tmp_path):
    (mistake,) = list_mistakes(tmp_path, "camera: " + "[" * 3000)
    assert "nested" in mistake or "is not YAML" in mistake


@pytest.mark.parametrize(
    "option, text",
    [
        ((), "(file)"),
        (("belt",), "belt"),
        (("belt", "px_per_mm"), "belt.px_per_mm"),
        (("bins", 2, "flap", "pin"), "bins[2].flap.pin"),
    ],
)
def test_an_option_is_written_as_a_technician_reads_it(option, text):
    assert format_option(option) == text


def test_values_are_plain_and_each_has_its_line():
    lines = YamlLines()
    values = lines.parse("a:\n  b: 1\n  c: [x, 2.5]\nd: true\n")
    assert values == {"a": {"b": 1, "c": ["x", 2.5]}, "d": True}
    assert lines.line(("a",)) == 1
    assert lines.line(("a", "c", 1)) == 3
    assert lines.line(("d",)) == 4


def test_an_option_that_is_missing_has_the_line_of_what_is_around_it():
    lines = YamlLines()
    lines.parse("a:\n  b: 1\nd:\n  e: 2\n")
    assert lines.line(("d", "nothing", "at all")) == 3
    assert lines.line(("nothing",)) == 1


def test_of_an_option_that_is_there_twice_the_first_counts():
    lines = YamlLines()
    assert lines.parse("a: 1\nb: 2\na: 3\n") == {"a": 1, "b": 2}
    (mistake,) = lines.mistakes
    assert (mistake.line, mistake.option) == (3, "a")


def test_a_key_that_is_no_text_is_refused_as_an_option(tmp_path):
    mistakes = list_mistakes(tmp_path, "? [a, b]\n: 1\n")
    assert any("config.yaml:1: ?: is no option" in mistake for mistake in mistakes)
