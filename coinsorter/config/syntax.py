"""What keeps a text from being YAML, in a technician's words."""

import re
import unicodedata
from dataclasses import dataclass

import yaml
from yaml.reader import ReaderError

#: Characters that end a line for PyYAML and for no editor (YAML 1.1, section 4.2), and those that
#: show a line in another order than it is read in (Unicode's annex 9). Even in a comment they hide
#: what is in force.
DECEPTIVE = re.compile("[\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: A name whose colon has no space behind it.
_NO_SPACE = re.compile(r"\s*(- *)?[A-Za-z_]\w*:[^\s:]")
_NO_COLON = re.compile(r"\s*[A-Za-z_]\w*([ =]\S*)*$")
#: Names of control characters, which Unicode has none for.
_CONTROL_NAMES = {"\t": "a tab", "\x00": "a zero byte", "\x1b": "escape", "\x85": "next line"}

#: By words in PyYAML's description of a problem what to do about it.
REMEDIES = {
    "mapping values are not allowed": "look at the indentation here and in the line above, and put "
    "text that holds a colon in quotes",
    "could not find expected ':'": "write the option's name, a colon and a space",
    "expected <block end>": "indent this line and the one above as far as the rest of the section",
    "unexpected end of stream": "close the quotes",
    "expected ',' or '}'": "end it with a brace, and write commas between its options",
    "expected ',' or ']'": "end it with a bracket, and write commas between its entries",
    "cannot start any token": "put text that begins with it in quotes",
    "another document": "delete the line of dashes and what follows it",
    "undefined alias": "write the value itself",
    "unknown escape": "put text that holds a backslash in single quotes",
    "special characters": "delete it",
}
#: PyYAML names the end of these; a technician looks for their beginning.
_BEGINNINGS = ("quoted scalar", "flow mapping", "flow sequence", "simple key")


@dataclass(frozen=True)
class SyntaxProblem:
    """Where a text is no YAML, counted from line 1, and what to do about it."""

    line: int
    what: str


def find_deceptive(text: str) -> SyntaxProblem | None:
    """The first character that makes a text look other than it is read; None without any."""
    match = DECEPTIVE.search(text)
    if match is None:
        return None
    line = text.count("\n", 0, match.start()) + 1
    return SyntaxProblem(line, f"holds {name_character(match[0])}; delete it")


def name_character(character: str) -> str:
    """A character as one can look it up: U+00A0, NO-BREAK SPACE."""
    fallback = _CONTROL_NAMES.get(character, "a control character")
    return f"U+{ord(character):04X}, {unicodedata.name(character, fallback)}"


def list_odd_characters(text: str) -> list[str]:
    """Characters that look like others or like nothing, each once: all but plain ASCII."""
    return sorted({c for c in text if not c.isascii() or not c.isprintable()})


def name_look_alikes(text: str) -> str:
    """The odd characters of a text, for the end of a message; "" where there are none."""
    names = [name_character(character) for character in list_odd_characters(text)[:3]]
    return f" (it holds {'; '.join(names)})" if names else ""


def explain_syntax(error: yaml.YAMLError, text: str) -> SyntaxProblem:
    """What an error of PyYAML's means, and the line that has to be changed."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return SyntaxProblem(line, f"holds {name_character(text[error.position])}; delete it")
    problem = getattr(error, "problem", None) or "it cannot be read"
    line = _find_line(error)
    lines = ["", *text.splitlines()]
    for number in (line, line - 1):
        remedy = _find_slip(lines[number]) if 0 < number < len(lines) else None
        if remedy:
            return SyntaxProblem(number, f"{problem}; {remedy}")
    return SyntaxProblem(line, f"{problem}{_find_remedy(problem)}")


def _find_line(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context", None) or ""
    if any(beginning in context for beginning in _BEGINNINGS):
        mark = getattr(error, "context_mark", None) or mark
    return int(mark.line) + 1 if mark else 1


def _find_slip(line: str) -> str | None:
    """What to write instead of a line that cannot be right by itself."""
    code = line.split(" #")[0]
    odd = [character for character in list_odd_characters(code) if not character.isalpha()]
    if odd:
        return f"instead of {name_character(odd[0])} write a plain space or sign"
    if _NO_SPACE.match(code):
        return "write a space behind the colon"
    if _NO_COLON.match(code):
        return "write a colon and a space behind the option's name"
    if code.count("'") % 2 or code.count('"') % 2:
        return "close the quotes"
    return None


def _find_remedy(problem: str) -> str:
    for words, remedy in REMEDIES.items():
        if words in problem:
            return f"; {remedy}"
    return ""
