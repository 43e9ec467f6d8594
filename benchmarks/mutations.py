"""Mutated settings are refused by name, or make a machine that can sort.

`python -m benchmarks.mutations --count 100000` is the whole study; without options it is short.
Each mutation is made of the shipped config.yaml and its own number, so that `--only NUMBER` shows
it again. It is read as `coinsorter check` reads it, and every `--command-every`-th by the command
itself. What is accepted has to make a machine that can turn a coin into each of its bins (see
`benchmarks.reachability`). Prints figures, and exits with 1 where a mutation ends in a traceback,
takes longer than 2 s, takes more than 200 MB or makes an impossible machine.
"""

import argparse
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.measured import name_failure, read_peak_mb
from benchmarks.reachability import find_impossible
from coinsorter.config.load import format_mistakes, read_config
from coinsorter.config.schema import Config
from coinsorter.errors import ConfigError
from coinsorter.recognition.bundle import Bundle, load_bundle
from tests.conftest import CONFIG, CROWNS, ROOT

#: The bars: seconds of one reading, and MB that are resident at the most.
MAX_SECONDS = 2.0
MAX_MB = 200.0
#: Characters of one message.
MAX_MESSAGE = 500
#: Values in whose place no technician looks for a fault.
NASTY = [
    *("0", "-1", "-0", "00", "0250", "0o17", "0x1F", "0b1", "1_000", "1:30", "12,5", "12.5mm"),
    *("1e3", "1e999", "-1e999", "1e-999", ".inf", "-.inf", ".nan", ".5", "5.", "+5", "1.0"),
    *("9" * 18, "9" * 19, "9" * 5000, "-" + "9" * 400, "0." + "3" * 5000, "1e" + "9" * 400),
    *("null", "~", "", "true", "yes", "no", "on", "=", "<<", "'60'", '"60"', "2026-11-27"),
    *("!!int 5", "!!python/object/apply:os.system [x]", "!foo 5", "!!binary x", "!!float 5"),
    *("&a 5", "*a", "&a [*a]", "[" * 3000, "{a: " * 3000, "- - - - - - - - -", "[]", "{}", "[5]"),
    *("{a: 1}", "|\n  5", ">\n  5", "'", '"', '"\\x00"', '"\\ud800"', '"\\e[31m"', "\x00", "\x1b"),
    *("\t5", "\u00a05", "5\u00a0", "\u200b5", "\uff15", "\u0665", "\u22125", "\u2028", "\ufeff"),
    *("\U0001f4b6", "\u0430", "x" * 1_000_000, "[" + "1," * 30_000 + "]", "/dev/zero", "../" * 900),
]
#: How often a number of the shipped file is made so much larger or smaller.
FACTORS = [0.001, 0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 10, 1000, -1]
#: Share of the mutations that are of the shipped settings without comments, where nothing changes.
WITHOUT_COMMENTS = 0.7

_COMMENT = re.compile(rb" *#.*")
_VALUE = re.compile(r"(?<=: )[^\s,{}\[\]#]+")
_NUMBER = re.compile(r"(?<=: )\d{1,12}(\.\d*)?", re.ASCII)
_KEY = re.compile(r"(?<!\w)\w{1,60}(?=:)")  # bounded: a value of a million letters is tried at once

Mutate = Callable[[random.Random, bytes], bytes]


@dataclass
class Figures:
    """What some mutations led to. failures: the number of each that failed, and why."""

    count: int = 0
    accepted: int = 0
    refused: int = 0
    commands: int = 0
    slowest_ms: float = 0.0
    peak_mb: float = 0.0
    failures: tuple[tuple[int, str], ...] = ()

    def add(self, other: "Figures") -> None:
        """Takes in the figures of more mutations."""
        self.count += other.count
        self.accepted += other.accepted
        self.refused += other.refused
        self.commands += other.commands
        self.slowest_ms = max(self.slowest_ms, other.slowest_ms)
        self.peak_mb = max(self.peak_mb, other.peak_mb)
        self.failures += other.failures


def main(arguments: list[str] | None = None) -> int:
    """Runs the mutations that the options name; returns the exit status."""
    options = _parse_options(arguments)
    if options.only is not None:
        sys.stdout.buffer.write(mutate(options.seed, options.only))
        return 0
    figures = run(options.count, options.seed, options.command_every, options.processes)
    print(f"seed {options.seed}, {len(os.sched_getaffinity(0))} cores")
    for name, value in asdict(figures).items():
        if name != "failures":
            print(f"{name.replace('_', ' ')}: {value:g}")
    print(f"failures: {len(figures.failures)}")
    for number, why in sorted(figures.failures)[:20]:
        print(f"  {number}: {why}")
    return 1 if figures.failures else 0


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1500, help="mutations; full: 100000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--command-every", type=int, default=500, metavar="N")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", type=int, metavar="NUMBER", help="print this mutation")
    return parser.parse_args(arguments)


def run(count: int, seed: int, command_every: int, processes: int) -> Figures:
    """Checks mutations 0 to count - 1, shared out to processes."""
    total = Figures()
    chunk = max(1, min(500, count // processes))
    starts = range(0, count, chunk)
    ranges = [range(start, min(start + chunk, count)) for start in starts]
    work = partial(check_mutations, seed, command_every)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for figures in pool.imap_unordered(work, ranges):
            total.add(figures)
    return total


def check_mutations(seed: int, command_every: int, numbers: range) -> Figures:
    """Checks some mutations in this process."""
    bundle = load_bundle(CROWNS)
    total = Figures()
    known: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        for number in numbers:
            path.write_bytes(mutate(seed, number))
            total.add(check_one(path, number, bundle, known))
            if number % command_every == 0:
                total.add(check_by_command(path, number))
    total.peak_mb = read_peak_mb()
    if total.peak_mb > MAX_MB:
        total.failures += ((numbers[0], f"to {numbers[-1]}: {total.peak_mb:.0f} MB"),)
    return total


def check_one(path: Path, number: int, bundle: Bundle, known: set[str]) -> Figures:
    """Checks one file as `coinsorter check` does, and what it makes where it is accepted.

    known: settings that were tried already, and are not tried again.
    """
    start_s = time.process_time()
    with name_failure(f"mutation {number}"):
        config, problem = _read(path, bundle)
    cpu_ms = 1000 * (time.process_time() - start_s)
    figures = Figures(1, int(config is not None), int(config is None), slowest_ms=cpu_ms)
    if cpu_ms > 1000 * MAX_SECONDS:
        problem = f"{cpu_ms:.0f} ms"
    if config is not None and config.model_dump_json() not in known:
        known.add(config.model_dump_json())
        impossible = find_impossible(config, bundle)
        problem = f"accepted, but {impossible[0]}" if impossible else problem
    if problem:
        figures.failures = ((number, problem),)
    return figures


def _read(path: Path, bundle: Bundle) -> tuple[Config | None, str | None]:
    """The settings where a file is accepted, and what is wrong with how it was dealt with."""
    try:
        config, mistakes = read_config(path, bundle.labels, bundle.crop)
    except ConfigError as error:
        return None, None if str(error).isprintable() else "a message that is not one line"
    for line in format_mistakes(path, mistakes):
        if not line.isprintable() or len(line) > MAX_MESSAGE:
            return None, f"a message of {len(line)} characters: {line[:80]!a}"
    json.dumps([asdict(mistake) for mistake in mistakes])
    if config is None or mistakes:
        return None, None if mistakes else "refused without a mistake"
    return config, None


def check_by_command(path: Path, number: int) -> Figures:
    """Checks one file with the command itself; the start of the interpreter is no part of it."""
    arguments = [sys.executable, "-m", "coinsorter", "check", str(path)]
    run = partial(subprocess.run, arguments, cwd=ROOT, capture_output=True, check=False)
    try:
        done = run(timeout=30)
    except subprocess.TimeoutExpired:
        return Figures(commands=1, failures=((number, "the command hangs"),))
    printed = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode not in (0, ConfigError.exit_code) or "Traceback" in printed:
        why = f"the command ends with {done.returncode}: {printed[-200:]!a}"
        return Figures(commands=1, failures=((number, why),))
    return Figures(commands=1)


# --- mutations ---------------------------------------------------------------------------------


def mutate(seed: int, number: int) -> bytes:
    """The shipped settings with one to three mutations: the same for a seed and a number."""
    rng = random.Random(f"{seed}/{number}")
    content = CONFIG.read_bytes().replace(b"models/crowns", bytes(CROWNS))
    if rng.random() < WITHOUT_COMMENTS:
        content = _COMMENT.sub(b"", content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(MUTATIONS)(rng, content)
    return content


def _flip_bytes(rng: random.Random, content: bytes) -> bytes:
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if flipped:
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _cut_bytes(rng: random.Random, content: bytes) -> bytes:
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    end = min(end, start + rng.choice((1, 10, 1000, 10_000)))
    return content[:start] + content[end:]


def _repeat_bytes(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    piece = content[start : start + rng.choice((1, 5, 80, 800))]
    return content[:start] + piece * rng.choice((1, 2, 50)) + content[start:]


def _insert_bytes(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    odd = rng.choice((rng.randbytes(4), rng.choice(NASTY).encode(), b"\n", b"\t", b" ", b"---\n"))
    return content[:at] + odd + content[at:]


def _change_lines(rng: random.Random, content: bytes) -> bytes:
    """Drops, doubles, moves, swaps or indents lines."""
    lines = content.splitlines(keepends=True) or [b""]
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    line = lines[at]
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, line)
        case 2:
            lines.insert(to, lines.pop(at))
        case 3:
            lines[at], lines[to] = lines[to], line
        case _:
            lines[at] = rng.choice((b" ", b"  ", b"\t", b"    ")) + line
    return b"".join(lines)


def _replace_match(
    pattern: re.Pattern[str], rng: random.Random, content: bytes, new: Callable[[str], str]
) -> bytes:
    text = content.decode(errors="surrogateescape")
    matches = list(pattern.finditer(text))
    if not matches:
        return content
    match = rng.choice(matches)
    text = text[: match.start()] + new(match[0]) + text[match.end() :]
    return text.encode(errors="surrogateescape")


def _replace_value(rng: random.Random, content: bytes) -> bytes:
    return _replace_match(_VALUE, rng, content, lambda _: rng.choice(NASTY))


def _scale_number(rng: random.Random, content: bytes) -> bytes:
    factor = rng.choice(FACTORS)

    def scale(word: str) -> str:
        value = float(word) * factor
        return str(round(value)) if "." not in word and rng.random() < 0.7 else f"{value:g}"

    return _replace_match(_NUMBER, rng, content, scale)


def _copy_value(rng: random.Random, content: bytes) -> bytes:
    values = _VALUE.findall(content.decode(errors="replace")) or ["5"]
    return _replace_match(_VALUE, rng, content, lambda _: rng.choice(values))


def _rename_key(rng: random.Random, content: bytes) -> bytes:
    keys = _KEY.findall(content.decode(errors="replace")) or ["a"]
    odd = ("", "?", "'a'", "speed_mm_\u0455", "x" * 300, '"\\x1b[2J"', "5", "<<", "\u202epx")
    return _replace_match(_KEY, rng, content, lambda _: rng.choice((*keys, *odd)))


def _encode(rng: random.Random, content: bytes) -> bytes:
    text = content.decode(errors="replace")
    encoding = rng.choice(("utf-8-sig", "utf-16", "utf-32", "latin-1", "cp500"))
    if rng.random() < 0.3:
        return text.replace("\n", rng.choice(("\r\n", "\r", "\x85", "\u2028"))).encode()
    return text.encode(encoding, errors="replace")


def _append(rng: random.Random, content: bytes) -> bytes:
    return content + rng.choice(
        (b"\n---\na: 1\n", b"...\nx", b"\x00", b"[" * 50_000, content, b"}")
    )


MUTATIONS: tuple[Mutate, ...] = (
    _flip_bytes,
    _cut_bytes,
    _repeat_bytes,
    _insert_bytes,
    _change_lines,
    _change_lines,
    _replace_value,
    _replace_value,
    _replace_value,
    _scale_number,
    _scale_number,
    _scale_number,
    _copy_value,
    _rename_key,
    _encode,
    _append,
)


if __name__ == "__main__":
    sys.exit(main())
