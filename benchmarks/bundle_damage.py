"""Damaged and hostile bundles: `python -m benchmarks.bundle_damage`.

Bundles are damaged at random: bytes altered, files cut, lengthened, left out or swapped, pipes and
devices in their places; with the hashes and the seal as they were, or repaired as by an attacker.
Each is loaded and asked its golden crops as `run` does. It has to be refused in one line that names
it, or answer as before. The work is done in other processes, so that a crash is counted.
`--bundles 10000` is the full form; `--only network --bundles 1000` alters networks alone.
"""

import argparse
import hashlib
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measured import name_failure, read_peak_mb
from coinsorter.errors import BundleError
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.bundle_files import LISTED, MANIFEST, NETWORKS, SEAL
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime, read_version
from coinsorter.recognition.seal import write_seal
from tests.conftest import BRL, CROWNS, EURO, ROOT

BUNDLES = (CROWNS, BRL, EURO)
#: Bundles that one process tries.
CHUNK = 100
#: Seconds after which a process of so many bundles counts as hanging.
CHUNK_TIMEOUT_S = 3600
#: Processor seconds that one bundle may take, its trial in another process included.
MAX_CPU_S = 2.0
#: Seconds by the clock: beyond, something waited. A busy computer takes some of them.
MAX_WALL_S = 20.0
#: Bytes beyond the shipped bundles' own that a process may take.
MAX_GROWTH_BYTES = 200e6
#: Of a hundred bundles. For all but the plain ones, hash and seal are repaired. An altered network
#: takes a trial, which takes most of the time.
GROUP_WEIGHTS = {"plain": 60, "arrays": 25, "manifest": 10, "network": 5}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundles", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first bundle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=GROUP_WEIGHTS, help="damage of one kind only")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--chunk", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.chunk is not None:
        groups = [options.only] if options.only else list(GROUP_WEIGHTS)
        print(json.dumps(try_chunk(options.seed, options.chunk, options.bundles, groups)))
        return 0
    return print_outcome(options)


def print_outcome(options: argparse.Namespace) -> int:
    """Tries all bundles in processes; prints what came of them; 1 where any bar is missed."""
    total: Counter[str] = Counter()
    worst: dict[str, float] = {}
    end = options.first + options.bundles

    def run_chunk(start: int) -> dict[str, Any]:
        return _run_chunk(options.seed, start, min(CHUNK, end - start), options.only)

    with ThreadPool(options.jobs) as pool:
        for figures in pool.imap_unordered(run_chunk, range(options.first, end, CHUNK)):
            total.update(figures["counts"])
            for name, value in figures["worst"].items():
                worst[name] = max(worst.get(name, 0.0), value)
            for line in figures["notes"]:
                print(line, flush=True)
            print(
                f"{total.total()} of {options.bundles}: {dict(total)}", file=sys.stderr, flush=True
            )
    bad = sum(count for name, count in total.items() if name.startswith("BAD"))
    _print_totals(options.bundles, total, worst)
    return 1 if bad else 0


def _print_totals(bundles: int, total: Counter[str], worst: dict[str, float]) -> None:
    interpreter = pick_runtime("auto")
    print(f"{bundles} damaged bundles on {interpreter} {read_version(interpreter)}:")
    for name, count in sorted(total.items()):
        print(f"  {count:6} {name}")
    print(
        f"  at most {worst['cpu_s']:.2f} s of processor time and {worst['wall_s']:.2f} s by the "
        f"clock, {worst['growth'] / 1e6:.0f} MB more than sound bundles take, in a trial "
        f"{worst['trial_growth'] / 1e6:.0f} MB more"
    )


def _run_chunk(seed: int, start: int, count: int, only: str | None) -> dict[str, Any]:
    words = ["--seed", seed, "--chunk", start, "--bundles", count]
    words += ["--only", only] if only else []
    command = [sys.executable, "-m", "benchmarks.bundle_damage", *map(str, words)]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=CHUNK_TIMEOUT_S, check=False
    )
    if ended.returncode:
        note = f"bundles {start} to {start + count}: {ended.returncode}\n{ended.stderr[-2000:]}"
        return {"counts": {"BAD: the process ended": 1}, "worst": {}, "notes": [note]}
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def try_chunk(seed: int, start: int, count: int, groups: list[str]) -> dict[str, Any]:
    """What came of bundles start to start + count."""
    interpreter = pick_runtime("auto")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STATE_DIRECTORY"] = folder
        sound = [shutil.copytree(path, Path(folder) / path.name) for path in BUNDLES]
        for path in sound:
            Classifier(load_bundle(path), interpreter).check_golden_crops()
        _try_sound_unknown(Path(folder) / "unknown", interpreter)
        baseline, trial_baseline = _read_peaks()
        tried = _Tally()
        for number in range(start, start + count):
            rng = random.Random(f"{seed} {number}")
            copy = Path(folder) / "damaged"
            shutil.copytree(rng.choice(sound), copy, copy_function=os.link)
            kind = damage(copy, sound, groups, rng)
            tried.try_bundle(copy, kind, number, interpreter)
            shutil.rmtree(copy)
        peak, trial_peak = _read_peaks()
    tried.worst["growth"] = peak - baseline
    tried.worst["trial_growth"] = trial_peak - trial_baseline
    if max(tried.worst["growth"], tried.worst["trial_growth"]) > MAX_GROWTH_BYTES:
        tried.counts["BAD: too much memory"] += 1
    return {"counts": tried.counts, "worst": tried.worst, "notes": tried.notes}


def _try_sound_unknown(copy: Path, interpreter: str) -> None:
    """One sound bundle goes through a trial, so that this is in the baseline."""
    shutil.copytree(EURO, copy)
    facts = yaml.safe_load((copy / MANIFEST).read_text())
    facts["name"] = "unknown"
    _write_sealed(copy, facts)
    Classifier(load_bundle(copy), interpreter).check_golden_crops()


def _read_peaks() -> tuple[float, float]:
    """The most memory that this process has taken so far, and that any process it started has."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024.0
    return read_peak_mb() * 2**20, children


class _Tally:
    """Counts what came of bundles."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.worst = {"cpu_s": 0.0, "wall_s": 0.0}
        self.notes: list[str] = []

    def try_bundle(self, folder: Path, kind: str, number: int, interpreter: str) -> None:
        start_s, start_cpu_s = time.monotonic(), _read_cpu_s()
        with name_failure(f"bundle {number}, {kind}"):
            outcome = _use_bundle(folder, interpreter)
        wall_s, cpu_s = time.monotonic() - start_s, _read_cpu_s() - start_cpu_s
        if cpu_s > MAX_CPU_S or wall_s > MAX_WALL_S:
            outcome = f"BAD: {wall_s:.1f} s, {cpu_s:.1f} s of processor time, then {outcome}"
        self.worst["cpu_s"] = max(self.worst["cpu_s"], cpu_s)
        self.worst["wall_s"] = max(self.worst["wall_s"], wall_s)
        self.counts[f"{outcome.split(':: ')[0]} ({kind.split(':')[0]})"] += 1
        if outcome.startswith("BAD"):
            self.notes.append(f"bundle {number}, {kind}: {outcome}")


def _use_bundle(folder: Path, interpreter: str) -> str:
    """What `run` does with a bundle before it sorts."""
    try:
        Classifier(load_bundle(folder), interpreter).check_golden_crops()
    except BundleError as error:
        message = str(error)
        if str(folder) in message and message.isprintable():
            return "refused by name"
        return f"BAD: refused as:: {message!r}"
    return "answers as before"


def _read_cpu_s() -> float:
    """Processor time of this process and of those that it started."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


# --- damage ------------------------------------------------------------------------------------


def damage(folder: Path, sound: Sequence[Path], groups: list[str], rng: random.Random) -> str:
    """Damages a bundle in one way of some groups; returns which, in words."""
    (group,) = rng.choices(groups, [GROUP_WEIGHTS[name] for name in groups])
    if group == "plain":
        return _damage_plainly(folder, sound, rng)
    if group == "manifest":
        return _damage_manifest(folder, rng)
    names = [name for name in LISTED if (folder / name).exists()]
    wanted = [name for name in names if (name in NETWORKS) == (group == "network")]
    name = rng.choice(wanted)
    alter = rng.choice(NETWORK_CHANGES if group == "network" else ARRAY_CHANGES)
    content = alter((folder / name).read_bytes(), rng)
    _replace(folder / name, content)
    facts = yaml.load((folder / MANIFEST).read_bytes(), yaml.CSafeLoader)
    facts["files"][name] = hashlib.sha256(content).hexdigest()
    _write_sealed(folder, facts)
    return f"{group} and seal repaired: {name}, {alter.__name__}"


def _damage_plainly(folder: Path, sound: Sequence[Path], rng: random.Random) -> str:
    """Nothing is repaired."""
    name = rng.choice([name for name in (*LISTED, MANIFEST, SEAL) if (folder / name).exists()])
    path = folder / name
    change = rng.choice((*CONTENT_CHANGES, *PLACE_CHANGES, _swap_with_other, _swap_within))
    if change in CONTENT_CHANGES:
        _replace(path, change(path.read_bytes(), rng))
    elif change in PLACE_CHANGES:
        path.unlink()
        change(path)
    elif change is _swap_with_other:
        _swap_with_other(path, name, sound, rng)
    else:
        _swap_within(folder, name, rng)
    return f"nothing repaired: {name}, {change.__name__}"


def _damage_manifest(folder: Path, rng: random.Random) -> str:
    """bundle.yaml, and the seal repaired."""
    change = rng.choice((*CONTENT_CHANGES, *MANIFEST_CHANGES))
    text = change((folder / MANIFEST).read_bytes(), rng)
    _replace(folder / MANIFEST, text)
    _repair_seal(folder, text)
    return f"manifest and seal repaired: {change.__name__}"


def _replace(path: Path, content: bytes) -> None:
    path.unlink()  # it is a link to the sound one
    path.write_bytes(content)


def _write_sealed(folder: Path, facts: dict[str, Any]) -> None:
    text = yaml.dump(facts, Dumper=yaml.CSafeDumper, sort_keys=False).encode()
    _replace(folder / MANIFEST, text)
    _repair_seal(folder, text)


def _repair_seal(folder: Path, text: bytes) -> None:
    try:
        write_seal(folder, text)
    except (yaml.YAMLError, ValueError):  # then only by hand
        digest = hashlib.sha256(text).hexdigest()
        _replace(folder / SEAL, f"{digest}  {MANIFEST}\n".encode())


def flip_bytes(content: bytes, rng: random.Random) -> bytes:
    altered = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 20, 200])):
        if altered:
            altered[rng.randrange(len(altered))] = rng.randrange(256)
    return bytes(altered)


def flip_head(content: bytes, rng: random.Random) -> bytes:
    """Bytes at the beginning or the end, where offsets and tables are."""
    altered = bytearray(content)
    for _ in range(rng.choice([1, 2, 8, 40])):
        place = rng.randrange(min(2000, len(altered)))
        altered[rng.choice([place, -1 - place])] = rng.choice([0, 1, 127, 128, 255])
    return bytes(altered)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def lengthen(content: bytes, rng: random.Random) -> bytes:
    return content + rng.choice([b"\0", b"#", rng.randbytes(100), bytes(10_000_000)])


def blank(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    length = rng.choice([16, 512, 65_536])
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def scramble(content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice([0, 1, 100, 100_000]))


def repeat(content: bytes, rng: random.Random) -> bytes:
    return content * rng.choice([2, 30])


def shift(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(rng.randrange(1, 9)) + content[place:]


def pack_bomb(content: bytes, rng: random.Random) -> bytes:
    """Gigabytes of zeros in a few kilobytes, or files without number."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        with zipfile.ZipFile(io.BytesIO(content)) as original:
            names = original.namelist()
        for number, name in enumerate(names):
            archive.writestr(name, bytes(50_000_000 if number == 0 else 1000))
        if rng.random() < 0.5:
            for number in range(20_000):
                archive.writestr(str(number), b"")
    return packed.getvalue()


def alter_header(content: bytes, rng: random.Random) -> bytes:
    """Other shapes and kinds in the arrays' headers, packed again as they should be."""
    packed = io.BytesIO()
    words = [(b"'|u1'", b"'|O8'"), (b", ", b"9, "), (b"'<f4'", b"'<f8'"), (b"(8", b"(99999999")]
    old, new = rng.choice(words)
    with zipfile.ZipFile(io.BytesIO(content)) as original, zipfile.ZipFile(packed, "w") as archive:
        for name in original.namelist():
            archive.writestr(name, original.read(name).replace(old, new, 1))
    return packed.getvalue()


def alter_values(content: bytes, rng: random.Random) -> bytes:
    """Other numbers in the arrays, packed again as they should be."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as original, zipfile.ZipFile(packed, "w") as archive:
        for name in original.namelist():
            values = bytearray(original.read(name))
            for _ in range(rng.choice([1, 10, 1000])):
                values[rng.randrange(min(128, len(values) - 1), len(values))] = rng.randrange(256)
            archive.writestr(name, bytes(values))
    return packed.getvalue()


def nest(content: bytes, rng: random.Random) -> bytes:
    deep = rng.choice([b"[" * 50_000, b"{a: " * 40_000, b"- " * 60_000, b"? " * 60_000])
    return content + b"surprise: " + deep


def name_aliases(content: bytes, rng: random.Random) -> bytes:
    lines = [b"a0: &a0 [1,1,1,1,1,1,1,1,1]"]
    for level in range(1, 12):
        names = b",".join([b"*a%d" % (level - 1)] * 9)
        lines.append(b"a%d: &a%d [%b]" % (level, level, names))
    return content + b"\n".join(lines)


def add_many(content: bytes, rng: random.Random) -> bytes:
    return content + b"surprise: [" + b"1," * 90_000 + b"]"


def add_code(content: bytes, rng: random.Random) -> bytes:
    return content + b"surprise: !!python/object/apply:os.system ['echo hacked']\n"


def alter_number(content: bytes, rng: random.Random) -> bytes:
    """One number of the manifest by far."""
    lines = content.splitlines(keepends=True)
    numbers = [place for place, line in enumerate(lines) if line.rstrip()[-1:].isdigit()]
    place = rng.choice(numbers)
    key, colon, _ = lines[place].partition(b": ")
    value = rng.choice([b"1e308", b"-1", b"0", b".nan", b"9" * 5000, b"0x7fffffff", b"null", b"{}"])
    lines[place] = key + colon + value + b"\n"
    return b"".join(lines)


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)


def _make_nothing(path: Path) -> None:
    """The file is left out."""


def _make_folder(path: Path) -> None:
    path.mkdir()


def _make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def _link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link_to_terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _link_out(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _swap_with_other(path: Path, name: str, sound: Sequence[Path], rng: random.Random) -> None:
    others = [other / name for other in sound if (other / name).exists()]
    _replace(path, rng.choice(others).read_bytes())


def _swap_within(folder: Path, name: str, rng: random.Random) -> None:
    other = rng.choice([other for other in (*LISTED, MANIFEST, SEAL) if (folder / other).exists()])
    first, second = (folder / name).read_bytes(), (folder / other).read_bytes()
    _replace(folder / name, second)
    _replace(folder / other, first)


ContentChange = Callable[[bytes, random.Random], bytes]
CONTENT_CHANGES: tuple[ContentChange, ...] = (
    flip_bytes,
    flip_head,
    cut,
    lengthen,
    blank,
    scramble,
    repeat,
    shift,
)
NETWORK_CHANGES: tuple[ContentChange, ...] = (flip_bytes, flip_head, flip_head, cut, blank, shift)
ARRAY_CHANGES: tuple[ContentChange, ...] = (
    *CONTENT_CHANGES,
    pack_bomb,
    alter_header,
    alter_values,
)
MANIFEST_CHANGES: tuple[ContentChange, ...] = (
    nest,
    name_aliases,
    add_many,
    add_code,
    alter_number,
    alter_number,
)
PLACE_CHANGES: tuple[Callable[[Path], None], ...] = (
    _make_nothing,
    _make_pipe,
    _make_folder,
    _make_sparse,
    _link_to_zero,
    _link_to_terminal,
    _link_to_itself,
    _link_out,
)


if __name__ == "__main__":
    sys.exit(main())
