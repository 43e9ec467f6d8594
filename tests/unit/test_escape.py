"""escape: what others wrote is shown, and neither a terminal nor a spreadsheet obeys it."""

import io
import logging

import pytest
from rich.console import Console

from coinsorter.escape import CleanFormatter, as_cell, as_markup, clean, print_clean, read_cell


@pytest.mark.parametrize(
    "text, shown",
    [
        ("crown_1", "crown_1"),
        ("couronne é 五", "couronne é 五"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\t\x00\x7f", "a\\nb\\r\\t\\x00\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        (3, "3"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text, shown):
    assert clean(text) == shown


def test_what_is_to_stay_stays():
    assert clean("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@pytest.mark.parametrize("text", ["[/b]", "[red]x[/red]", "[/", "[link=http://x]y", "[[b]]"])
def test_markup_is_shown_as_it_is(text):
    out = io.StringIO()
    Console(file=out, width=100).print(f"label {as_markup(text)}")
    assert out.getvalue() == f"label {text}\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(start):
    assert as_cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("value", ["crown-1", "'", "", None, -3, -0.5, True])
def test_other_cells_stay_as_they_are(value):
    assert as_cell(value) is value


@pytest.mark.parametrize("text", ["=1+1", "-5", "'=1", "''=1", "'quoted'", "'", "", "crown_1"])
def test_a_cell_reads_as_it_was(text):
    assert read_cell(str(as_cell(text))) == text


def test_what_is_printed_is_one_line_that_no_terminal_obeys(capsys):
    print_clean("[red]\x1b[2J\n\udcff")
    assert capsys.readouterr().out == "[red]\\x1b[2J\\n\\udcff\n"


def test_a_line_of_a_log_is_one_line_that_no_terminal_obeys():
    record = logging.LogRecord("x", logging.WARNING, "", 1, "%s: is odd", ("\x1b[2J\n",), None)
    assert CleanFormatter("%(message)s").format(record) == "\\x1b[2J\\n: is odd"
