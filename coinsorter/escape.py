"""Text from elsewhere, such as labels, notes and file names, for terminals and spreadsheets."""

import logging
from typing import TextIO

#: With these a spreadsheet takes a cell for a formula. Source: OWASP, "CSV Injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def clean(text: object, keep: str = "") -> str:
    """Text in one line that a terminal shows and does not obey; what it would obey is spelled out.

    That is control characters, escapes, and what changes the direction of writing. keep: such
    characters that stay.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _spell(character)
        for character in text
    )


class CleanFormatter(logging.Formatter):
    """A line for each message of a log, in which a terminal obeys nothing."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (as in logging)
        """The message, cleaned."""
        return clean(super().formatMessage(record))


def as_markup(text: object) -> str:
    """Text for rich, which shows `[b]` in it as it is; cleaned."""
    from rich.markup import escape

    return escape(clean(text))


def as_cell(value: object) -> object:
    """A cell of a CSV table that no spreadsheet takes for a formula; numbers stay numbers.

    `read_cell` reads it as it was.
    """
    if isinstance(value, str) and _is_formula(value):
        return f"'{value}"
    return value


def read_cell(cell: str) -> str:
    """What `as_cell` made a cell of."""
    return cell[1:] if _is_escaped(cell) else cell


def print_clean(text: object, file: TextIO | None = None) -> None:
    """Prints text in one line, cleaned; to standard output where no file is named."""
    print(clean(text), file=file, flush=file is not None)


def _is_formula(text: str) -> bool:
    return text.lstrip("'").startswith(_FORMULA_STARTS)


def _is_escaped(cell: str) -> bool:
    return cell.startswith("'") and _is_formula(cell)


def _spell(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
