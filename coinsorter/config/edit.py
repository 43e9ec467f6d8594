"""Changes numbers in the text of config.yaml; all else, comments too, stays as it is.

What the new text says is compared with what it is to say before anything is written.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from yaml.error import YAMLError
from yaml.nodes import MappingNode, Node

from coinsorter.config.load import format_mistakes, load_config, parse_config, read_text
from coinsorter.config.yaml_lines import OptionPath, format_option
from coinsorter.errors import ConfigError
from coinsorter.files.strict_yaml import compose_yaml, load_yaml


def replace_numbers(path: Path, numbers: Mapping[OptionPath, float]) -> str:
    """The text of a settings file with other numbers for some options; the file is not written.

    numbers: by the option's path, such as ("belt", "px_per_mm") or ("bins", 2, "flap", "rest_deg").
    Raises ConfigError where there are mistakes, before or after.
    """
    load_config(path)
    old_text = text = read_text(path)
    for option, number in numbers.items():
        text = _replace_number(text, option, f"{number:g}")
    _check_changes(path, old_text, text, numbers)
    _, mistakes = parse_config(text)
    if mistakes:
        header = "with the new numbers there would be mistakes:"
        lines = [header, *format_mistakes(path, mistakes)]
        raise ConfigError("\n".join(lines))
    return text


def _check_changes(
    path: Path, old_text: str, new_text: str, numbers: Mapping[OptionPath, float]
) -> None:
    """Raises ConfigError where something else would change too, as what an alias names does."""
    wanted = load_yaml(old_text)
    for option, number in numbers.items():
        _put(wanted, option, float(f"{number:g}"))
    if not _says(new_text, wanted):
        names = ", ".join(format_option(option) for option in numbers)
        what = f"{names} cannot be changed alone, since an alias shares the value"
        raise ConfigError(f"{path}: {what}; write the values out, without & and *")


def _says(text: str, wanted: Any) -> bool:
    try:
        return bool(load_yaml(text) == wanted)
    except YAMLError:
        return False


def _put(values: Any, option: OptionPath, number: float) -> None:
    *sections, name = option
    for section in sections:
        if isinstance(values, dict) and values.get(section) is None:
            values[section] = {}
        values = values[section]
    values[name] = number


def _replace_number(text: str, option: OptionPath, number: str) -> str:
    *sections, name = option
    new = f"{name}: {number}"
    node: Any = compose_yaml(text)
    line_end = "\r\n" if "\r\n" in text else "\n"
    for section in sections:
        child = _child(node, section)
        if child is None:
            lines = [text.rstrip(), "", f"{section}:", f"  {new}", ""]
            return line_end.join(lines)
        node = child
    if not node.value:
        return _splice(text, node, "{" + new + "}")
    value = _child(node, name)
    if value is not None:
        return _splice(text, value, number)
    return _insert_option(text, node, new, line_end)


def _child(node: Any, part: str | int) -> Node | None:
    """The value of a key, or of a place in a list; None where it is not there."""
    if isinstance(part, int):
        return cast(Node, node.value[part])
    for key, value in node.value:
        if key.value == part:
            return cast(Node, value)
    return None


def _splice(text: str, node: Node, new: str) -> str:
    start = node.start_mark.index
    end = node.end_mark.index
    return text[:start] + new + text[end:]


def _insert_option(text: str, section: MappingNode, option: str, line_end: str) -> str:
    """The text with one more option before the first of a section."""
    first_key, _ = section.value[0]
    mark = first_key.start_mark
    separator = ", " if section.flow_style else line_end + " " * mark.column
    before = text[: mark.index]
    after = text[mark.index :]
    return before + option + separator + after
