"""An option that the schema refuses -> what is wrong with it and what to write instead."""

import difflib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from coinsorter.config.schema import Config
from coinsorter.config.syntax import name_look_alikes
from coinsorter.config.wording import as_whole, quote, shorten, suggest_number, suggest_truth
from coinsorter.config.yaml_lines import OptionPath, Written, format_option

#: By the type of a pydantic error what a technician reads; `written` is the value as it stands in
#: the file. docs.pydantic.dev/latest/errors/validation_errors names the types.
MESSAGES = {
    "missing": "is missing",
    "int_type": "{written} is not a whole number",
    "int_from_float": "{written} is not a whole number",
    "float_type": "{written} is not a number",
    "finite_number": "{input!r} is not a finite number",
    "string_type": "{written} is not text; put it in quotes",
    "bool_type": "{written} is neither true nor false",
    "list_type": "is not a list; begin each entry with a dash",
    "model_type": "has no options in it; indent them below it",
    "int_parsing": "{written} is not a whole number",
    "float_parsing": "{written} is not a number",
    "tuple_type": "is not a list; begin each entry with a dash",
    "greater_than": "{written} is not above {gt:g}",
    "less_than": "{written} is not below {lt:g}",
    "multiple_of": "{written} is no multiple of {multiple_of:g}",
    "value_error": "{error}",
    "greater_than_equal": "{written} is below {ge:g}",
    "less_than_equal": "{written} is above {le:g}",
    "literal_error": "{written} is none of {expected}",
    "too_short": "is empty; list at least one",
    "too_long": "has {actual_length} entries; there may be {max_length}",
    "string_too_short": "is empty",
    "string_too_long": "{written} is longer than {max_length} characters",
    "string_pattern_mismatch": "{written} is not a plain name of letters, digits, - _ and .",
    "string_unicode": "{written} is not text; write it in plain letters",
    "odd_text": "{written} {problem}",
}
NUMBERS = {"int_type", "int_from_float", "float_type", "int_parsing", "float_parsing"}
#: Words that people write for null.
NOTHING = {"none", "nil", "nul", "never", "off", "no", "-", "n/a", "undefined"}
#: How alike a choice must be to be suggested, by difflib's ratio.
MIN_SIMILARITY = 0.75
_ZERO_FIRST = re.compile(r"[-+]?0[0-9]")


def explain_error(
    detail: ErrorDetails, written: Written | None, model: type[BaseModel] = Config
) -> str:
    """A pydantic error in a technician's words.

    written: the value in the file; None where it is a section, a list or missing. model: of all
    that the file says.
    """
    kind = detail["type"]
    option = detail["loc"]
    if kind == "extra_forbidden":
        return "is no option" + _suggest_option(option, detail["input"], model)
    message = MESSAGES.get(kind)
    if message is None:
        return shorten(detail["msg"])
    context = detail.get("ctx", {})
    value_text = _show(written, detail["input"])
    text = message.format(input=detail["input"], written=value_text, **context)
    if written is None:
        return text
    is_null = detail["input"] is None
    if is_null and (kind != "string_type" or not written.text):
        return "has no value; write one, or delete the option"
    remedy = _suggest_value(kind, option, written, context)
    if written.text.casefold() in NOTHING and _may_be_null(option, model):
        remedy = "null"
    if remedy is not None and _begins_with_zero(written):
        return f"{shorten(written.text)} begins with a zero: write {remedy}"
    return text if remedy is None else f"{text}: write {remedy}"


def _show(written: Written | None, value: Any) -> str:
    """A value as it stands in the file, in quotes where it is text."""
    if written is None:
        return "a section" if isinstance(value, dict) else quote(value)
    is_text = isinstance(value, str) or not written.text.isprintable()
    return quote(written.text) if is_text or not written.text else shorten(written.text)


def _may_be_null(option: OptionPath, model: type[BaseModel]) -> bool:
    """Whether an option has null for its default."""
    section: Any = model
    for part in option[:-1]:
        if isinstance(part, str):
            kind = _list_fields(section)[part].annotation
            section = getattr(kind, "__args__", (kind,))[0]
    is_model = isinstance(section, type) and issubclass(section, BaseModel)
    field = _list_fields(section).get(str(option[-1])) if is_model else None
    return field is not None and field.default is None


def _list_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The options of a section, by their names and by those in the file."""
    fields = dict(model.model_fields)
    return fields | {field.alias: field for field in fields.values() if field.alias}


def _begins_with_zero(written: Written) -> bool:
    return written.plain and _ZERO_FIRST.match(written.text) is not None


def _suggest_value(
    kind: str, option: OptionPath, written: Written, context: dict[str, Any]
) -> str | None:
    """What to write instead of a value; None where it does not show."""
    name = str(option[-1])
    if kind in NUMBERS:
        number = suggest_number(written.text, name, whole=kind.startswith("int"))
        quoted = not written.plain and number == written.text
        return f"{number} without quotes" if quoted else number
    if kind == "bool_type":
        return suggest_truth(written.text)
    if kind == "literal_error":
        choice = _suggest_choice(written.text, str(context["expected"]))
        hint = name_look_alikes(written.text)
        return f"{choice or 'plain letters'}{hint}" if choice or hint else None
    return None


def _suggest_choice(text: str, expected: str) -> str | None:
    choices = [choice.strip("' ") for choice in expected.replace(" or ", ",").split(",")]
    if text.lstrip("0") in choices:
        return text.lstrip("0")
    similar = difflib.get_close_matches(shorten(text).casefold(), choices, 1, MIN_SIMILARITY)
    if similar:
        return similar[0]
    number = as_whole(text) if text.replace(".", "", 1).isdecimal() else None
    return number if number in choices else None


def _suggest_option(option: OptionPath, value: Any, model: type[BaseModel]) -> str:
    *section, name = option
    sections = list_sections(model)
    names = sections[tuple(part for part in section if isinstance(part, str))]
    if name == "<<":
        return "; merged sections are not read: write the options themselves"
    if str(name).isdecimal() and value is None:
        return "; decimals are written with a point"
    hint = name_look_alikes(str(name))
    homes = [format_option(home) for home, there in sections.items() if name in there]
    similar = difflib.get_close_matches(shorten(str(name)).strip().casefold(), names, 1)
    if homes:
        return f"{hint} here; it is one of {homes[0]}: look at its indentation"
    if similar:
        return f"; did you mean {similar[0]}?{hint}"
    return f"{hint}; there are {', '.join(names)}"


@cache
def list_sections(model: type[BaseModel]) -> dict[tuple[str, ...], list[str]]:
    """By section, such as ("bins", "flap") for each bins[2].flap, the names of its options."""
    return dict(_walk_sections(model, ()))


def _walk_sections(
    model: type[BaseModel], section: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    yield section, list(fields)
    for name, field in fields.items():
        kind: Any = getattr(field.annotation, "__args__", (field.annotation,))[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _walk_sections(kind, (*section, name))
