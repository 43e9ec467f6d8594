"""Text from elsewhere, such as labels, notes and file names, for terminals and spreadsheets."""

#: With these a spreadsheet takes a cell for a formula. Source: OWASP, "CSV Injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def clean(text: object, keep: str = "") -> str:
    """Text in one line that a terminal shows and does not obey; what it would obey is spelled out.

    That is control characters, escapes, and what changes the direction of writing. keep: such
    characters that stay.
    """
    return "".join(
        character if character.isprintable() or character in keep else _spell(character)
        for character in str(text)
    )


def as_markup(text: object) -> str:
    """Text for rich, which shows `[b]` in it as it is; cleaned."""
    from rich.markup import escape

    return escape(clean(text))


def as_cell(value: object) -> object:
    """A cell of a CSV table that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _spell(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
