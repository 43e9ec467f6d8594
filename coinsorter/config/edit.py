"""Changes numbers in the text of config.yaml; all else, comments too, stays as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.nodes import MappingNode, Node

from coinsorter.config.load import format_mistakes, load_config, parse_config, read_text
from coinsorter.config.yaml_lines import OptionPath
from coinsorter.errors import ConfigError


def replace_numbers(path: Path, numbers: Mapping[OptionPath, float]) -> str:
    """The text of a settings file with other numbers for some options; the file is not written.

    numbers: by the option's path, such as ("belt", "px_per_mm") or ("bins", 2, "flap", "rest_deg").
    Raises ConfigError where there are mistakes, before or after.
    """
    load_config(path)
    text = read_text(path)
    for option, number in numbers.items():
        text = _replace_number(text, option, f"{number:g}")
    _, mistakes = parse_config(text)
    if mistakes:
        header = "with the new numbers there would be mistakes:"
        lines = [header, *format_mistakes(path, mistakes)]
        raise ConfigError("\n".join(lines))
    return text


def _replace_number(text: str, option: OptionPath, number: str) -> str:
    *sections, name = option
    new = f"{name}: {number}"
    node: Any = yaml.compose(text, yaml.SafeLoader)
    for section in sections:
        child = _child(node, section)
        if child is None:
            return f"{text.rstrip()}\n\n{section}:\n  {new}\n"
        node = child
    if not node.value:
        return _splice(text, node, "{" + new + "}")
    value = _child(node, name)
    if value is not None:
        return _splice(text, value, number)
    return _insert_option(text, node, new)


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


def _insert_option(text: str, section: MappingNode, option: str) -> str:
    """The text with one more option before the first of a section."""
    first_key, _ = section.value[0]
    mark = first_key.start_mark
    separator = ", " if section.flow_style else "\n" + " " * mark.column
    before = text[: mark.index]
    after = text[mark.index :]
    return before + option + separator + after
