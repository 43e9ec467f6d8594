"""The belt's speed, from coins that ride by; and where flaps are, from coins that fall through."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil, sqrt
from typing import Protocol

import numpy as np

from coinsorter.config.schema import Config
from coinsorter.errors import InputError
from coinsorter.records import Coin
from coinsorter.robust import mad_std
from coinsorter.tools.capture import BeltView

#: Standard gravity (CGPM 1901).
GRAVITY_MM_S2 = 9806.65
#: Standard error of a median over that of a mean, sqrt(pi / 2), in large normal samples.
MEDIAN_SEM_FACTOR = 1.2533
#: Standard deviations of single coins that a tolerance allows for: 0.3 % of a normal distribution
#: lie beyond.
ALLOWED_STDS = 3.0

# Rules of thumb.
#: Coins that a median of speeds or of places needs.
MIN_COINS = 8
#: Relative tolerance of the belt's speed that an even belt gets.
MIN_TOLERANCE = 0.005
#: The largest tolerance that config.yaml takes.
MAX_TOLERANCE = 0.2
#: Coins that may ride by before something falls past the sensor.
MAX_UNSEEN_COINS = 3
#: Standard deviation of single coins' places; with more, they do not all take the same way.
MAX_DISTANCE_STD_MM = 10.0
#: The shortest drop_ms that config.yaml takes.
MIN_DROP_MS = 20


@dataclass(frozen=True)
class BeltSpeed:
    """The belt's speed by the median coin.

    relative_mad_std: standard deviation of single coins' speeds over the median, from the median
    absolute deviation. tolerance: the relative one that allows for it. coins: how many rode alone.
    """

    speed_mm_s: float
    relative_mad_std: float
    tolerance: float
    coins: int


def measure_belt_speed(coins: list[Coin]) -> BeltSpeed:
    """The belt's speed, from the coins that rode by alone.

    Raises InputError where they are too few, or ride at speeds of their own.
    """
    speeds_mm_s = np.array([coin.speed_mm_s for coin in coins if coin.alone])
    if len(speeds_mm_s) < MIN_COINS:
        raise InputError(
            f"{len(speeds_mm_s)} coins rode by alone; the belt's speed needs {MIN_COINS} or more"
        )
    median_mm_s = float(np.median(speeds_mm_s))
    speed_std = mad_std(speeds_mm_s / median_mm_s, center=1.0)
    tolerance = max(MIN_TOLERANCE, ALLOWED_STDS * speed_std)
    if tolerance > MAX_TOLERANCE:
        raise InputError(
            f"the coins' speeds are {100 * speed_std:.0f} % apart; see that they lie still on the "
            "belt and that it runs evenly"
        )
    return BeltSpeed(median_mm_s, speed_std, tolerance, len(speeds_mm_s))


class MovedFlaps(Protocol):
    """Flaps that can be opened."""

    def move(self, bin: str, open: bool) -> None:
        """Turns one flap."""


@dataclass(frozen=True)
class FallenCoin:
    """A coin that rode alone, and when it fell past its bin's sensor.

    fell_s: seconds on the monotonic clock.
    """

    coin: Coin
    fell_s: float


@dataclass(frozen=True)
class FlapPlace:
    """Where a flap is.

    distance_mm: from the view's centre to the flap's, as flap.distance_mm. drop_ms: what
    flap.drop_ms has to allow for. travel_ms: from the view's centre to the sensor.
    distance_mad_std_mm: standard deviation of single coins' distances, from the median absolute
    deviation. distance_sem_mm: the distance's standard error, without the errors of the belt's
    speed, the height of the fall and the sensor's delay. coins: how many fell.
    """

    distance_mm: float
    drop_ms: float
    travel_ms: float
    distance_mad_std_mm: float
    distance_sem_mm: float
    coins: int


def check_drop_sensors(config: Config, bins: list[str]) -> None:
    """Raises InputError naming a bin that has no drop sensor."""
    for bin_ in config.bins:
        if bin_.name in bins and bin_.flap.drop_pin is None:
            raise InputError(
                f"bin {bin_.name} has no drop sensor that could see coins fall; "
                "wire one and set its flap.drop_pin in config.yaml"
            )


def follow_falling_coins(
    view: BeltView, bin: str, read_falls_s: Callable[[], list[float]]
) -> Iterator[FallenCoin]:
    """Coins that ride one by one into a bin, until the camera has no more frames.

    Coins that were not alone on their way are left out: it is unknown which of them fell.
    read_falls_s: when something fell into the bin since the last call, seconds on the monotonic
    clock. Raises InputError where coins ride by and nothing falls.
    """
    riding: list[Coin] = []
    waiting_s: list[float] = []
    read_falls_s()  # what fell before
    while frame := view.camera.next_frame():
        riding += view.track(frame)
        waiting_s += read_falls_s()
        due_s = [fell_s for fell_s in waiting_s if fell_s <= frame.taken_s]  # frames may lag behind
        waiting_s = waiting_s[len(due_s) :]
        if due_s and len(riding) == 1 and riding[0].alone:
            yield FallenCoin(riding[0], due_s[0])
        if due_s:
            riding = []
        _check_unseen_coins(bin, len(riding))


def _check_unseen_coins(bin: str, coins: int) -> None:
    if coins > MAX_UNSEEN_COINS:
        raise InputError(
            f"bin {bin}: {coins} coins rode by and none was seen to fall; "
            "lay them one by one, and look at the flap and at its sensor"
        )


def open_for_coins(
    flaps: MovedFlaps,
    bin: str,
    falling: Iterator[FallenCoin],
    count: int,
    progress: Callable[[int], None],
) -> list[FallenCoin]:
    """The first coins that fall through a bin's flap, `count` of them at most.

    The flap is open meanwhile and goes to rest afterwards, whatever happens. progress: takes the
    number of coins that have fallen.
    """
    flaps.move(bin, open=True)
    try:
        fallen = []
        for coin in islice(falling, count):
            fallen.append(coin)
            progress(len(fallen))
        return fallen
    finally:
        flaps.move(bin, open=False)


def locate_flap(bin: str, fallen: list[FallenCoin], speed_mm_s: float, fall_mm: float) -> FlapPlace:
    """Where a bin's flap is, from coins that fell through it.

    speed_mm_s: the belt's. fall_mm: how far below the belt the sensor is. Raises InputError where
    the coins are too few or too far apart.

    A coin's centre was at x when it was last seen, at the time s. The belt, of speed v, takes it to
    the flap's centre, D from the view's, in (D - x) / v. There nothing holds it any more, and it
    falls freely from rest, since the belt's push is level: a sensor h below the belt sees it after
    sqrt(2 h / g). So it falls past the sensor at t = s + (D - x) / v + sqrt(2 h / g), and

        D = x + v (t - s - sqrt(2 h / g)).

    D and the fall cannot be distinguished by such times alone, so h is measured with a ruler. Its
    error matters little: after 50 mm a coin falls with 1 m/s, so that 5 mm too much are 5 ms, or
    1.2 mm of D at 250 mm/s. The time that a coin needs to tip into the flap, and the delay of the
    sensor, are taken for a longer way: 5 ms of it, too, are 1.2 mm. v is the median coin's speed. A
    wrong px_per_mm makes v and D wrong by the same factor, and leaves the times right that the
    machine plans with, which are D / v.

    drop_ms is the fall, and ALLOWED_STDS standard deviations of single coins. The machine waits for
    that time from when the rear of the slowest such coin has left the flap, later than its centre
    was there: that much is to spare.
    """
    if len(fallen) < MIN_COINS:
        raise InputError(
            f"bin {bin}: {len(fallen)} coins were seen to fall; its flap's place needs {MIN_COINS} "
            "or more, laid one by one"
        )
    fall_s = sqrt(2 * fall_mm / GRAVITY_MM_S2)
    distances_mm = np.array([_locate_edge(one, speed_mm_s, fall_s) for one in fallen])
    distance_mm = float(np.median(distances_mm))
    mad_std_mm = _measure_distance_std(bin, distances_mm)
    drop_s = fall_s + ALLOWED_STDS * mad_std_mm / speed_mm_s
    return FlapPlace(
        distance_mm=distance_mm,
        drop_ms=max(MIN_DROP_MS, ceil(1000 * drop_s)),
        travel_ms=1000 * (distance_mm / speed_mm_s + fall_s),
        distance_mad_std_mm=mad_std_mm,
        distance_sem_mm=MEDIAN_SEM_FACTOR * mad_std_mm / sqrt(len(fallen)),
        coins=len(fallen),
    )


def _locate_edge(fallen: FallenCoin, speed_mm_s: float, fall_s: float) -> float:
    """Where one coin began to fall, in mm from the view's centre."""
    ride_s = fallen.fell_s - fallen.coin.seen_s - fall_s
    return fallen.coin.x_mm + speed_mm_s * ride_s


def _measure_distance_std(bin: str, distances_mm: np.ndarray) -> float:
    """In mm, from the median absolute deviation. Raises InputError where it is too large."""
    mad_std_mm = mad_std(distances_mm)
    if not mad_std_mm <= MAX_DISTANCE_STD_MM:
        raise InputError(
            f"bin {bin}: single coins put its flap {mad_std_mm:.0f} mm apart (standard "
            "deviation); see that the flap opens wholly, that coins lie still, and that nothing "
            "else trips its sensor"
        )
    return mad_std_mm
