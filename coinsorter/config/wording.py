"""A value as it is written -> what is wrong with it, and what to write instead."""

import re
import unicodedata

#: Characters of a value that a message shows.
MAX_SHOWN = 60

#: By the end of an option's name how people write its unit behind a number; longest ends first.
UNITS = {
    "px_per_mm": ("px/mm",),
    "per_s": ("fps", "hz", "/s", "1/s"),
    "mm_s": ("mm/s", "mm_s", "mmps"),
    "percent": ("%", "percent"),
    "mm": ("mm",),
    "ms": ("ms",),
    "us": ("us", "μs"),
    "deg": ("deg", "°", "degrees"),
    "px": ("px",),
}
YES = {"yes", "y", "on", "true", "1"}
NO = {"no", "n", "off", "false", "0"}

_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_ZEROS = re.compile(r"\A([-+]?)0+(?=\d)")
_SEPARATED = re.compile(r"[-+]?\d{1,3}([_' ]\d{3})+(\.\d*)?|[-+]?\d[\d_]*(\.\d*)?")
_COMMA = re.compile(r"[-+]?\d*,\d+")
_WITH_UNIT = re.compile(r"([-+]?[\d.,_' ]*\d)\s*([A-Za-zμ%°/].*)")
_TIME = re.compile(r"\d+(:\d+)+")
#: A comma for decimals, or for thousands.
_AMBIGUOUS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_BASES = {"0x": 16, "0o": 8, "0b": 2}
#: Signs that look like a minus: hyphens, dashes, the mathematical sign.
_MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))


def shorten(text: str) -> str:
    """The beginning of a text that is too long for a message."""
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def quote(value: object) -> str:
    """A value as a message shows it: one line, no control characters, not too long."""
    if isinstance(value, str):
        return repr(shorten(value))
    return shorten(repr(value))


def suggest_number(text: str, name: str, whole: bool) -> str | None:
    """What to write for a number that is written as a text; None where no number shows in it.

    name: the option's. whole: it takes whole numbers only.
    """
    plain = _to_ascii(text)
    if len(plain) > MAX_SHOWN:
        return None
    if _TIME.fullmatch(plain):
        return "one number without colons"
    if _AMBIGUOUS.fullmatch(plain) and not whole:
        return f"{plain.replace(',', '.')} or {plain.replace(',', '')}"
    number = _read_number(plain)
    if number is None:
        return _suggest_without_unit(plain, name, whole)
    return as_whole(number) if whole else number


def _to_ascii(text: str) -> str:
    """Digits and signs of any script as plain ones, without what cannot be seen."""
    compatible = unicodedata.normalize("NFKC", text).translate(_MINUS)
    visible = (c for c in compatible if c.isprintable())
    return "".join(str(unicodedata.decimal(c, c)) for c in visible).strip()


def _suggest_without_unit(text: str, name: str, whole: bool) -> str | None:
    match = _WITH_UNIT.fullmatch(text)
    number = _read_number(match[1].strip()) if match else None
    if match is None or number is None:
        return None
    unit = match[2].casefold()
    for end, spellings in UNITS.items():
        if name.endswith(end):
            if unit in spellings:
                return as_whole(number) if whole else number
            return f"the number of {spellings[0]} alone"
    return "the number alone"


def _read_number(text: str) -> str | None:
    """A number in the one way that means the same everywhere; None where it is none."""
    base = _BASES.get(text[:2].lower())
    if base is not None:
        return _read_based(text, base)
    if _AMBIGUOUS.fullmatch(text):
        text = text.replace(",", "")
    elif _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    elif _SEPARATED.fullmatch(text):
        text = re.sub("[_' ]", "", text)
    if not _PLAIN.fullmatch(text):
        return None
    return _ZEROS.sub(r"\1", text)


def _read_based(text: str, base: int) -> str | None:
    try:
        return str(int(text, base))
    except ValueError:
        return None


def as_whole(number: str) -> str | None:
    """The number without a point or an exponent; None where it is not whole."""
    value = float(number)
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else None


def suggest_truth(text: str) -> str | None:
    """`true` or `false` for a word that means it; None for any other."""
    word = unicodedata.normalize("NFKC", text).strip().casefold()
    if word in YES:
        return "true"
    return "false" if word in NO else None
