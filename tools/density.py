"""Print how densely the code is written: syntax-tree nodes per line, and how long functions are.

    python tools/density.py [--json] [--worst N] [FOLDER ...]

A node is any node of Python's own syntax tree but the markers of load and store, which stand for
no text. A line of code holds a token that is neither a comment nor part of a docstring.
A function's length is the number of such lines from its first decorator to its last line; lines
of functions nested in it count towards both. Without FOLDER, `coinsorter` is measured.
Exits with 1 where a bar is missed.
"""

import argparse
import ast
import io
import json
import signal
import statistics
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

MAX_NODES_PER_LINE = 6.5
MAX_MEDIAN_LENGTH = 8
MAX_P90_LENGTH = 24
MAX_COLUMNS = 100

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
}
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Density:
    """What was measured of one or several files."""

    files: int
    lines: int
    nodes_per_line: float
    functions: int
    median_length: float
    p90_length: float
    longest: int
    lines_over_100_columns: int

    @property
    def is_met(self) -> bool:
        """Whether every bar is kept."""
        return (
            self.nodes_per_line <= MAX_NODES_PER_LINE
            and self.median_length <= MAX_MEDIAN_LENGTH
            and self.p90_length <= MAX_P90_LENGTH
            and self.lines_over_100_columns == 0
        )


@dataclass(frozen=True)
class _Source:
    """One parsed file."""

    path: Path
    text: str
    tree: ast.Module
    docstrings: frozenset[ast.stmt]
    code_lines: frozenset[int]


def read_source(path: Path) -> _Source:
    """Parse one file."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, filename=str(path))
    docstrings = frozenset(_docstrings(tree))
    hidden = {n for node in docstrings for n in range(node.lineno, (node.end_lineno or 0) + 1)}
    return _Source(path, text, tree, docstrings, frozenset(_code_lines(text) - hidden))


def measure(sources: list[_Source]) -> Density:
    """Measure files together."""
    lines = sum(len(source.code_lines) for source in sources)
    nodes = sum(_count_nodes(source) for source in sources)
    lengths = [length for source in sources for length, _ in _function_lengths(source)]
    columns = [len(line) for source in sources for line in source.text.splitlines()]
    return Density(
        files=len(sources),
        lines=lines,
        nodes_per_line=round(nodes / max(lines, 1), 2),
        functions=len(lengths),
        median_length=statistics.median(lengths) if lengths else 0,
        p90_length=_percentile(lengths, 0.9),
        longest=max(lengths, default=0),
        lines_over_100_columns=sum(count > MAX_COLUMNS for count in columns),
    )


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if not isinstance(node, _WITH_DOCSTRING) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            if isinstance(first.value.value, str):
                yield first


def _code_lines(text: str) -> set[int]:
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    return found


def _count_nodes(source: _Source) -> int:
    hidden = 2 * len(source.docstrings)  # the expression and its constant
    nodes = ast.walk(source.tree)
    return sum(not isinstance(node, ast.expr_context) for node in nodes) - hidden


def _function_lengths(source: _Source) -> Iterator[tuple[int, ast.FunctionDef]]:
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            span = range(first, (node.end_lineno or first) + 1)
            yield len(source.code_lines.intersection(span)), node


def _percentile(values: list[int], share: float) -> float:
    """The smallest value that the given share of all values does not exceed (nearest rank)."""
    if not values:
        return 0
    ordered = sorted(values)
    rank = max(0, -int(-share * len(ordered) // 1) - 1)
    return ordered[rank]


def _print_worst(sources: list[_Source], count: int) -> None:
    by_file = sorted(sources, key=lambda s: -_count_nodes(s) / max(len(s.code_lines), 1))
    print("densest files, nodes per line:")
    for source in by_file[:count]:
        ratio = _count_nodes(source) / max(len(source.code_lines), 1)
        print(f"  {ratio:5.2f}  {source.path}")
    lengths = [(n, s.path, f) for s in sources for n, f in _function_lengths(s)]
    print("longest functions, lines:")
    for length, path, function in sorted(lengths, key=lambda item: -item[0])[:count]:
        print(f"  {length:5d}  {path}:{function.lineno} {function.name}")


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("coinsorter")])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--worst", type=int, default=0, metavar="N", help="also list the N worst")
    options = parser.parse_args(arguments)
    paths = [
        path
        for folder in options.folders
        for path in (sorted(folder.rglob("*.py")) if folder.is_dir() else [folder])
    ]
    sources = [read_source(path) for path in paths]
    density = measure(sources)
    if options.json:
        print(json.dumps(asdict(density)))
    else:
        bars = {
            "nodes_per_line": MAX_NODES_PER_LINE,
            "median_length": MAX_MEDIAN_LENGTH,
            "p90_length": MAX_P90_LENGTH,
            "lines_over_100_columns": 0,
        }
        for name, value in asdict(density).items():
            bar = f"   (at most {bars[name]})" if name in bars else ""
            print(f"{name.replace('_', ' '):24} {value}{bar}")
        _print_worst(sources, options.worst)
    return 0 if density.is_met else 1


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader such as head may stop early
    sys.exit(main())
