"""YAML as plain values, and the line that each of them came from."""

from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from coinsorter.config.syntax import explain_syntax, find_deceptive
from coinsorter.config.wording import quote, shorten
from coinsorter.files.strict_yaml import StrictLoader

#: Where an option is, such as ("belt", "px_per_mm") or ("bins", 2, "flap", "rest_deg").
OptionPath = tuple[str | int, ...]

#: Levels of a file; settings have four. With aliases a short file can be endless.
MAX_LEVELS = 12
#: Options of a file; settings with all 26 bins have about 400.
MAX_OPTIONS = 5000
#: What to do about a file without options.
START_REMEDY = "start from the config.yaml that came with coinsorter"


@dataclass(frozen=True)
class Mistake:
    """One mistake: the line it is in, counted from 1, the option, and what is wrong with it."""

    line: int
    option: str
    what: str


@dataclass(frozen=True)
class Written:
    """A value as it stands in the text. plain: without quotes."""

    text: str
    plain: bool


class UnreadableYamlError(Exception):
    """A text that no options can be read from; `mistake` says where and why."""

    def __init__(self, line: int, option: str, what: str) -> None:
        super().__init__(what)
        self.mistake = Mistake(line, option, what)


def format_option(option: OptionPath) -> str:
    """("bins", 2, "flap", "pin") as bins[2].flap.pin; the empty path as (file).

    Names with odd characters are quoted, and long ones cut.
    """
    text = ""
    for part in option:
        if isinstance(part, int):
            text += f"[{part}]"
        elif text:
            text += f".{_format_name(part)}"
        else:
            text = _format_name(part)
    return text or "(file)"


def _format_name(name: str) -> str:
    is_plain = name.isascii() and name.isprintable() and name == name.strip() != ""
    return shorten(name) if is_plain else quote(name)


class YamlLines:
    """Reads YAML into plain values and keeps the line of each option.

    mistakes: options that are in the text twice, of which the first counts, and values that go on
    in the next line. remedy: what to do about a text without options. may_fold: values may go on.
    """

    def __init__(self, remedy: str = START_REMEDY, may_fold: bool = False) -> None:
        self._remedy = remedy
        self._may_fold = may_fold
        self.mistakes: list[Mistake] = []
        self._lines: dict[OptionPath, int] = {}
        self._written: dict[OptionPath, Written] = {}

    def parse(self, text: str) -> Any:
        """The values in a text: dicts, lists and scalars. Raises UnreadableYamlError."""
        deceptive = find_deceptive(text)
        if deceptive:
            raise UnreadableYamlError(deceptive.line, "(file)", deceptive.what)
        try:
            return self._parse(text)
        except yaml.YAMLError as error:
            problem = explain_syntax(error, text)
            what = f"is not YAML: {problem.what}"
            raise UnreadableYamlError(problem.line, "(file)", what) from error

    def line(self, option: OptionPath) -> int:
        """The line of an option, or of the nearest part around it that the text has."""
        while option and option not in self._lines:
            option = option[:-1]
        return self._lines.get(option, 1)

    def written(self, option: OptionPath) -> Written | None:
        """How the value of an option is written; None for a section, a list or nothing."""
        return self._written.get(option)

    def list_written(self) -> list[tuple[OptionPath, Written]]:
        """Every value that is no section and no list, as it is written."""
        return list(self._written.items())

    def mistake(self, option: OptionPath, what: str) -> Mistake:
        """A mistake in an option, with its line."""
        line = self.line(option)
        return Mistake(line, format_option(option), what)

    def _parse(self, text: str) -> Any:
        loader = StrictLoader(text, max_values=2 * MAX_OPTIONS)  # names and values
        node = loader.get_single_node()
        if not isinstance(node, MappingNode):
            raise UnreadableYamlError(1, "(file)", f"holds no options; {self._remedy}")
        return self._value(node, (), loader)

    def _value(self, node: Node, option: OptionPath, loader: StrictLoader) -> Any:
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
        return self._scalar(node, option, loader)

    def _sequence(self, node: SequenceNode, option: OptionPath, loader: StrictLoader) -> list[Any]:
        values = []
        for index, child in enumerate(node.value):
            inner = (*option, index)
            values.append(self._value(child, inner, loader))
        return values

    def _mapping(
        self, node: MappingNode, option: OptionPath, loader: StrictLoader
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

    def _scalar(self, node: Any, option: OptionPath, loader: StrictLoader) -> Any:
        is_folded = node.end_mark.line > node.start_mark.line and node.style in (None, "'", '"')
        if is_folded and not self._may_fold:
            what = f"{quote(node.value)} goes on in the next line; write it in one"
            self.mistakes.append(Mistake(_line_of(node), format_option(option), what))
        self._written[option] = Written(node.value, plain=node.style is None)
        return loader.construct_object(node)

    def _report_twice(self, line: int, option: OptionPath) -> None:
        first_line = self._lines[option]
        what = f"is given twice, first in line {first_line}; delete one of them"
        mistake = Mistake(line, format_option(option), what)
        self.mistakes.append(mistake)


def _key_of(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return str(node.value)
    return "?"


def _line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1
