"""The simulated belt: items ride on it past the camera and the flaps, and land where flaps lead.

The belt's speed wanders; items keep their places on it. An item is turned into a bin if the flap
was open all the while it was there, and passes if the flap was at rest all the while. Struck by a
moving flap, it may go either way.
"""

from bisect import bisect_right
from dataclasses import dataclass
from threading import Lock

import numpy as np

from coinsorter.config.schema import BinSettings, Config
from coinsorter.simulator import coins, foreign_objects
from coinsorter.simulator.servo import SimulatedServo

#: Relative standard deviation of the belt's speed: assumed, well within the configured tolerance.
SPEED_STD = 0.004
#: Time constant of the Ornstein-Uhlenbeck process that the speed follows, s: assumed.
SPEED_MEMORY_S = 2.0
#: Step of the belt's position, s.
STEP_S = 0.001
#: How much of the belt's way is computed at once, s.
EXTENSION_S = 10.0

#: A flap turns items into its bin from this openness on, 0 at rest and 1 open: assumed.
MIN_OPEN = 0.9
#: A flap lets items pass up to this openness: assumed.
MAX_REST = 0.1
#: Probability that a moving flap turns an item that it strikes into its bin: assumed.
STRIKE_PROBABILITY = 0.5

#: The belt ends this far behind its last flap, mm: items land there.
RUN_OUT_MM = 60
#: Items whose middle is this far outside of the view may still be seen in it, mm.
VIEW_MARGIN_MM = 40

#: Part of the items that are foreign.
FOREIGN_FRACTION = 0.2
#: No item follows another closer than this, middle to middle, mm; longer ones keep more distance.
MIN_SPACING_MM = 78.0
#: Mean of the random gap that the feeder adds to that, mm.
MEAN_GAP_MM = 12.0
#: Half the length of the longest item that MIN_SPACING_MM is enough for, mm.
SPACED_HALF_LENGTH_MM = 14
#: Standard deviation of where items lie across the belt, and the farthest they lie, mm.
ACROSS_STD_MM = 6
MAX_ACROSS_MM = 18


class BeltDrive:
    """How far the belt has run at any time.

    Its speed follows an Ornstein-Uhlenbeck process about speed_mm_s. Several threads may ask.
    """

    def __init__(
        self,
        speed_mm_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._speed_mm_s = speed_mm_s
        self._rng = rng
        self._positions_mm = np.zeros(1)
        self._deviation = 0.0
        self._extending = Lock()

    def compute_position_mm(self, time_s: float) -> float:
        """How far the belt has run by then; it stood still before the start."""
        time_s = max(0.0, time_s)
        with self._extending:
            while time_s >= (len(self._positions_mm) - 1) * STEP_S:
                self._extend()
        before = int(time_s / STEP_S)
        steps = [before, before + 1]
        positions_mm = self._positions_mm[before : before + 2]
        return float(np.interp(time_s / STEP_S, steps, positions_mm))

    def compute_time_s(self, position_mm: float) -> float:
        """The time at which the belt has run that far."""
        with self._extending:
            while self._positions_mm[-1] < position_mm:
                self._extend()
        after = int(np.searchsorted(self._positions_mm, position_mm))
        before = max(after - 1, 0)
        steps = [before, after]
        positions_mm = self._positions_mm[steps]
        return STEP_S * float(np.interp(position_mm, positions_mm, steps))

    def _extend(self) -> None:
        deviations = self._draw_deviations()
        ways_mm = self._speed_mm_s * (1 + deviations) * STEP_S
        positions_mm = self._positions_mm[-1] + np.cumsum(ways_mm)
        self._positions_mm = np.concatenate([self._positions_mm, positions_mm])

    def _draw_deviations(self) -> np.ndarray:
        """The next steps' relative deviations from the belt's speed."""
        count = int(EXTENSION_S / STEP_S)
        kick_std = SPEED_STD * np.sqrt(2 * STEP_S / SPEED_MEMORY_S)
        kicks = self._rng.normal(0, kick_std, count)
        decay = 1 - STEP_S / SPEED_MEMORY_S
        deviations = np.empty(count)
        for step, kick in enumerate(kicks):
            self._deviation = self._deviation * decay + kick
            deviations[step] = self._deviation
        return deviations


@dataclass(eq=False)
class Rider:
    """An item with its place on the belt.

    offset_mm: how far the belt has run when the item is at the view's centre. y_mm: its place
    across the belt, from the view's centre. landed: the bin that it fell into; None before that.
    """

    number: int
    item: coins.Item | coins.ItemOutline
    offset_mm: float
    y_mm: float
    landed: str | None = None

    def make_item(self) -> coins.Item:
        """The item to draw."""
        if isinstance(self.item, coins.ItemOutline):
            return self.item.remake()
        return self.item


@dataclass(eq=False)
class SimulatedBelt:
    """The belt with every item on it and the flaps along it.

    riders: in the order of their places. servos: by bin.
    """

    config: Config
    drive: BeltDrive
    riders: list[Rider]
    servos: dict[str, SimulatedServo]
    rng: np.random.Generator

    def list_visible(
        self,
        time_s: float,
        half_view_mm: float,
    ) -> list[tuple[Rider, float]]:
        """The riders that may be seen, with where they are (mm from the view's centre)."""
        position_mm = self.drive.compute_position_mm(time_s)
        reach_mm = half_view_mm + VIEW_MARGIN_MM
        offsets_mm = [rider.offset_mm for rider in self.riders]
        first = bisect_right(offsets_mm, position_mm - reach_mm)
        visible = []
        for rider in self.riders[first:]:
            x_mm = position_mm - rider.offset_mm
            if x_mm < -reach_mm:
                break
            visible.append((rider, x_mm))
        return visible

    def land_items(self, time_s: float) -> None:
        """Let each item that has come to the belt's end by this time land where its way led it."""
        flaps_mm = [bin_.flap.distance_mm for bin_ in self.config.bins]
        end_mm = max(flaps_mm) + RUN_OUT_MM
        position_mm = self.drive.compute_position_mm(time_s)
        for rider in self.riders:
            is_at_end = position_mm - rider.offset_mm > end_mm
            if rider.landed is None and is_at_end:
                rider.landed = self.find_landing_bin(rider)

    def find_landing_bin(self, rider: Rider) -> str:
        """The bin of the first flap that turns the rider, or the reject bin."""
        bins = sorted(self.config.bins, key=lambda bin_: bin_.flap.distance_mm)
        for bin_ in bins:
            if self._is_turned(rider, bin_):
                return bin_.name
        return self.config.reject_bin

    def _is_turned(
        self,
        rider: Rider,
        bin_: BinSettings,
    ) -> bool:
        """Whether a bin's flap turns the rider; by chance where it strikes it while moving."""
        reach_mm = bin_.flap.length_mm / 2 + rider.item.half_length_mm
        flap_mm = rider.offset_mm + bin_.flap.distance_mm
        enters_s = self.drive.compute_time_s(flap_mm - reach_mm)
        leaves_s = self.drive.compute_time_s(flap_mm + reach_mm)
        servo = self.servos[bin_.name]
        least, most = servo.find_openness_range(enters_s, leaves_s)
        if least >= MIN_OPEN:
            return True
        is_struck = most > MAX_REST
        return is_struck and self.rng.random() < STRIKE_PROBABILITY


def feed_items(
    count: int,
    motifs: tuple[str, ...],
    rng: np.random.Generator,
) -> list[Rider]:
    """Items as the feeder lays them on the belt: a fifth foreign, every kind equally often.

    motifs: what tokens may bear.
    """
    riders = []
    offset_mm = 0.0
    for number, kind in enumerate(_shuffle_kinds(count, rng)):
        seed = int(rng.integers(2**32))
        own_rng = np.random.default_rng([number, seed])
        item = _outline_item(_make_item(kind, motifs, own_rng), motifs, [number, seed])
        offset_mm += _choose_spacing_mm(item, own_rng)
        across_mm = own_rng.normal(0, ACROSS_STD_MM)
        y_mm = float(np.clip(across_mm, -MAX_ACROSS_MM, MAX_ACROSS_MM))
        rider = Rider(number, item, offset_mm, y_mm)
        riders.append(rider)
    return riders


def _shuffle_kinds(
    count: int,
    rng: np.random.Generator,
) -> list[str]:
    kinds = []
    for number in range(round(count * FOREIGN_FRACTION)):
        kind = foreign_objects.FOREIGN_KINDS[number % len(foreign_objects.FOREIGN_KINDS)]
        kinds.append(kind)
    kinds += [coins.GENUINE] * (count - len(kinds))
    rng.shuffle(kinds)
    return kinds


def _outline_item(
    item: coins.Item,
    motifs: tuple[str, ...],
    seed: list[int],
) -> coins.ItemOutline:
    """The outline of an item, which makes it again from the seed that it was made from."""

    def remake() -> coins.Item:
        return _make_item(item_kind, motifs, np.random.default_rng(seed))

    item_kind = item.kind
    return coins.ItemOutline(item_kind, item.label, item.half_length_mm, remake)


def _make_item(
    kind: str,
    motifs: tuple[str, ...],
    rng: np.random.Generator,
) -> coins.Item:
    if kind == coins.GENUINE:
        return coins.make_genuine_coin(rng)
    return foreign_objects.make_foreign_object(rng, kind, motifs)


def _choose_spacing_mm(
    item: coins.ItemOutline,
    rng: np.random.Generator,
) -> float:
    """Distance of an item's middle from that of the item before it."""
    surplus_mm = max(0.0, item.half_length_mm - SPACED_HALF_LENGTH_MM)
    gap_mm = rng.exponential(MEAN_GAP_MM)
    return MIN_SPACING_MM + 2 * surplus_mm + gap_mm
