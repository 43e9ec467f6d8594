"""YAML as plain values, and the line that each of them came from."""

from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

#: Where an option is, such as ("belt", "px_per_mm") or ("bins", 2, "flap", "rest_deg").
OptionPath = tuple[str | int, ...]

#: Levels of a file; settings have four. With aliases a short file can be endless.
MAX_LEVELS = 12
#: Options of a file; settings with all 26 bins have about 400.
MAX_OPTIONS = 5000


@dataclass(frozen=True)
class Mistake:
    """One mistake: the line it is in, counted from 1, the option, and what is wrong with it."""

    line: int
    option: str
    what: str


class UnreadableYamlError(Exception):
    """A text that no options can be read from; `mistake` says where and why."""

    def __init__(self, line: int, option: str, what: str) -> None:
        super().__init__(what)
        self.mistake = Mistake(line, option, what)


def format_option(option: OptionPath) -> str:
    """("bins", 2, "flap", "pin") as bins[2].flap.pin; the empty path as (file)."""
    text = ""
    for part in option:
        if isinstance(part, int):
            text += f"[{part}]"
        elif text:
            text += f".{part}"
        else:
            text = str(part)
    return text or "(file)"


class YamlLines:
    """Reads YAML into plain values and keeps the line of each option.

    mistakes: options that are in the text twice; the first of them counts.
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._lines: dict[OptionPath, int] = {}

    def parse(self, text: str) -> Any:
        """The values in a text: dicts, lists and scalars. Raises UnreadableYamlError."""
        try:
            return self._parse(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = getattr(error, "problem", None) or "is not YAML"
            raise UnreadableYamlError(line, "(file)", f"is not YAML: {problem}") from error
        except RecursionError as error:
            what = "is nested too deeply; nothing in it needs more than four levels"
            raise UnreadableYamlError(1, "(file)", what) from error

    def line(self, option: OptionPath) -> int:
        """The line of an option, or of the nearest part around it that the text has."""
        while option and option not in self._lines:
            option = option[:-1]
        return self._lines.get(option, 1)

    def mistake(self, option: OptionPath, what: str) -> Mistake:
        """A mistake in an option, with its line."""
        line = self.line(option)
        return Mistake(line, format_option(option), what)

    def _parse(self, text: str) -> Any:
        node = yaml.compose(text, yaml.SafeLoader)
        if not isinstance(node, MappingNode):
            what = "holds no options; start from the config.yaml that came with coinsorter"
            raise UnreadableYamlError(1, "(file)", what)
        loader = yaml.SafeLoader(text)
        return self._value(node, (), loader)

    def _value(self, node: Node, option: OptionPath, loader: yaml.SafeLoader) -> Any:
        self._lines.setdefault(option, _line_of(node))
        too_deep = len(option) > MAX_LEVELS
        too_long = len(self._lines) > MAX_OPTIONS
        if too_deep or too_long:
            what = "is nested too deeply or too long; write it without aliases"
            raise UnreadableYamlError(_line_of(node), "(file)", what)
        if isinstance(node, SequenceNode):
            return self._sequence(node, option, loader)
        if isinstance(node, MappingNode):
            return self._mapping(node, option, loader)
        return _scalar(node, option, loader)

    def _sequence(
        self, node: SequenceNode, option: OptionPath, loader: yaml.SafeLoader
    ) -> list[Any]:
        values = []
        for index, child in enumerate(node.value):
            inner = (*option, index)
            values.append(self._value(child, inner, loader))
        return values

    def _mapping(
        self, node: MappingNode, option: OptionPath, loader: yaml.SafeLoader
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key_of(key_node)
            inner = (*option, key)
            if key in values:
                self._report_twice(_line_of(key_node), inner)
                continue
            self._lines[inner] = _line_of(key_node)
            values[key] = self._value(value_node, inner, loader)
        return values

    def _report_twice(self, line: int, option: OptionPath) -> None:
        first_line = self._lines[option]
        what = f"is given twice, first in line {first_line}"
        mistake = Mistake(line, format_option(option), what)
        self.mistakes.append(mistake)


def _scalar(node: Node, option: OptionPath, loader: yaml.SafeLoader) -> Any:
    try:
        return loader.construct_object(node)
    except (ValueError, OverflowError) as error:  # such as a date that does not exist
        what = f"{node.value!r} cannot be read: {error}; put it in quotes"
        raise UnreadableYamlError(_line_of(node), format_option(option), what) from error


def _key_of(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return str(node.value)
    return "?"


def _line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1
