"""Pictures as a trainer has them -> a data set: find the coins, cut them out, leave out what is no good, split, and say what was done.

The sources are only read. What is finished is in a journal, so that a run that was stopped continues where it was.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import cv2
import yaml

from coinsorter import __version__
from coinsorter.errors import InputError
from coinsorter.training.dataset import (
    dataset,
    dataset_report,
    duplicates,
    pairs,
    quality,
    sources,
    splits,
    statistics,
)
from coinsorter.training.dataset.dataset import (
    IMAGES,
    MANIFEST,
    REPORT,
    TABLE,
    Dataset,
    Row,
    hash_file,
)
from coinsorter.training.dataset.duplicates import Duplicate
from coinsorter.training.dataset.ingest import IngestedImage, ingest_images, read_bytes, sha256
from coinsorter.training.dataset.quality import ExpectedCoins
from coinsorter.training.dataset.resume_log import ResumeLog
from coinsorter.training.dataset.sources import SourceImage
from coinsorter.training.dataset.splits import TEST, TRAIN, VALIDATION
from coinsorter.training.progress import OpenProgress

MIN_RADIUS_FOUND_PX = 2.0  # that segment.py can look for
JOURNAL = "journal.jsonl"
BURST, NAME, NONE = GROUPINGS = "burst", "name", "none"


@dataclass(frozen=True)
class PrepareSettings:
    """What a trainer chooses; two runs of equal settings on equal sources make equal data sets.

    crops: the pictures are ready crops. join_sides: a coin's two faces become one picture.
    px_per_mm, diameters_mm: how large coins are in frames, smallest and largest; None: anything.
    validation, test: shares of the pictures. group_by: what pictures without coin_id and group are kept together by: BURST (names' last
    numbers within burst_gap_s), NAME (equal group_pattern, in their path) or NONE. near_bits: perceptual hashes this near are one picture.
    """

    sources: tuple[Path, ...]
    crops: bool = False
    join_sides: bool = False
    px_per_mm: float | None = None
    diameters_mm: tuple[float, float] | None = None
    validation: float = 0.2
    test: float = 0.0
    seed: int = 1
    group_by: str = BURST
    group_pattern: str = ""
    burst_gap_s: float = 40.0
    near_bits: int = quality.NEAR_BITS

    def plain(self) -> dict[str, Any]:
        own = asdict(self)
        return own | {
            "sources": [source.as_posix() for source in self.sources],
            "diameters_mm": self.diameters_mm and list(self.diameters_mm),
        }

    def looks(self) -> ExpectedCoins:
        return ExpectedCoins.of(self.crops, self.px_per_mm, self.diameters_mm)

    def shares(self) -> dict[str, float]:
        return {
            TRAIN: 1 - self.validation - self.test,
            VALIDATION: self.validation,
            TEST: self.test,
        }

    def check(self) -> None:
        """Raises InputError for settings that contradict each other."""
        if (self.px_per_mm is None) != (self.diameters_mm is None):
            raise InputError(
                "--px-per-mm and --diameters say together how large coins are; give both or neither"
            )
        if self.looks().radii_px and not self.looks().radii_px[0] >= MIN_RADIUS_FOUND_PX:
            raise InputError(
                f"--px-per-mm {self.px_per_mm:g}: coins of {self.looks().radii_px[0]:.0f} pixels radius are too small to be found"
            )
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}: must be 0 or more")
        if not (self.validation >= 0 and self.test >= 0 and self.validation + self.test < 1):
            raise InputError(
                f"--validation {self.validation:g} and --test {self.test:g} leave nothing to train on; together they must be below 1"
            )
        if (self.group_by == NAME) != bool(self.group_pattern):
            raise InputError(
                "--group-by name needs --group-pattern, and the other way round; such as '--group-by name --group-pattern (photo_[0-9]+)'"
            )
        if self.group_pattern and _pattern(self.group_pattern).groups != 1:
            raise InputError(
                f"--group-pattern {self.group_pattern!r}: has to have one pair of brackets, around what names the group"
            )


@dataclass(frozen=True)
class PreparedDataset:
    """A data set that stands. facts: its dataset.yaml. looked_at: how many pictures this run looked at; None where it stood already."""

    manifest: dict[str, Any]
    looked_at: int | None


def prepare(
    settings: PrepareSettings, out: Path, bar: OpenProgress, command: str, force: bool = False
) -> PreparedDataset:
    """Makes the data set in `out`, or finds it finished there. command: as typed, for the report. force: what else is there is replaced.

    Raises InputError for sources, settings and folders that cannot be used; `out` then holds what is finished, for the next run.
    """
    cv2.utils.logging.setLogLevel(
        0
    )  # what cannot be read is a row of the table, no line amid the bars
    settings.check()
    _check_out(settings, out)
    with sources.opened(settings.sources) as originals:
        if (out / MANIFEST).exists() and not force:
            return PreparedDataset(_standing(settings, out, originals, bar), None)
        keys = _keys(originals, settings)
        if settings.join_sides:
            pairs.pairs(originals, range(len(originals)))
        out.mkdir(parents=True, exist_ok=True)
        with ResumeLog(out / JOURNAL, _measured_by(settings), anew=force) as journal:
            if force:
                _clear(out)
            with bar("looking at pictures", len(originals)) as tell:
                seen, looked_at = ingest_images(originals, settings.looks(), out, journal, tell)
            manifest = _write(settings, out, originals, keys, seen, bar, command)
            _tidy(out)
    return PreparedDataset(manifest, looked_at)


def _check_out(settings: PrepareSettings, out: Path) -> None:
    """Nothing but a data set of ours may be in `out`, and it may be neither in a source nor around one."""
    for source in settings.sources:
        inner, outer = sorted((out.resolve(), source.resolve()), key=lambda path: -len(path.parts))
        if inner.is_relative_to(outer):
            raise InputError(
                f"{out}: is within the source {source}, or the other way round; name a folder beside it with --out"
            )
    if (
        out.is_dir()
        and any(out.iterdir())
        and not ((out / MANIFEST).is_file() or (out / JOURNAL).is_file())
    ):
        raise InputError(f"{out}: is not empty, and no data set; name a new folder with --out")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a new folder with --out")


def _standing(
    settings: PrepareSettings, out: Path, originals: Sequence[SourceImage], bar: OpenProgress
) -> dict[str, Any]:
    """The facts of a finished data set. Raises InputError where it is damaged, or not what these settings and sources would make."""
    with bar("checking the data set", sum(1 for _ in (out / IMAGES).glob("*/*"))) as tell:
        manifest = Dataset.load(out, tell=tell).manifest
    other = [
        name
        for name, value in settings.plain().items()
        if manifest.get("settings", {}).get(name) != value
    ]
    if other:
        raise InputError(
            f"{out}: was made with other settings ({', '.join(other)}); name another folder, or make it anew with --force"
        )
    contents = []
    with bar("checking the sources", len(originals)) as tell:
        for number, original in enumerate(originals):
            contents.append(sha256(read_bytes(original)))
            tell(number + 1)
    if _sources_sha256(originals, contents) != manifest.get("sources_sha256"):
        raise InputError(
            f"{out}: its sources have changed since it was made; make it anew with --force"
        )
    _tidy(out)
    return manifest


def _clear(out: Path) -> None:
    for name in (MANIFEST, TABLE, REPORT):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / IMAGES, ignore_errors=True)


def _measured_by(settings: PrepareSettings) -> dict[str, Any]:
    """What decides how a single picture turns out: with any of it changed, what is in the journal holds no longer."""
    plain = settings.plain()
    return {name: plain[name] for name in ("crops", "px_per_mm", "diameters_mm")} | {
        "coinsorter": __version__
    }


def _write(
    settings: PrepareSettings,
    out: Path,
    originals: Sequence[SourceImage],
    keys: Sequence[list[Hashable]],
    seen: Sequence[IngestedImage],
    bar: OpenProgress,
    command: str,
) -> dict[str, Any]:
    """The table, the report and, last, dataset.yaml: a folder without that is unfinished."""
    rows, doubles = _without_duplicates(seen, settings.near_bits, bar)
    rows = [
        replace(row, group=group) if row.picture else row
        for row, group in zip(rows, _groups(keys, doubles))
    ]
    if settings.join_sides:
        with bar("joining sides", len(rows)) as tell:
            rows = pairs.joined(rows, originals, out, tell)
    rows = _split(rows, settings)
    counts = statistics.counts(rows)
    warnings = statistics.warnings(counts, settings.shares(), settings.crops)
    dataset.write_table(out / TABLE, rows)
    hashes = {
        "sources_sha256": _sources_sha256(originals, [own.content for own in seen]),
        "sha256": hash_file(out / TABLE),
    }
    manifest = _facts(settings, rows) | {"counts": counts, "warnings": warnings} | hashes
    page = dataset_report.render_page(
        out, manifest, rows, {str(original.path): original for original in originals}, command, bar
    )
    _write_safely(out / REPORT, page)
    _write_safely(
        out / MANIFEST, yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=120)
    )
    return manifest


def _without_duplicates(
    seen: Sequence[IngestedImage], near_bits: int, bar: OpenProgress
) -> tuple[list[Row], dict[int, Duplicate]]:
    """The rows, those of duplicates left out; and by index what each of those repeats."""
    rows = [own.row for own in seen]
    kept = [i for i, row in enumerate(rows) if row.picture]
    equal = duplicates.exact([seen[i].pixels for i in kept], [rows[i].label for i in kept])
    equal = {kept[i]: Duplicate(kept[double.of]) for i, double in equal.items()}
    kept = [i for i in kept if i not in equal]
    with bar("comparing pictures", len(kept)) as tell:
        alike = duplicates.near(
            [rows[i].phash for i in kept], [rows[i].label for i in kept], near_bits, tell
        )
    alike = {kept[i]: replace(double, of=kept[double.of]) for i, double in alike.items()}
    doubles = equal | alike
    return [
        _left_out(row, doubles[i], rows[doubles[i].of]) if i in doubles else row
        for i, row in enumerate(rows)
    ], doubles


def _left_out(row: Row, double: Duplicate, other: Row) -> Row:
    if double.bits is not None:
        return row.left_out(
            "near-duplicate", f"{double.bits} of {4 * len(other.phash)} bits from {other.source}"
        )
    clash = (
        f", which is labelled {other.label}: neither can be trusted"
        if other.label != row.label
        else ""
    )
    return row.left_out("duplicate", f"of {other.source}{clash}")


def _keys(originals: Sequence[SourceImage], settings: PrepareSettings) -> list[list[Hashable]]:
    """What each picture shares with others of its group: its coin and what the CSV calls its group, else its burst or part of its name."""
    keys: list[list[Hashable]] = [
        [
            (what, original.table, name)
            for what, name in (("coin", original.coin_id), ("group", original.group))
            if name
        ]
        for original in originals
    ]
    loose = [i for i, own in enumerate(keys) if not own]
    for i, key in zip(loose, _loose_keys([originals[i].path for i in loose], settings)):
        keys[i].append(key)
    return keys


def _loose_keys(paths: Sequence[PurePath], settings: PrepareSettings) -> Sequence[Hashable]:
    """What pictures are kept together by of which nothing is said."""
    if settings.group_by == BURST:
        return splits.number_bursts(paths, settings.burst_gap_s)
    if settings.group_by == NONE:
        return range(len(paths))
    found = [_pattern(settings.group_pattern).search(path.as_posix()) for path in paths]
    strange = [path for path, match in zip(paths, found) if match is None]
    if strange:
        raise InputError(
            f"--group-pattern {settings.group_pattern!r} does not fit {strange[0]} and {len(strange) - 1} others; every picture needs a group"
        )
    return [match.group(1) for match in found if match]


def _groups(keys: Sequence[list[Hashable]], doubles: Mapping[int, Duplicate]) -> list[int]:
    """The group of each picture, which it shares with what it repeats, too."""
    shared = [list(own) for own in keys]
    for i, double in doubles.items():
        for one in (i, double.of):
            shared[one].append(("like", double.of))
    return splits.groups(shared)


def _pattern(words: str) -> re.Pattern[str]:
    try:
        return re.compile(words)
    except re.error as error:
        raise InputError(f"--group-pattern {words!r}: is no regular expression: {error}") from error


def _split(rows: Sequence[Row], settings: PrepareSettings) -> list[Row]:
    """Kept rows with their split, and their groups numbered anew."""
    kept = [row for row in rows if row.picture]
    groups = splits.groups([[row.group] for row in kept])
    dealt = iter(
        zip(
            groups,
            splits.split([row.label for row in kept], groups, settings.shares(), settings.seed),
        )
        if kept
        else ()
    )
    return [
        replace(row, **dict(zip(("group", "split"), next(dealt)))) if row.picture else row
        for row in rows
    ]


def _facts(settings: PrepareSettings, rows: Sequence[Row]) -> dict[str, Any]:
    kept = [row for row in rows if row.picture]
    sizes = {(row.width_px, row.height_px) for row in kept}
    return {
        "format": dataset.FORMAT,
        "coinsorter": __version__,
        "seed": settings.seed,
        "crops": settings.crops,
        "labels": sorted({row.label for row in kept}),
        "splits": {name: round(share, 6) for name, share in settings.shares().items()},
        "frame": dict(zip(("width_px", "height_px"), sizes.pop())) if len(sizes) == 1 else None,
        "sources": settings.plain()["sources"],
        "settings": settings.plain(),
    }


def _sources_sha256(originals: Sequence[SourceImage], contents: Sequence[str]) -> str:
    """Changes with any picture, label, name or their order."""
    whole = hashlib.sha256()
    for original, content in zip(originals, contents):
        line = [
            str(original.path),
            original.label,
            original.side,
            original.coin_id,
            original.group,
            content,
        ]
        whole.update(json.dumps(line).encode() + b"\n")
    return whole.hexdigest()


def _write_safely(path: Path, text: str) -> None:
    """Writes a file beside first, then in its place."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _tidy(out: Path) -> None:
    """Removes what a finished data set does not name: pictures of duplicates and single sides, and the journal."""
    named = {row.picture for row in dataset.read_table(out / TABLE)}
    for path in (out / IMAGES).glob("*/*"):
        if path.relative_to(out).as_posix() not in named:
            path.unlink()
    for folder in (out / IMAGES).iterdir():
        if not any(folder.iterdir()):
            folder.rmdir()
    (out / JOURNAL).unlink(missing_ok=True)
