"""What may be a label, and what labels and coins contradict each other."""

import re
import unicodedata
from collections.abc import Sequence

from coinsorter.errors import InputError
from coinsorter.training.dataset.source_image import SourceImage

#: Characters; a label names a folder.
MAX_LABEL_LENGTH = 80
#: Characters that no folder's name may have on some system.
FORBIDDEN_IN_LABELS = set('/\\:*?"<>|')
#: Names that Windows keeps for devices, whatever follows a dot.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
#: Characters of a label in a message.
_MAX_SHOWN = 100


def normalize_label(label: str) -> str:
    """A label as folders of the data set are named: without space around it, in one spelling.

    Unicode writes an accented letter in two ways, and computers differ in which.
    """
    return unicodedata.normalize("NFC", label).strip()


def check_labels(labels: Sequence[str]) -> None:
    """Raises InputError for labels that name no folder, look alike, or are fewer than two."""
    spellings: dict[str, str] = {}
    for label in dict.fromkeys(unicodedata.normalize("NFC", label) for label in labels):
        if not label.strip():
            continue
        check_label(label)
        plain = "".join(unicodedata.normalize("NFKC", label).casefold().split())
        other = spellings.setdefault(plain, label)
        if other != label:
            raise InputError(
                f"labels {other!r} and {label!r} differ only by case or space; "
                "spell them alike if they are one, else name them apart"
            )
    _check_count(list(spellings.values()))


def _check_count(labels: Sequence[str]) -> None:
    if len(labels) < 2:
        only = f"only one label, {labels[0]!r}" if labels else "no labels"
        raise InputError(
            f"{only}: at least two are needed; "
            "put the images of each into a folder of its name, or name them in a CSV"
        )


def check_label(label: str) -> None:
    """Raises InputError for a label that cannot name a folder on every system."""
    stripped = label.strip()
    is_printable = stripped.isprintable() and not stripped.startswith(".")
    is_portable = not (stripped.endswith(".") or _RESERVED.fullmatch(stripped))
    is_short = len(label) <= MAX_LABEL_LENGTH
    if not (is_short and is_printable and is_portable) or set(label) & FORBIDDEN_IN_LABELS:
        shortened = label if len(label) <= _MAX_SHOWN else label[:_MAX_SHOWN] + "..."
        raise InputError(
            f"label {shortened!r} cannot name a folder; "
            f"use up to {MAX_LABEL_LENGTH} letters, digits, '_' and '-'"
        )


def check_coins(images: Sequence[SourceImage]) -> None:
    """Raises InputError for one coin under two labels."""
    labels: dict[tuple[str, str], str] = {}
    for image in images:
        label = normalize_label(image.label)
        if not (image.coin_id and label):
            continue
        other = labels.setdefault((image.table, image.coin_id), label)
        if other != label:
            raise InputError(
                f"{image.table}: coin_id {image.coin_id!r} is labelled {other!r} and "
                f"{label!r}; it can be one of them only"
            )
