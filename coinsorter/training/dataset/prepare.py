"""Images as a trainer has them -> a data set.

Finds the coins, cuts them out, leaves out what is no good, splits the rest, and says what was
done. The sources are only read. What is finished is in a log, so that a run that was stopped
continues where it was.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from coinsorter import __version__
from coinsorter.errors import InputError
from coinsorter.files.atomic import check_output, write_file
from coinsorter.files.ownership import Claim, recognize_start
from coinsorter.files.strict_yaml import dump_yaml
from coinsorter.images.exif_times import EXIF_HEAD_BYTES
from coinsorter.training.dataset import (
    dataset,
    dataset_report,
    duplicates,
    pairs,
    splits,
    statistics,
)
from coinsorter.training.dataset.dataset import (
    IMAGES,
    MANIFEST,
    REPORT,
    TABLE,
    TABLE_CLAIM,
    Dataset,
    Row,
    hash_file,
)
from coinsorter.training.dataset.duplicates import Duplicate
from coinsorter.training.dataset.image_files import (
    list_logged_files,
    list_own_files,
    remove_files,
)
from coinsorter.training.dataset.ingest import (
    IngestedImage,
    hash_content,
    ingest_images,
    read_bytes,
)
from coinsorter.training.dataset.quality import ExpectedCoins
from coinsorter.training.dataset.resume_log import ResumeLog
from coinsorter.training.dataset.source_image import SourceImage
from coinsorter.training.dataset.sources import OpenedSources, open_sources
from coinsorter.training.dataset.splits import TEST, TRAIN, VALIDATION
from coinsorter.training.parallel import HERE, Workers
from coinsorter.training.progress import OpenProgress

#: Pixels; the smallest radius that the detector can look for.
MIN_RADIUS_FOUND_PX = 2.0
LOG = "journal.jsonl"
_REMEDY = "name another folder with --out"
_REPORT_CLAIM = Claim(recognize_start(b"<!DOCTYPE html>"), _REMEDY)
_MANIFEST_CLAIM = Claim(recognize_start(b"format: "), _REMEDY)
_CLAIMS = {MANIFEST: _MANIFEST_CLAIM, REPORT: _REPORT_CLAIM, TABLE: TABLE_CLAIM}
BURST, NAME, NONE = GROUPINGS = "burst", "name", "none"

Keys = list[Hashable]


@dataclass(frozen=True)
class PrepareSettings:
    """What a trainer chooses; equal settings and equal sources make equal data sets.

    crops: the images are ready crops. join_sides: a coin's two faces become one image.
    px_per_mm, diameters_mm: how large coins are in frames, smallest and largest; None: anything.
    validation, test: shares of the images. seed: of the splits.
    group_by: what keeps images without coin_id and group together: BURST (last numbers of the
    names within burst_gap_s), NAME (equal group_pattern in their path) or NONE.
    label_level: of the folders that are named as labels, 1 directly below the source; None: found
    by their names. near_bits: images whose perceptual hashes are this near are one.
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
    near_bits: int = duplicates.NEAR_BITS
    label_level: int | None = None

    def to_plain(self) -> dict[str, Any]:
        """The settings as dataset.yaml has them."""
        return asdict(self) | {
            "sources": [source.as_posix() for source in self.sources],
            "diameters_mm": self.diameters_mm and list(self.diameters_mm),
        }

    def expected_coins(self) -> ExpectedCoins:
        """What coins look like in the images."""
        return ExpectedCoins.from_scale(self.crops, self.px_per_mm, self.diameters_mm)

    def shares(self) -> dict[str, float]:
        """The share of each split."""
        return {
            TRAIN: 1 - self.validation - self.test,
            VALIDATION: self.validation,
            TEST: self.test,
        }

    def check(self) -> None:
        """Raises InputError for settings that contradict each other."""
        self._check_size()
        self._check_splits()
        self._check_grouping()

    def _check_size(self) -> None:
        if (self.px_per_mm is None) != (self.diameters_mm is None):
            raise InputError(
                "--px-per-mm and --diameters say together how large coins are; give both or neither"
            )
        radii_px = self.expected_coins().radii_px
        if radii_px and not radii_px[0] >= MIN_RADIUS_FOUND_PX:
            raise InputError(
                f"--px-per-mm {self.px_per_mm:g}: "
                f"coins of {radii_px[0]:.0f} pixels radius are too small to be found"
            )

    def _check_splits(self) -> None:
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}: must be 0 or more")
        is_positive = self.validation >= 0 and self.test >= 0
        if not (is_positive and self.validation + self.test < 1):
            raise InputError(
                f"--validation {self.validation:g} and --test {self.test:g} leave nothing to "
                "train on; together they must be below 1"
            )

    def _check_grouping(self) -> None:
        if (self.group_by == NAME) != bool(self.group_pattern):
            raise InputError(
                "--group-by name needs --group-pattern, and the other way round; "
                "such as '--group-by name --group-pattern (photo_[0-9]+)'"
            )
        if self.group_pattern and _compile_pattern(self.group_pattern).groups != 1:
            raise InputError(
                f"--group-pattern {self.group_pattern!r}: "
                "has to have one pair of brackets, around what names the group"
            )


@dataclass(frozen=True)
class PreparedDataset:
    """A finished data set.

    manifest: its dataset.yaml. processed: how many images this run looked at; None where the data
    set was finished already.
    """

    manifest: dict[str, Any]
    processed: int | None


def prepare_dataset(
    settings: PrepareSettings,
    out: Path,
    progress: OpenProgress,
    command: str,
    force: bool = False,
    workers: Workers = HERE,
) -> PreparedDataset:
    """Makes the data set in `out`, or finds it finished there.

    command: as typed, for the report. force: what else is there is replaced. workers: look at the
    images. Raises InputError for
    sources, settings and folders that cannot be used; `out` then holds what is finished, for the
    next run.
    """
    settings.check()
    _check_out(settings, out)
    with open_sources(settings.sources, settings.label_level) as opened:
        sources = opened.images
        if (out / MANIFEST).exists() and not force:
            return PreparedDataset(_check_finished(settings, out, sources, progress), None)
        keys = _group_keys(sources, settings)
        _check_groups(sources, keys, settings)
        if settings.join_sides:
            pairs.match_faces(sources, range(len(sources)))
        out.mkdir(parents=True, exist_ok=True)
        for name, claim in _CLAIMS.items():
            check_output(out / name, claim)
        earlier = list_own_files(out, out / LOG) if force else set()
        with ResumeLog(out / LOG, _what_decides(settings), restart=force) as log:
            if force:
                _clear(out, earlier)
            with progress("reading images", len(sources)) as report:
                images, processed = ingest_images(
                    sources, settings.expected_coins(), out, log, report, workers
                )
            manifest = _finish(settings, out, opened, keys, images, progress, command)
            _tidy(out)
    return PreparedDataset(manifest, processed)


# --- the folder


def _check_out(settings: PrepareSettings, out: Path) -> None:
    """Only a data set of ours may be in `out`, and it may be neither in a source nor around one."""
    for source in settings.sources:
        inner, outer = sorted((out.resolve(), source.resolve()), key=lambda path: -len(path.parts))
        if inner.is_relative_to(outer):
            raise InputError(
                f"{out}: is within the source {source}, or the other way round; "
                "name a folder beside it with --out"
            )
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a new folder with --out")
    is_ours = (out / MANIFEST).is_file() or (out / LOG).is_file()
    if out.is_dir() and any(out.iterdir()) and not is_ours:
        raise InputError(f"{out}: is not empty, and no data set; name a new folder with --out")


def _check_finished(
    settings: PrepareSettings,
    out: Path,
    sources: Sequence[SourceImage],
    progress: OpenProgress,
) -> dict[str, Any]:
    """The manifest of a finished data set.

    Raises InputError where it is damaged, or not what these settings and sources would make.
    """
    count = sum(1 for _ in (out / IMAGES).glob("*/*"))
    with progress("checking the data set", count) as report:
        manifest = Dataset.load(out, report=report).manifest
    earlier = manifest.get("settings", {})
    changed = [name for name, value in settings.to_plain().items() if earlier.get(name) != value]
    if changed:
        raise InputError(
            f"{out}: was made with other settings ({', '.join(changed)}); "
            "name another folder, or make it again with --force"
        )
    if _hash_current(sources, progress) != manifest.get("sources_sha256"):
        raise InputError(
            f"{out}: its sources have changed since it was made; make it again with --force"
        )
    _tidy(out)
    return manifest


def _hash_current(sources: Sequence[SourceImage], progress: OpenProgress) -> str:
    """The hash of the sources as they are now."""
    contents = []
    with progress("checking the sources", len(sources)) as report:
        for number, source in enumerate(sources):
            contents.append(hash_content(read_bytes(source)))
            report(number + 1)
    return _hash_sources(sources, contents)


def _clear(out: Path, own: set[str]) -> None:
    """Removes an earlier data set, but nothing that others put into its folder."""
    for name in (MANIFEST, REPORT):
        (out / name).unlink(missing_ok=True)
    remove_files(out, own)
    (out / TABLE).unlink(missing_ok=True)


def _tidy(out: Path) -> None:
    """Removes what only the log names: duplicates, single sides; and the log itself."""
    named = {row.image_file for row in dataset.read_table(out / TABLE)}
    remove_files(out, list_logged_files(out / LOG) - named)
    (out / LOG).unlink(missing_ok=True)


def _what_decides(settings: PrepareSettings) -> dict[str, Any]:
    """What decides how a single image turns out; where it has changed, the log is worthless."""
    plain = settings.to_plain()
    names = ("crops", "px_per_mm", "diameters_mm")
    return {name: plain[name] for name in names} | {"coinsorter": __version__}


# --- the rows


def _finish(
    settings: PrepareSettings,
    out: Path,
    opened: OpenedSources,
    keys: Sequence[Keys],
    images: Sequence[IngestedImage],
    progress: OpenProgress,
    command: str,
) -> dict[str, Any]:
    """Writes the table, the report and, last, dataset.yaml: a folder without it is unfinished."""
    sources = opened.images
    rows = _decide_on_rows(settings, out, sources, keys, images, progress)
    dataset.write_table(out / TABLE, rows)
    counts = statistics.count_images(rows)
    manifest = _describe(settings, rows) | {
        "counts": counts,
        "passed_over": dict(sorted(opened.passed_over.items())),
        "warnings": statistics.find_warnings(counts, settings.shares(), settings.crops),
        "sources_sha256": _hash_sources(sources, [image.content_sha256 for image in images]),
        "sha256": hash_file(out / TABLE),
    }
    by_path = {source.name: source for source in sources}
    page = dataset_report.render_page(out, manifest, rows, by_path, command, progress)
    with write_file(out / REPORT, _REPORT_CLAIM) as file:
        file.write(page)
    text = dump_yaml(manifest, width=120)
    with write_file(out / MANIFEST, _MANIFEST_CLAIM) as file:
        file.write(text)
    return manifest


def _decide_on_rows(
    settings: PrepareSettings,
    out: Path,
    sources: Sequence[SourceImage],
    keys: Sequence[Keys],
    images: Sequence[IngestedImage],
    progress: OpenProgress,
) -> list[Row]:
    """The rows with duplicates left out, their groups, faces joined, and their splits."""
    rows, repeated = _leave_out_duplicates(images, settings.near_bits, progress)
    groups = _number_groups(keys, repeated)
    rows = [
        replace(row, group=group) if row.image_file else row for row, group in zip(rows, groups)
    ]
    if settings.join_sides:
        with progress("joining sides", len(rows)) as report:
            rows = pairs.join_faces(rows, sources, out, report)
    return _split(rows, settings)


def _leave_out_duplicates(
    images: Sequence[IngestedImage], near_bits: int, progress: OpenProgress
) -> tuple[list[Row], dict[int, Duplicate]]:
    """The rows, those of duplicates left out; and by index what each of those repeats."""
    rows = [image.row for image in images]
    candidates = [index for index, row in enumerate(rows) if row.image_file]
    digests = [images[index].pixels_sha256 for index in candidates]
    equal = duplicates.find_exact(digests, [rows[index].label for index in candidates])
    repeated = _by_row(equal, candidates)
    candidates = [index for index in candidates if index not in repeated]
    with progress("comparing images", len(candidates)) as report:
        hashes = [rows[index].phash for index in candidates]
        labels = [rows[index].label for index in candidates]
        near = duplicates.find_near(hashes, labels, near_bits, report)
    repeated |= _by_row(near, candidates)
    for index, duplicate in repeated.items():
        rows[index] = _leave_out(images[index].row, duplicate, images[duplicate.of].row)
    return rows, repeated


def _by_row(among: Mapping[int, Duplicate], rows: Sequence[int]) -> dict[int, Duplicate]:
    """Duplicates among some rows, by the indices of all rows."""
    return {
        rows[index]: replace(duplicate, of=rows[duplicate.of]) for index, duplicate in among.items()
    }


def _leave_out(row: Row, duplicate: Duplicate, other: Row) -> Row:
    if duplicate.bits is not None:
        distance = f"{duplicate.bits} of {4 * len(other.phash)} bits"
        return row.leave_out("near-duplicate", f"{distance} from {other.source}")
    if other.label == row.label:
        return row.leave_out("duplicate", f"of {other.source}")
    clash = f"which is labelled {other.label}: neither can be trusted"
    return row.leave_out("duplicate", f"of {other.source}, {clash}")


def _check_groups(
    sources: Sequence[SourceImage], keys: Sequence[Keys], settings: PrepareSettings
) -> None:
    """Raises InputError where no label can be split, before any image is read."""
    groups: dict[str, set[int]] = {}
    for source, group in zip(sources, splits.number_groups(keys)):
        if source.label:
            groups.setdefault(source.label, set()).add(group)
    wanted = [name for name, share in settings.shares().items() if share > 0]
    statistics.check_groups([len(own) for own in groups.values()], wanted)


def _group_keys(sources: Sequence[SourceImage], settings: PrepareSettings) -> list[Keys]:
    """What each image shares with others of its group.

    That is its coin and its group in the CSV; without either its burst, or a part of its name.
    """
    keys: list[Keys] = [_keys_from_table(source) for source in sources]
    loose = [index for index, source in enumerate(sources) if not (source.coin_id or source.group)]
    for index, key in zip(loose, _keys_from_names([sources[index] for index in loose], settings)):
        keys[index].append(key)
    return keys


def _keys_from_table(source: SourceImage) -> Keys:
    names = (("coin", source.coin_id), ("group", source.group))
    keys: Keys = [(kind, source.table, name) for kind, name in names if name]
    return keys if source.pages == 1 else [*keys, ("file", str(source.path))]


def _keys_from_names(
    sources: Sequence[SourceImage], settings: PrepareSettings
) -> Sequence[Hashable]:
    """What keeps images together of which the source says nothing."""
    paths = [source.path for source in sources]
    if settings.group_by == BURST:
        by_path = {source.path: source for source in sources}
        return splits.number_bursts(
            paths, settings.burst_gap_s, lambda path: _read_head(by_path[path])
        )
    if settings.group_by == NONE:
        return range(len(paths))
    pattern = _compile_pattern(settings.group_pattern)
    matches = [pattern.search(path.as_posix()) for path in paths]
    unmatched = [path for path, match in zip(paths, matches) if match is None]
    if unmatched:
        raise InputError(
            f"--group-pattern {settings.group_pattern!r} does not fit {unmatched[0]} and "
            f"{len(unmatched) - 1} others; every image needs a group"
        )
    return [match.group(1) for match in matches if match]


def _read_head(source: SourceImage) -> bytes:
    try:
        return source.read_head(EXIF_HEAD_BYTES)
    except (OSError, zipfile.BadZipFile):
        return b""


def _number_groups(keys: Sequence[Keys], repeated: Mapping[int, Duplicate]) -> list[int]:
    """The group of each image, which it also shares with what it repeats."""
    shared = [list(own_keys) for own_keys in keys]
    for index, duplicate in repeated.items():
        for image in (index, duplicate.of):
            shared[image].append(("like", duplicate.of))
    return splits.number_groups(shared)


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"--group-pattern {pattern!r}: is no regular expression: {error}"
        ) from error


def _split(rows: Sequence[Row], settings: PrepareSettings) -> list[Row]:
    """Kept rows with their split, and their groups numbered again without gaps."""
    with_image = [index for index, row in enumerate(rows) if row.image_file]
    if not with_image:
        return list(rows)
    labels = [rows[index].label for index in with_image]
    groups = splits.number_groups([[rows[index].group] for index in with_image])
    names = splits.assign_splits(labels, groups, settings.shares(), settings.seed)
    split_rows = list(rows)
    for index, group, name in zip(with_image, groups, names):
        split_rows[index] = replace(rows[index], group=group, split=name)
    return split_rows


# --- the manifest


def _describe(settings: PrepareSettings, rows: Sequence[Row]) -> dict[str, Any]:
    with_image = [row for row in rows if row.image_file]
    return {
        "format": dataset.FORMAT,
        "coinsorter": __version__,
        "seed": settings.seed,
        "crops": settings.crops,
        "labels": sorted({row.label for row in with_image}),
        "splits": {name: round(share, 6) for name, share in settings.shares().items()},
        "frame": _common_size(with_image),
        "sources": settings.to_plain()["sources"],
        "settings": settings.to_plain(),
    }


def _common_size(rows: Sequence[Row]) -> dict[str, int] | None:
    """Width and height of the originals where all are of one size, else None."""
    sizes = {(row.width_px, row.height_px) for row in rows}
    if len(sizes) != 1:
        return None
    width, height = sizes.pop()
    return {"width_px": width, "height_px": height}


def _hash_sources(sources: Sequence[SourceImage], contents: Sequence[str]) -> str:
    """Changes with any image, label, name or their order."""
    digest = hashlib.sha256()
    for source, content in zip(sources, contents):
        names = [source.name, source.label, source.side, source.coin_id, source.group]
        digest.update(json.dumps([*names, content]).encode() + b"\n")
    return digest.hexdigest()
