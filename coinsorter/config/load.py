"""Reads config.yaml into checked settings; reports every mistake at once, each with its line."""

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from coinsorter.config.checks import find_contradictions
from coinsorter.config.schema import Config
from coinsorter.config.yaml_lines import Mistake, OptionPath, UnreadableYamlError, YamlLines
from coinsorter.errors import ConfigError

#: Settings, None where they make no sense, and the mistakes in them.
ConfigAndMistakes = tuple[Config | None, list[Mistake]]

#: By the type of a pydantic error what a technician reads.
#: docs.pydantic.dev/latest/errors/validation_errors names the types.
MESSAGES = {
    "missing": "is missing",
    "int_type": "{input!r} is not a whole number",
    "int_from_float": "{input!r} is not a whole number",
    "float_type": "{input!r} is not a number",
    "finite_number": "{input!r} is not a finite number",
    "string_type": "{input!r} is not text; put it in quotes",
    "bool_type": "{input!r} is neither true nor false",
    "list_type": "is not a list; begin each entry with a dash",
    "model_type": "has no options in it; indent them below it",
    "greater_than_equal": "{input:g} is below {ge:g}",
    "less_than_equal": "{input:g} is above {le:g}",
    "literal_error": "{input!r} is none of {expected}",
    "too_short": "is empty; list at least one",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "{input!r} is not a plain name of letters, digits, - _ and .",
}


def load_config(path: Path) -> Config:
    """The settings in a file.

    Raises ConfigError with every mistake in it, a line each, such as
    `config.yaml:14: bins[2].flap.open_deg: 220 is above 180`.
    """
    config, mistakes = read_config(path)
    if config is None or mistakes:
        lines = format_mistakes(path, mistakes)
        raise ConfigError("\n".join(lines))
    return config


def read_config(path: Path, labels: Collection[str] | None = None) -> ConfigAndMistakes:
    """The settings in a file and every mistake in it; None instead of settings without sense.

    labels: those of the bundle in use, to check the bins against; None where there is no bundle.
    Raises ConfigError where the file itself cannot be read.
    """
    return parse_config(read_text(path), labels)


def parse_config(text: str, labels: Collection[str] | None = None) -> ConfigAndMistakes:
    """The same as `read_config`, of a text."""
    lines = YamlLines()
    try:
        values = lines.parse(text)
    except UnreadableYamlError as error:
        return None, [error.mistake]
    config, details = _validate(values)
    mistakes = list(lines.mistakes)
    for detail in details:
        mistake = lines.mistake(detail["loc"], _explain(detail))
        mistakes.append(mistake)
    rest = _validate_rest(values, details) if details else config
    if rest is not None:
        for option, what in find_contradictions(rest, labels):
            mistake = lines.mistake(option, what)
            mistakes.append(mistake)
    return config, mistakes


def locate_mistake(path: Path, option: OptionPath, what: str) -> Mistake:
    """A mistake with its line in a file, for one that shows only when the option is used."""
    lines = YamlLines()
    lines.parse(read_text(path))
    return lines.mistake(option, what)


def format_mistakes(path: Path, mistakes: list[Mistake]) -> list[str]:
    """The mistakes as a technician reads them, one line each, in the order of the file."""
    ordered = sorted(mistakes, key=_place)
    return [f"{path}:{_format_mistake(mistake)}" for mistake in ordered]


def _place(mistake: Mistake) -> tuple[int, str]:
    return mistake.line, mistake.option


def _format_mistake(mistake: Mistake) -> str:
    return f"{mistake.line}: {mistake.option}: {mistake.what}"


def read_text(path: Path) -> str:
    """The text of a settings file. Raises ConfigError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}; name a file with --config") from error


def _validate(values: Any) -> tuple[Config | None, list[ErrorDetails]]:
    try:
        return Config.model_validate(values), []
    except ValidationError as error:
        return None, error.errors()


def _validate_rest(values: Any, details: list[ErrorDetails]) -> Config | None:
    """Settings without the wrong options: contradictions among the rest show in the same run."""
    for detail in details:
        _remove(values, detail["loc"])
    return _validate(values)[0]


def _remove(values: Any, option: OptionPath) -> None:
    """Takes an option out of the values, where it is in them."""
    *section, name = option
    for part in section:
        inside = isinstance(values, list) or part in values
        values = values[part] if inside else {}
    if isinstance(values, dict):
        values.pop(name, None)


def _explain(detail: ErrorDetails) -> str:
    """A pydantic error in a technician's words."""
    if detail["type"] == "extra_forbidden":
        return "is no option" + _suggest_option(detail["loc"])
    message = MESSAGES.get(detail["type"])
    if message is None:
        return detail["msg"]
    context = detail.get("ctx", {})
    return message.format(input=detail["input"], **context)


def _suggest_option(option: OptionPath) -> str:
    *section, name = option
    names = _options_in(section)
    similar = difflib.get_close_matches(str(name), names, 1)
    if similar:
        return f"; did you mean {similar[0]}?"
    return f"; there are {', '.join(names)}"


def _options_in(section: Iterable[str | int]) -> list[str]:
    model: Any = Config
    for part in section:
        if not isinstance(part, int):
            annotation = model.model_fields[part].annotation
            model = getattr(annotation, "__args__", (annotation,))[0]
    return list(model.model_fields)
