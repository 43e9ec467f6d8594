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
        text = _replace_number(text, option, number)
    _, mistakes = parse_config(text)
    if mistakes:
        header = "with the new numbers there would be mistakes:"
        raise ConfigError("\n".join([header, *format_mistakes(path, mistakes)]))
    return text


def _replace_number(text: str, option: OptionPath, number: float) -> str:
    *sections, name = option
    node: Any = yaml.compose(text, yaml.SafeLoader)
    for section in sections:
        child = _child(node, section)
        if child is None:
            return f"{text.rstrip()}\n\n{section}:\n  {name}: {number:g}\n"
        node = child
    if not node.value:
        return _splice(text, node, f"{{{name}: {number:g}}}")
    value = _child(node, name)
    if value is not None:
        return _splice(text, value, f"{number:g}")
    return _insert_option(text, node, f"{name}: {number:g}")


def _child(node: Any, part: str | int) -> Node | None:
    """The value of a key, or of a place in a list; None where it is not there."""
    if isinstance(part, int):
        return cast(Node, node.value[part])
    for key, value in node.value:
        if key.value == part:
            return cast(Node, value)
    return None


def _splice(text: str, node: Node, new: str) -> str:
    return text[: node.start_mark.index] + new + text[node.end_mark.index :]


def _insert_option(text: str, node: MappingNode, option: str) -> str:
    """The text with one more option before the first of a section."""
    first = node.value[0][0].start_mark
    separator = ", " if node.flow_style else "\n" + " " * first.column
    return f"{text[: first.index]}{option}{separator}{text[first.index :]}"
