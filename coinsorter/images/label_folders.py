"""Which of the folders above an image names its label: not each is a label.

Images are also sorted by face (10c/obverse), by split (train/10c) and by day (2026-11-26/10c).
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from coinsorter.errors import InputError

OBVERSE, REVERSE = "obverse", "reverse"
#: What people call a coin's faces, in small letters.
_OBVERSE_WORDS = (
    "obverse obv anverse av front heads head kopf kopfseite vorderseite bildseite avers avverso "
    "anverso anverse obverso cara dritto testa recto face kruis awers orel"
)
_REVERSE_WORDS = (
    "reverse rev rv back tails tail zahl zahlseite rückseite rueckseite ruckseite wertseite revers "
    "rovescio reverso coroa cruz sello croce verso pile munt rewers reshka"
)
_OTHER_SIDE_WORDS = "edge rim rand kante both sides borda canto bordo tranche"
_SIDES = (
    dict.fromkeys(_OBVERSE_WORDS.split(), OBVERSE)
    | dict.fromkeys(_REVERSE_WORDS.split(), REVERSE)
    | dict.fromkeys(_OTHER_SIDE_WORDS.split(), "")
)
_NUMBERED_SIDE = re.compile(r"(side|face|seite|lado|lato|cote|côté)[ _.-]*([12ab]|one|two)")
_SPLIT = re.compile(
    r"(train|training|test|testing|val|valid|validation|dev|eval|evaluation|hold[ _-]?out)"
    r"([ _-]?(set|data|images|[0-9]+))?|(fold|split)[ _-]?[0-9]+"
)
_SESSION = re.compile(
    r"(session|sitting|day|run|batch|set|roll|tray|burst|shoot|take|series|serie|part|capture|cam"
    r"|camera|lot|sitzung|tag|dia|jour|sess[aã]o|sesi[oó]n|week|box|bag|group)[ _.-]*[0-9]+"
    r"|(19|20)[0-9]{2}[-_. ]?[01][0-9][-_. ]?[0-3][0-9]([ _.tT-]*[0-9]{1,2}[-_.h ]?[0-9]{2}.{0,4})?"
    r"|[0-3]?[0-9][-_.][0-3]?[0-9][-_.](19|20)[0-9]{2}"
    r"|[0-9]{3}[a-z_]{5}"  # a camera's own folders (DCF), such as 100canon
)
#: Names of a level that a message lists.
_MAX_NAMES = 4

#: What the folders of one level are named for.
_LABEL, _SIDE, _SPLIT_LEVEL, _SESSION_LEVEL, _CONSTANT = range(5)


@dataclass(frozen=True)
class Placement:
    """What an image's folders say of it.

    label: "" where none names one. side: OBVERSE, REVERSE or "".
    """

    label: str
    side: str = ""


def place_images(
    source: PurePath, folders: Sequence[tuple[str, ...]], level: int | None = None
) -> list[Placement]:
    """What the folders of each image say of it.

    folders: of each image, the names from the source down to its own folder. level: of the folders
    that are named as labels, 1 directly below the source; None: whichever has names that are no
    faces, splits or days. Raises InputError where several levels may be meant.
    """
    levels = [_list_names(folders, depth) for depth in range(max(map(len, folders), default=0))]
    if level is not None and levels:
        _check_level(source, level, len(levels))
        chosen = level - 1
    else:
        chosen = _choose_level(source, levels)
    return [_place(names, chosen) for names in folders]


def _list_names(folders: Sequence[tuple[str, ...]], depth: int) -> list[str]:
    return sorted({names[depth] for names in folders if len(names) > depth})


def _place(names: tuple[str, ...], level: int) -> Placement:
    others = [name for depth, name in enumerate(names) if depth != level]
    sides = [side for side in map(find_side, others) if side]
    label = names[level] if len(names) > level else ""
    return Placement(label, sides[-1] if sides else "")


def find_side(folder: str) -> str | None:
    """The face that a folder is named for; "" for one of them; None where it is no face's name."""
    name = _fold(folder)
    if _NUMBERED_SIDE.fullmatch(name):
        return ""
    return _SIDES.get(name)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


def _choose_level(source: PurePath, levels: Sequence[list[str]]) -> int:
    kinds = [_classify(names) for names in levels]
    labels = [depth for depth, kind in enumerate(kinds) if kind == _LABEL]
    if len(labels) == 1:
        return labels[0]
    if len(labels) > 1:
        raise InputError(_describe_levels(source, levels, labels))
    if any(kind in (_SIDE, _SPLIT_LEVEL, _SESSION_LEVEL) for kind in kinds):
        raise InputError(_describe_no_label(source, levels))
    return max(0, len(levels) - 1)


def _classify(names: Sequence[str]) -> int:
    folded = [_fold(name) for name in names]
    if all(find_side(name) is not None for name in names):
        return _SIDE
    if all(_SPLIT.fullmatch(name) for name in folded):
        return _SPLIT_LEVEL
    if all(_SESSION.fullmatch(name) for name in folded):
        return _SESSION_LEVEL
    return _CONSTANT if len(names) == 1 else _LABEL


def _check_level(source: PurePath, level: int, count: int) -> None:
    if level > count:
        raise InputError(
            f"--label-level {level}: the folders of {source} have {count} levels; "
            "1 is directly below it"
        )


def _describe_levels(
    source: PurePath, levels: Sequence[list[str]], candidates: Sequence[int]
) -> str:
    upper, lower = candidates[0], candidates[-1]
    return (
        f"{source}: folders {_list_some(levels[lower])} lie in {_list_some(levels[upper])}: "
        f"which are named as labels? say {_list_choices(levels, candidates)}"
    )


def _describe_no_label(source: PurePath, levels: Sequence[list[str]]) -> str:
    return (
        f"{source}: its folders are named as faces, splits or days, and none as a label; "
        f"put images into folders named as labels, or say "
        f"{_list_choices(levels, range(len(levels)))}"
    )


def _list_choices(levels: Sequence[list[str]], candidates: Sequence[int]) -> str:
    choices = [f"--label-level {depth + 1} for {_list_some(levels[depth])}" for depth in candidates]
    return ", or ".join(choices)


def _list_some(names: Sequence[str]) -> str:
    listed = ", ".join(name if name.isprintable() else repr(name) for name in names[:_MAX_NAMES])
    more = len(names) - _MAX_NAMES
    return f"{listed} and {more} more" if more > 0 else listed


def find_known_label(
    path: PurePath, folder: PurePath, resolve: Callable[[str], str | None], known: Collection[str]
) -> str | None:
    """The label of an image below a folder, where labels are known.

    It is that of the nearest folder which names one of `known`; where none does, the name of the
    image's own folder; None for an image directly in `folder`. resolve: the label that a folder's
    name stands for.
    """
    names = path.relative_to(folder).parts[:-1]
    if not names:
        return None
    for name in reversed(names):
        label = resolve(name)
        if label in known:
            return label
    return resolve(names[-1])
