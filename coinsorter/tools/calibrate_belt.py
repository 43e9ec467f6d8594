"""Coins that ride through an open flap -> how long they take to the sensor below it, and where that puts the flap."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil, sqrt
from typing import Protocol

import numpy as np

from coinsorter.config import Config
from coinsorter.errors import InputError
from coinsorter.records import Coin
from coinsorter.sorting.ports import Camera
from coinsorter.vision.detect import Search, find_things
from coinsorter.vision.track import BeltTracker

GRAVITY_MM_S2 = 9806.65  # standard gravity
# Rules of thumb.
LEAST_TRAVELS = 8
MOST_UNSEEN = 3  # coins that may ride by before something falls past the sensor
WORST_SPREAD_MM = (
    10.0  # standard deviation of single coins: more, and they do not all take the same way
)
SPREADS = 3.0  # of single coins that drop_ms allows for: 0.3 % of a normal distribution lie beyond
LEAST_DROP_MS = 20  # config.yaml's own


class Flaps(Protocol):
    def move(self, bin: str, open: bool) -> None:
        """Turns one flap."""


@dataclass(frozen=True)
class Travel:
    """A coin that rode alone, and when it fell past its bin's sensor, seconds on the monotonic clock."""

    coin: Coin
    fell_s: float


@dataclass(frozen=True)
class Place:
    """Where a flap is.

    distance_mm: from the view's middle to the flap's, as flap.distance_mm. drop_ms: what flap.drop_ms has to allow for. took_ms: from the
    view's middle to the sensor. spread_mm: how far single coins are off the distance, standard deviation. known_to_mm: the distance's standard
    error, without what the belt's speed, the height of the fall and the sensor's delay are off.
    """

    distance_mm: float
    drop_ms: float
    took_ms: float
    spread_mm: float
    known_to_mm: float
    coins: int


def refuse_without_sensor(config: Config, bins: list[str]) -> None:
    """Raises InputError naming a bin that has no drop sensor."""
    for bin_ in config.bins:
        if bin_.name in bins and bin_.flap.drop_pin is None:
            how = "wire one and set its flap.drop_pin in config.yaml"
            raise InputError(f"bin {bin_.name} has no drop sensor that could see coins fall; {how}")


def travels(
    camera: Camera,
    tracker: BeltTracker,
    search: Search,
    bin: str,
    fallen_s: Callable[[], list[float]],
) -> Iterator[Travel]:
    """Coins that ride one by one into a bin, until the camera has no more frames.

    Coins that had company on their way are left out: nobody can tell which of them fell.
    fallen_s: when something fell into the bin since last asked. Raises InputError where coins ride by and nothing falls.
    """
    riding: list[Coin] = []
    waiting_s = fallen_s()[:0]  # what fell before is none of ours
    while frame := camera.next_frame():
        riding += tracker.update(frame, find_things(frame.pixels, search))
        waiting_s += fallen_s()
        due_s = [at_s for at_s in waiting_s if at_s <= frame.taken_s]  # pictures may lag behind
        waiting_s = waiting_s[len(due_s) :]
        if due_s and len(riding) == 1 and riding[0].alone:
            yield Travel(riding[0], due_s[0])
        if due_s:
            riding = []
        if len(riding) > MOST_UNSEEN:
            how = "lay them one by one, and look at the flap and at its sensor"
            raise InputError(
                f"bin {bin}: {len(riding)} coins rode by and none was seen to fall; {how}"
            )


def through(
    flaps: Flaps, bin: str, found: Iterator[Travel], count: int, progress: Callable[[int], None]
) -> list[Travel]:
    """The first so many travels through a bin's flap, which is open meanwhile and goes to rest afterwards, whatever happens."""
    flaps.move(bin, open=True)
    try:
        kept = []
        for travel in islice(found, count):
            kept.append(travel)
            progress(len(kept))
        return kept
    finally:
        flaps.move(bin, open=False)


def place(bin: str, found: list[Travel], speed_mm_s: float, fall_mm: float) -> Place:
    """Where a bin's flap is, from coins that fell through it. Raises InputError where they are too few or too far apart.

    A coin's middle was at x when it was last seen, at the time s. The belt, of speed v, takes it to the flap's middle, D from the view's, in
    (D - x) / v. There nothing holds it any more, and it falls freely from rest, since the belt's push is level: a sensor that looks h below the
    belt sees it after sqrt(2 h / g). So it falls past the sensor at t = s + (D - x) / v + sqrt(2 h / g), and

        D = x + v (t - s - sqrt(2 h / g)).

    D and the fall cannot be told apart by such times alone, so h is measured with a ruler. An error of it matters little: after 50 mm a coin
    falls with 1 m/s, so that 5 mm too much are 5 ms, or 1.2 mm of D at 250 mm/s. What a coin needs to tip into the flap, and what the sensor's
    word comes late, is taken for a longer way: 5 ms of it, too, are 1.2 mm. v is the median coin's speed. A wrong px_per_mm makes v and D
    wrong by the same factor, and the times right that the machine plans with, which are D / v.

    drop_ms is the fall, and SPREADS of what single coins are off. The machine waits so long from when the slowest such coin's rear has left
    the flap, later than its middle was there: that much is to spare.
    """
    if len(found) < LEAST_TRAVELS:
        raise InputError(
            f"bin {bin}: {len(found)} coins were seen to fall; its flap's place wants {LEAST_TRAVELS} or more, laid one by one"
        )
    fall_s = sqrt(2 * fall_mm / GRAVITY_MM_S2)
    ways_mm = np.array(
        [
            travel.coin.x_mm + speed_mm_s * (travel.fell_s - travel.coin.seen_s - fall_s)
            for travel in found
        ]
    )
    distance_mm = float(np.median(ways_mm))
    spread_mm = 1.4826 * float(np.median(np.abs(ways_mm - distance_mm)))
    if not spread_mm <= WORST_SPREAD_MM:
        how = "see that the flap opens wholly, that coins lie still, and that nothing else trips its sensor"
        raise InputError(
            f"bin {bin}: single coins put its flap {spread_mm:.0f} mm apart (standard deviation); {how}"
        )
    drop_ms = max(LEAST_DROP_MS, ceil(1000 * (fall_s + SPREADS * spread_mm / speed_mm_s)))
    known_to_mm = (
        1.2533 * spread_mm / sqrt(len(found))
    )  # of a median, in large samples of a normal distribution
    return Place(
        distance_mm,
        drop_ms,
        1000 * (distance_mm / speed_mm_s + fall_s),
        spread_mm,
        known_to_mm,
        len(found),
    )
