"""What a data set holds in numbers, and what is wrong with it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from coinsorter.errors import InputError
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.dataset import Row
from coinsorter.training.dataset.splits import SPLITS


def count_images(rows: Sequence[Row]) -> dict[str, Any]:
    """Images and groups: in all, by split, by label and split, and left out by reason."""
    kept_rows = [row for row in rows if row.image_file]
    return {
        "pictures": len(rows),
        **_count_kept(kept_rows),
        "labels": _count_by_label(rows, kept_rows),
        "left_out": _count_by_reason(rows),
    }


def _count_by_label(rows: Sequence[Row], kept_rows: Sequence[Row]) -> dict[str, Any]:
    total = Counter(row.label for row in rows if row.label)
    counts = {}
    for label in sorted(total):
        own_rows = [row for row in kept_rows if row.label == label]
        counts[label] = _count_kept(own_rows) | {"pictures": total[label]}
    return counts


def _count_by_reason(rows: Sequence[Row]) -> dict[str, int]:
    counts = Counter(row.reason for row in rows)
    return {reason: counts[reason] for reason in quality.REASONS if counts[reason]}


def _count_kept(rows: Sequence[Row]) -> dict[str, Any]:
    by_split = Counter(row.split for row in rows)
    return {
        "kept": len(rows),
        "groups": len({row.group for row in rows}),
        "splits": {name: by_split[name] for name in SPLITS},
    }


def find_warnings(counts: dict[str, Any], shares: Mapping[str, float], crops: bool) -> list[str]:
    """What a trainer should know of a data set that `count_images` counted.

    shares: the wanted share of each split. crops: its images are ready crops. Raises InputError
    where nothing is left to train on, or to judge on where that is wanted.
    """
    hint = _hint_at_crops(counts, crops)
    wanted = [name for name, share in shares.items() if share > 0]
    _check_labels(counts, hint)
    check_groups([own["groups"] for own in counts["labels"].values() if own["kept"]], wanted)
    warnings = [_warn_of_label(label, own, wanted) for label, own in counts["labels"].items()]
    if hint:
        warnings.append(f"most images show no coin{hint}")
    return [warning for warning in warnings if warning]


def _hint_at_crops(counts: dict[str, Any], crops: bool) -> str:
    """What to do where most images show no coin; "" where that is not so."""
    without_coin = counts["left_out"].get("no-coin", 0)
    if crops or without_coin <= counts["pictures"] / 2:
        return ""
    return "; if they are ready crops, make it again with --crops --force"


def _check_labels(counts: dict[str, Any], hint: str) -> None:
    labels = [label for label, own in counts["labels"].items() if own["kept"]]
    if len(labels) >= 2:
        return
    reasons = sorted(counts["left_out"].items(), key=lambda item: -item[1])
    left_out = ", ".join(f"{count} {reason}" for reason, count in reasons) or "nothing"
    raise InputError(
        f"images of {' and '.join(labels) or 'no label'} are left, "
        f"and at least two labels are needed; left out: {left_out}{hint}"
    )


def check_groups(groups: Sequence[int], wanted: Sequence[str]) -> None:
    """Raises InputError where no label can be split.

    groups: how many each label has. wanted: the splits that are to get images.
    """
    if len(wanted) > 1 and all(count < 2 for count in groups):
        raise InputError(
            "the images of each label are all one group, so that none are left to judge on; "
            "where names hold no times, try --group-by none"
        )


def _warn_of_label(label: str, own: dict[str, Any], wanted: Sequence[str]) -> str:
    """What is wrong with a label's images, or ""."""
    if not own["kept"]:
        return f"{label}: none of its {own['pictures']} images is fit to train on"
    missing = [name for name in wanted if not own["splits"][name]]
    if not missing:
        return ""
    groups = f"{own['groups']} group{'s' if own['groups'] > 1 else ''}"
    return f"{label}: {groups} of {own['kept']} images, none left for {' and '.join(missing)}"
