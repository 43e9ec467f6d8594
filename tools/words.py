"""Print private words in names and docstrings, where the field has a word of its own.

    python tools/words.py [--json] [FOLDER ...]

Names are those of modules, classes, functions, arguments, variables and attributes. The
glossary (docs/glossary.md) has the words to use. Without FOLDER, `coinsorter` is searched.
Exits with 1 where anything is found.
"""

import argparse
import ast
import json
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

#: Parts of a name, between underscores or capitals, and what to say instead.
PARTS = {
    "picture": "image, frame or crop",
    "pictures": "images, frames or crops",
    "told": "a verb for a function, a noun for a value",
    "asked": "a verb for a function, a noun for a value",
    "strange": "ood, foreign",
    "stranger": "ood, foreign",
    "strangers": "ood, foreign",
    "spread": "std, sem or mad_std",
    "spreads": "std, sem or mad_std",
    "sister": "fold",
    "sisters": "folds",
    "blemish": "defect",
    "blemishes": "defects",
    "blemished": "defective",
    "inspector": "defect_detector",
    "inspectors": "defect_detectors",
    "lifted": "gamma_lut",
    "sunk": "inverse_gamma_lut",
    "slack": "margin",
    "knobs": "settings",
    "facts": "manifest",
    "tally": "statistics",
    "shelf": "crop_store",
    "witnesses": "sensor_checks",
    "anew": "again",
    "nobody": "",
    "somebody": "",
}
#: Whole names of functions, variables and arguments.
NAMES = {
    "told", "asked", "found", "given", "made", "drawn", "shown", "kept", "also", "by_picture",
}  # fmt: skip
#: First parts of constants.
CONSTANTS = {"LEAST": "MIN", "MOST": "MAX", "FEWEST": "MIN", "WORST": "MAX"}
#: Names of modules.
MODULES = {
    "shelf", "material", "tally", "sides", "journal", "judged", "answers", "whole", "bar", "page",
    "silence", "chip", "looking", "witnesses", "travel", "jog", "strange", "blemishes", "picture",
}  # fmt: skip
#: Words and phrases in docstrings.
PROSE = re.compile(
    r"\b(pictures?|make-believe|anew|nobody|somebody|strangers?|blemish\w*|inspectors?|sisters?"
    r"|lifted|sunk|the less|the more so|slack|knobs?|shelf|tally|witness\w*|spreads?)\b",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class PrivateWord:
    """One private word: where it stands, what holds it, and what to say instead."""

    path: str
    line: int
    word: str
    context: str
    instead: str


def find_private_words(path: Path) -> Iterator[PrivateWord]:
    """Every private word of one Python file."""
    if path.stem in MODULES:
        yield PrivateWord(str(path), 1, path.stem, path.name, "another module name")
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        for name in _names_bound(node):
            yield from _check_name(path, node, name)
        if isinstance(node, _DOCUMENTED):
            yield from _check_docstring(path, node)


def _names_bound(node: ast.AST) -> Iterator[str]:
    """The names that a node gives to something."""
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name
        case ast.arg():
            yield node.arg
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.Attribute(ctx=ast.Store()):
            yield node.attr
        case ast.alias(asname=str()):
            yield str(node.asname)
        case ast.ExceptHandler(name=str()):
            yield str(node.name)


def _check_name(path: Path, node: ast.AST, name: str) -> Iterator[PrivateWord]:
    line = getattr(node, "lineno", 1)
    bare = name.strip("_")
    if bare.lower() in NAMES:
        yield PrivateWord(str(path), line, bare, name, "what it is")
        return
    first = bare.split("_")[0]
    if bare.isupper() and first in CONSTANTS:
        yield PrivateWord(str(path), line, first, name, CONSTANTS[first])
    for part in _SPLIT.findall(bare):
        if part.lower() in PARTS:
            yield PrivateWord(str(path), line, part, name, PARTS[part.lower()])


def _check_docstring(path: Path, node: ast.AST) -> Iterator[PrivateWord]:
    assert isinstance(node, _DOCUMENTED)
    text = ast.get_docstring(node, clean=False)
    if not text:
        return
    start = node.body[0].lineno
    without_code = re.sub(r"`[^`]*`", lambda code: " " * len(code.group()), text)
    for word in PROSE.finditer(without_code):
        line = start + text[: word.start()].count("\n")
        context = text.splitlines()[line - start].strip()
        yield PrivateWord(str(path), line, word.group(), context, "see docs/glossary.md")


def main(arguments: list[str] | None = None) -> int:
    """Print what is found; 1 where there is anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("coinsorter")])
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args(arguments)
    paths = [
        path
        for folder in options.folders
        for path in (sorted(folder.rglob("*.py")) if folder.is_dir() else [folder])
    ]
    words = [word for path in paths for word in find_private_words(path)]
    if options.json:
        print(json.dumps([asdict(word) for word in words]))
        return 1 if words else 0
    for word in words:
        hint = f" -> {word.instead}" if word.instead else ""
        print(f"{word.path}:{word.line}: {word.word}{hint}: {word.context}")
    print(f"{len(words)} private words in {len(paths)} files")
    return 1 if words else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader such as head may stop early
    sys.exit(main())
