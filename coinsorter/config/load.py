"""Reads config.yaml into checked settings; reports every mistake at once, each with its line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from coinsorter.config.checks import SizedLabel, find_contradictions
from coinsorter.config.explain import explain_error
from coinsorter.config.schema import Config
from coinsorter.config.yaml_lines import Mistake, OptionPath, UnreadableYamlError, YamlLines
from coinsorter.errors import ConfigError
from coinsorter.files.bounded import read_bounded
from coinsorter.files.strict_yaml import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from coinsorter.vision.crop import CropSpec

#: Settings, None where they make no sense, and the mistakes in them.
ConfigAndMistakes = tuple[Config | None, list[Mistake]]

_HEXADECIMAL = re.compile("0x[0-9a-fA-F]+")

#: Bytes that are read of a settings file; the shipped one has 8 kB, most of it comments.
MAX_BYTES = 100_000


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


def read_config(
    path: Path,
    labels: Mapping[str, SizedLabel] | None = None,
    crop: "CropSpec | None" = None,
) -> ConfigAndMistakes:
    """The settings in a file and every mistake in it; None instead of settings without sense.

    labels, crop: those of the bundle in use, to check bins and view against; None where there is no
    bundle. Raises ConfigError where the file itself cannot be read.
    """
    return parse_config(read_text(path), labels, crop)


def parse_config(
    text: str,
    labels: Mapping[str, SizedLabel] | None = None,
    crop: "CropSpec | None" = None,
) -> ConfigAndMistakes:
    """The same as `read_config`, of a text."""
    lines = YamlLines()
    try:
        values = lines.parse(text)
    except UnreadableYamlError as error:
        return None, [error.mistake]
    config, details = _validate(values)
    mistakes = list(lines.mistakes)
    for detail in details:
        what = explain_error(detail, lines.written(detail["loc"]))
        mistakes.append(lines.mistake(detail["loc"], what))
    mistakes += _find_hexadecimal(lines, details)
    rest = _validate_rest(values, details) if details else config
    if rest is not None:
        for option, what in find_contradictions(rest, labels, crop):
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
        return read_bounded(path, MAX_BYTES).decode().removeprefix(BYTE_ORDER_MARK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}; name a file with --config") from error


def _find_hexadecimal(lines: YamlLines, details: list[ErrorDetails]) -> list[Mistake]:
    """Numbers such as 0x1F; only an address on a bus is written so."""
    wrong = {detail["loc"] for detail in details}
    mistakes = []
    for option, written in lines.list_written():
        is_number = written.plain and _HEXADECIMAL.fullmatch(written.text)
        if is_number and option not in wrong and not str(option[-1]).endswith("_address"):
            what = f"{written.text} is hexadecimal: write {int(written.text, 16)}"
            mistakes.append(lines.mistake(option, what))
    return mistakes


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
