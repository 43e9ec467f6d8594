"""YAML that means what is written, whoever wrote it: plain values, within limits.

Scalars follow the core schema of YAML 1.2.2 (yaml.org/spec/1.2.2, section 10.3): `no`, `1:30`,
`2026-11-26` and `1_000` are text. So is a number that begins with a zero, such as `0250`: YAML 1.1
read it as octal. Tags build no objects.
"""

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.error import Mark, MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

#: Levels of a text; the deepest of ours, a recipe in a manifest, has five.
MAX_LEVELS = 16
#: Values in a text, those of aliases each time they are named.
MAX_VALUES = 20_000
#: Digits of a whole number: any more, and it is no 64-bit number.
MAX_DIGITS = 18

_STANDARD = "tag:yaml.org,2002:"
_INT = rf"[-+]?(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})|0x[0-9a-fA-F]{{1,15}}"
_FLOAT = (
    r"[-+]?(0|[1-9][0-9]*)\.[0-9]*([eE][-+]?[0-9]+)?"
    r"|[-+]?\.[0-9]+([eE][-+]?[0-9]+)?"
    r"|[-+]?(0|[1-9][0-9]*)[eE][-+]?[0-9]+"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
#: What Windows' editors write before a text.
BYTE_ORDER_MARK = "\ufeff"
#: Spaces and a comment: all that is no line break or the end.
_BLANK = re.compile("(?: *(?:#[^\0\r\n\x85\u2028\u2029]*)?)")
_RESOLVERS = (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
)


#: Line breaks that only YAML 1.1 knows: next line, line and paragraph separator.
_LINE_BREAKS = "\x85\u2028\u2029"


class _Resolver(BaseResolver):
    """Says by its look which kind of value a plain scalar is."""


for _kind, _pattern, _first in _RESOLVERS:
    _Resolver.add_implicit_resolver(
        _STANDARD + _kind, re.compile(rf"(?:{_pattern})\Z"), list(_first)
    )


class StrictLoader(Reader, Scanner, Parser, Composer, SafeConstructor, _Resolver):
    """A loader for PyYAML. Raises yaml.YAMLError where a text is not what it may be.

    max_values: values that the text may hold.
    """

    def __init__(self, text: str | bytes, max_values: int = MAX_VALUES) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        _Resolver.__init__(self)
        self._level = 0
        self._count = 0
        self._max_values = max_values

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """The next value with all that is in it; too deep, too many and tagged ones are refused."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._count += 1
        check_bounds(self._level, self._count, event.start_mark, self._max_values)
        if getattr(event, "tag", None) not in (None, "!"):
            raise MarkedYAMLError(
                problem="tags are not read; leave it out", problem_mark=event.start_mark
            )
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        return node

    def scan_to_next_token(self) -> None:
        """Skips spaces, comments and line breaks: as PyYAML does, but not letter by letter."""
        if self.index == 0 and self.peek() == BYTE_ORDER_MARK:
            self.forward()
        self._skip_blank()
        while self.scan_line_break():  # type: ignore[no-untyped-call]
            if not self.flow_level:
                self.allow_simple_key = True
            self._skip_blank()

    def _skip_blank(self) -> None:
        match = _BLANK.match(self.buffer, self.pointer)
        length = match.end() - self.pointer if match else 0
        self.pointer += length
        self.index += length
        self.column += length


def check_bounds(level: int, count: int, mark: Mark, max_values: int = MAX_VALUES) -> None:
    """Raises yaml.YAMLError for a value too deep in a text, or one too many in it."""
    if level > MAX_LEVELS:
        raise MarkedYAMLError(problem="it is nested too deeply", problem_mark=mark)
    if count > max_values:
        raise MarkedYAMLError(problem="it holds too many values", problem_mark=mark)


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as something else."""


for _kind, _pattern, _first in _RESOLVERS:
    _Dumper.add_implicit_resolver(_STANDARD + _kind, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def dump_yaml(value: Any, width: int) -> str:
    """Plain values as a text that `load_yaml`, and any other reader of YAML, reads as the same.

    width: columns that lines are wrapped at. Keys stay in their order.
    """
    text = _dump(value, width, allow_unicode=True)
    if any(mark in text for mark in _LINE_BREAKS):  # PyYAML folds them, and so loses them
        text = _dump(value, width, allow_unicode=False)
    return text


def _dump(value: Any, width: int, allow_unicode: bool) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=width
    )
    return text


def load_yaml(text: str | bytes) -> Any:
    """The values in a text: dicts, lists, str, int, float, bool and None.

    Raises yaml.YAMLError where it is not YAML, goes over the limits, or has a key twice.
    """
    loader = StrictLoader(text)
    node = loader.get_single_node()
    return None if node is None else _Builder(loader).build(node, 0)


def compose_yaml(text: str | bytes) -> Node | None:
    """The nodes of a text, each with its place in it; None where it is empty.

    Raises yaml.YAMLError as `load_yaml` does, but not for a key that is there twice.
    """
    node: Node | None = StrictLoader(text).get_single_node()
    return node


class _Builder:
    """Nodes -> values; what aliases name is counted each time."""

    def __init__(self, loader: StrictLoader) -> None:
        self._loader = loader
        self._count = 0

    def build(self, node: Node, level: int) -> Any:
        self._count += 1
        check_bounds(level, self._count, node.start_mark)
        if isinstance(node, SequenceNode):
            return [self.build(child, level + 1) for child in node.value]
        if isinstance(node, MappingNode):
            return self._build_mapping(node, level)
        return self._loader.construct_object(node)

    def _build_mapping(self, node: MappingNode, level: int) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise MarkedYAMLError(
                    problem="a key is no plain value", problem_mark=key_node.start_mark
                )
            key = self._loader.construct_object(key_node)
            if key in values:
                raise MarkedYAMLError(
                    problem=f"{key!r} is given twice", problem_mark=key_node.start_mark
                )
            values[key] = self.build(value_node, level + 1)
        return values
