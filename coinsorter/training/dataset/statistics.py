"""What a data set holds in numbers, and what is amiss with it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from coinsorter.errors import InputError
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.dataset import Row
from coinsorter.training.dataset.splits import SPLITS


def counts(rows: Sequence[Row]) -> dict[str, Any]:
    """Pictures and groups: in all, by split, by label and split, and left out by reason."""
    kept = [row for row in rows if row.picture]
    handed_in = Counter(row.label for row in rows if row.label)
    return {
        "pictures": len(rows),
        **_of(kept),
        "labels": {
            label: _of([row for row in kept if row.label == label]) | {"pictures": handed_in[label]}
            for label in sorted(handed_in)
        },
        "left_out": {
            reason: count
            for reason in quality.REASONS
            if (count := sum(row.reason == reason for row in rows))
        },
    }


def _of(kept: Sequence[Row]) -> dict[str, Any]:
    dealt = Counter(row.split for row in kept)
    return {
        "kept": len(kept),
        "groups": len({row.group for row in kept}),
        "splits": {name: dealt[name] for name in SPLITS},
    }


def warnings(counted: dict[str, Any], shares: Mapping[str, float], crops: bool) -> list[str]:
    """What a trainer should know of a data set that was counted. Raises InputError where it is none to train on, and judge on where wanted."""
    labels = {label: own for label, own in counted["labels"].items() if own["kept"]}
    why = (
        ", ".join(
            f"{count} {reason}"
            for reason, count in sorted(counted["left_out"].items(), key=lambda item: -item[1])
        )
        or "nothing"
    )
    coinless = not crops and counted["left_out"].get("no-coin", 0) > counted["pictures"] / 2
    hint = "; if they are ready crops, make it anew with --crops --force" if coinless else ""
    if len(labels) < 2:
        raise InputError(
            f"pictures of {' and '.join(labels) or 'no label'} are left, and of two labels at least are needed; left out: {why}{hint}"
        )
    wanted = [name for name, share in shares.items() if share > 0]
    if len(wanted) > 1 and all(own["groups"] < 2 for own in labels.values()):
        raise InputError(
            "the pictures of each label are all one group, so that none are left to judge on; where names hold no times, try --group-by none"
        )
    found = [_scarce(label, own, wanted) for label, own in counted["labels"].items()]
    return [words for words in found if words] + (
        [f"most pictures show no coin{hint}"] if coinless else []
    )


def _scarce(label: str, own: dict[str, Any], wanted: Sequence[str]) -> str:
    """What is wrong with a label's pictures, or nothing."""
    missing = [name for name in wanted if not own["splits"][name]]
    if not own["kept"]:
        return f"{label}: none of its {own['pictures']} pictures is fit to train on"
    groups = f"{own['groups']} group{'s' if own['groups'] > 1 else ''} of {own['kept']} pictures"
    return f"{label}: {groups}, none left for {' and '.join(missing)}" if missing else ""
