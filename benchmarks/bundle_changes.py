"""Every change of bundle.yaml is refused by name: `python -m benchmarks.bundle_changes`.

Each is of one value and made in the text, so that all else stays as it is: numbers by a digit or by
far, text by a letter, kinds of value, order, keys renamed, left out, added or given twice. Counted
is how many are refused in one line that names bundle.yaml, and how many name the part that was
changed. `--changes 3000` is the full form.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml

from coinsorter.errors import BundleError
from coinsorter.recognition.bundle import load_bundle, read_bundle
from coinsorter.recognition.bundle_files import MANIFEST
from tests.conftest import BRL, CROWNS, EURO

BUNDLES = (CROWNS, BRL, EURO)
#: Of the changes, the share that is also tried as if its owner had sealed it.
SEALED_SHARE = 0.1


@dataclass(frozen=True)
class Span:
    """A piece of the text: a value, or an entry with its key. part: the key at the top."""

    part: str
    start: int
    end: int
    is_entry: bool


@dataclass(frozen=True)
class Change:
    """A changed text. part: the key at the top under which it was changed."""

    kind: str
    part: str
    text: str


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--changes", type=int, default=300, help="of all bundles together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    all_refused = True
    for bundle in BUNDLES:
        count = options.changes // len(BUNDLES)
        all_refused &= try_changes(bundle, count, random.Random(options.seed))
    return 0 if all_refused else 1


def try_changes(path: Path, count: int, rng: random.Random) -> bool:
    """Prints what became of some changes of a bundle; returns whether all were refused by name."""
    text = (path / MANIFEST).read_text(encoding="utf-8")
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(path, Path(folder) / path.name)
        for change in make_changes(text, count, rng):
            outcome = try_change(copy, change)
            counts[outcome] += 1
            counts[f"kind {change.kind}"] += 1
            if outcome == "loaded":
                print(f"{path.name}: {change.kind} in {change.part} loads")
            if rng.random() < SEALED_SHARE:
                counts[f"sealed: {try_sealed(copy, change)}"] += 1
    refused = counts["names the part"] + counts["names bundle.yaml"]
    kinds = ", ".join(f"{key[5:]} {n}" for key, n in sorted(counts.items()) if key[:5] == "kind ")
    print(
        f"{path.name}: {refused} of {count} changes refused by name, {counts['names the part']} of "
        f"them with the part ({kinds}); of {counts['sealed: loads'] + counts['sealed: refused']} "
        f"that were sealed, {counts['sealed: refused']} make no sense and are refused"
    )
    return refused == count


def try_change(folder: Path, change: Change) -> str:
    """What becomes of a bundle with a changed bundle.yaml."""
    (folder / MANIFEST).write_text(change.text, encoding="utf-8")
    try:
        load_bundle(folder)
    except BundleError as error:
        message = str(error)
        is_named = f"bundle {folder}: {MANIFEST} is damaged or was altered" in message
        if not is_named or not message.isprintable():
            return f"refused, but as {message!r}"
        names_part = change.part in message or "it is not YAML" in message
        return "names the part" if names_part else "names bundle.yaml"
    return "loaded"


def try_sealed(folder: Path, change: Change) -> str:
    try:
        read_bundle(folder, change.text.encode())
    except BundleError:
        return "refused"
    return "loads"


def make_changes(text: str, count: int, rng: random.Random) -> Iterator[Change]:
    """Changes of one value each, of all kinds in turn."""
    spans = list(list_spans(text))
    values = [span for span in spans if not span.is_entry]
    entries = [span for span in spans if span.is_entry]
    made = 0
    while made < count:
        kind = list(KINDS)[made % len(KINDS)]
        span = rng.choice(entries if kind in OF_ENTRIES else values)
        piece = text[span.start : span.end]
        new = KINDS[kind](piece, rng)
        if new is None or new == piece:
            continue
        yield Change(kind, span.part, text[: span.start] + new + text[span.end :])
        made += 1


def list_spans(text: str) -> Iterator[Span]:
    """Where the values and the entries of a YAML text are."""
    root = yaml.compose(text)
    for key, value in root.value:
        yield from _list_below(value, key.value)
    yield from _list_entries(root.value, None)


def _list_below(node: yaml.Node, part: str) -> Iterator[Span]:
    if isinstance(node, yaml.ScalarNode):
        yield Span(part, node.start_mark.index, node.end_mark.index, is_entry=False)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _list_below(value, part)
        yield from _list_entries(node.value, part)
    else:
        for value in node.value:
            yield from _list_below(value, part)


def _list_entries(
    entries: list[tuple[yaml.ScalarNode, yaml.Node]], part: str | None
) -> Iterator[Span]:
    """An entry goes to where the next one begins; the last one is left out."""
    for (key, _), (following, _) in pairwise(entries):
        yield Span(part or key.value, key.start_mark.index, following.start_mark.index, True)


# --- kinds of changes: a piece of text -> another, None where it is of another kind -----------


def change_digit(piece: str, rng: random.Random) -> str | None:
    places = [place for place, letter in enumerate(piece) if letter.isdigit()]
    if not places or not _is_number(piece):
        return None
    place = rng.choice(places)
    digit = rng.choice([digit for digit in "0123456789" if digit != piece[place]])
    new = piece[:place] + digit + piece[place + 1 :]
    return new if _is_number(new) and float(new) != float(piece) else None


def scale_number(piece: str, rng: random.Random) -> str | None:
    if not _is_number(piece):
        return None
    value = float(piece) * rng.choice([-1, 0, 0.1, 0.5, 0.999, 1.001, 2, 10, 1e6])
    return None if value == float(piece) else repr(value)


def replace_number(piece: str, rng: random.Random) -> str | None:
    words = [".nan", ".inf", "-.inf", "null", "true", "0", "[]", "{}", "yes", "1e400"]
    return rng.choice(words) if _is_number(piece) else None


def turn_into_text(piece: str, rng: random.Random) -> str | None:
    return f"'{piece}'" if _is_number(piece) or piece in ("true", "false", "null") else None


def change_letter(piece: str, rng: random.Random) -> str | None:
    places = [place for place, letter in enumerate(piece) if letter.isalpha()]
    if not places or _is_number(piece):
        return None
    place = rng.choice(places)
    letter = rng.choice([letter for letter in "abcxyzABCXYZ" if letter != piece[place]])
    return piece[:place] + letter + piece[place + 1 :]


def shorten_text(piece: str, rng: random.Random) -> str | None:
    is_text = len(piece) > 2 and piece.isalnum() and not _is_number(piece)
    return piece[:-1] if is_text else None


def flip_truth(piece: str, rng: random.Random) -> str | None:
    return {"true": "false", "false": "true", "null": "1"}.get(piece)


def remove_entry(piece: str, rng: random.Random) -> str | None:
    return ""


def repeat_entry(piece: str, rng: random.Random) -> str | None:
    return piece + piece


def rename_key(piece: str, rng: random.Random) -> str | None:
    return f"x{piece}" if piece[0].isalpha() else None


def add_key(piece: str, rng: random.Random) -> str | None:
    indent = piece[len(piece.rstrip(" ")) :]
    return f"surprise: {rng.randrange(100)}\n{indent}{piece}" if piece[-1] in " \n" else None


def swap_lines(piece: str, rng: random.Random) -> str | None:
    """Two neighbouring lines of one depth change places, such as two labels' values."""
    lines = piece.splitlines(keepends=True)
    depths = [len(line) - len(line.lstrip(" -")) for line in lines]
    places = [
        n for n in range(1, len(lines) - 1) if depths[n] == depths[n + 1] and lines[n + 1].strip()
    ]
    if not places:
        return None
    place = rng.choice(places)
    lines[place], lines[place + 1] = lines[place + 1], lines[place]
    return "".join(lines)


def _is_number(piece: str) -> bool:
    try:
        float(piece)
    except ValueError:
        return False
    return True


KINDS: dict[str, Callable[[str, random.Random], str | None]] = {
    "digit": change_digit,
    "scaled": scale_number,
    "no number": replace_number,
    "number as text": turn_into_text,
    "letter": change_letter,
    "shorter": shorten_text,
    "truth": flip_truth,
    "left out": remove_entry,
    "twice": repeat_entry,
    "renamed": rename_key,
    "added": add_key,
    "swapped": swap_lines,
}
#: Kinds that are of an entry with its key, not of a value.
OF_ENTRIES = ("left out", "twice", "renamed", "added", "swapped")


if __name__ == "__main__":
    sys.exit(main())
