"""When an image was taken, by its file's name: seconds, milliseconds, a date, or a mere count.

Phones, cameras and `coinsorter capture` name their files differently.
"""

import calendar
import re
from dataclasses import dataclass
from pathlib import PurePath

#: Seconds since 1970 in names: 2001 to 2096. What else has ten digits is none.
_MIN_EPOCH_S, _MAX_EPOCH_S = 1_000_000_000, 4_000_000_000
#: Digits of such a time, and how many are behind the second.
_EPOCH_DIGITS = {10: 0, 13: 3, 16: 6, 19: 9}
_DATE = (
    r"(?<!\d)(?:((?:19|20)\d\d)[-_. ]?(0[1-9]|1[0-2])[-_. ]?(0[1-9]|[12]\d|3[01])"
    r"|(0[1-9]|[12]\d|3[01])[-_.](0[1-9]|1[0-2])[-_.]((?:19|20)\d\d))"
)
_TIME = (
    r"([01]\d|2[0-3]|\d(?=[-_.:h]))[-_.:h ]?([0-5]\d)[-_.:m ]?([0-5]\d)(?:[-_.,]?(\d{3}))?(?!\d)"
    r"(?:[\s_]?([AaPp])\.?[Mm])?"
)
#: Such as IMG_20261126_101500123, 2026-11-26 10.15.00, WhatsApp Image 2026-11-26 at 10.15.00 AM,
#: 26.11.2026 10.15.00.
_DATE_AND_TIME = re.compile(_DATE + r"(?:[-_ ]*[a-zA-Zà-ú]{0,4}[-_ ]*)" + _TIME)
#: Such as 10c_1795718216257_12, and 10c_1795718216257_12_roll-3 with what belongs together.
_CAPTURED = re.compile(r"(.+)_(\d{13})_(\d+)(?:_([^_]+))?")
#: Counts that cameras and messengers give: DSC0001, IMG_0001, P1010001, IMG-20261126-WA0001.
_COUNTED = re.compile(
    r"(.*(?:^|[-_ ])(?:DSC[NF]?|_?IMGP?|_?MG|P[0-9A-C]\d\d|PICT|SAM|CIMG|GOPR|HPIM|SDC|DJI|WA|MVI))"
    r"[-_]?\d{3,5}(?:[ _-]*\(?\d{1,3}\)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class CaptureName:
    """What `coinsorter capture` says in a file's name.

    taken_s: seconds since 1970. group: what belongs together, or "".
    """

    taken_s: float
    group: str = ""


def last_number(name: str) -> int:
    """The last number in a name, a time or a count; -1 where there is none."""
    numbers = re.findall(r"[0-9]+", name)
    return int(numbers[-1]) if numbers else -1


def read_taken_s(stem: str) -> float:
    """When an image was taken, in seconds, by its file's name without the ending.

    A date and time, or seconds, milliseconds, microseconds or nanoseconds since 1970; else the last
    number. -1 where there is none.
    """
    captured = read_capture_name(stem)
    if captured:
        return captured.taken_s
    return _read_date_s(stem) or _read_epoch_s(stem) or last_number(stem)


def _read_date_s(stem: str) -> float | None:
    match = _DATE_AND_TIME.search(stem)
    if match is None:
        return None
    year, month, day = map(int, match.group(1, 2, 3) if match[1] else match.group(6, 5, 4))
    hour, minute, second = map(int, match.group(7, 8, 9))
    half = (match[11] or "").lower()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    whole_s: int = calendar.timegm((year, month, day, hour, minute, second))
    return whole_s + int(match[10] or 0) / 1000


def _read_epoch_s(stem: str) -> float | None:
    for digits in reversed(re.findall(r"[0-9]+", stem)):
        decimals = _EPOCH_DIGITS.get(len(digits))
        if decimals is None:
            continue
        taken_s = float(int(digits) / 10**decimals)
        if _MIN_EPOCH_S <= taken_s < _MAX_EPOCH_S:
            return taken_s
    return None


def read_capture_name(stem: str) -> CaptureName | None:
    """What `coinsorter capture` wrote into a name; None where it is not one of its names."""
    match = _CAPTURED.fullmatch(stem)
    if match is None:
        return None
    taken_s = int(match[2]) / 1000
    is_time = _MIN_EPOCH_S <= taken_s < _MAX_EPOCH_S
    return CaptureName(taken_s, match[4] or "") if is_time else None


def format_capture_name(label: str, taken_s: float, number: int, group: str = "") -> str:
    """The name of a captured coin's file without its ending, as `read_capture_name` reads it."""
    ending = f"_{group}" if group else ""
    return f"{label}_{round(1000 * taken_s)}_{number}{ending}"


def find_counted(stem: str) -> str | None:
    """What stands before a camera's count in a name such as DSC0001, which tells no time.

    None for other names.
    """
    if _read_date_s(stem) is not None or _read_epoch_s(stem) is not None:
        return None
    match = _COUNTED.fullmatch(stem)
    return match[1] if match else None


def order_taken(path: PurePath) -> tuple[float, str]:
    """Sorts images in the order taken."""
    return read_taken_s(path.stem), str(path)
