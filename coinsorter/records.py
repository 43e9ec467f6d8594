"""What flows through the machine: frozen records, from a frame to a coin's row in the ledger."""

from dataclasses import dataclass
from math import inf

import numpy as np


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of the belt.

    pixels: uint8, shape (height, width, 3), RGB.
    number: counts up from 0; a gap means that the camera dropped frames.
    taken_s: when it was exposed, seconds on the monotonic clock.
    """

    pixels: np.ndarray
    number: int
    taken_s: float


@dataclass(frozen=True)
class Circle:
    """The outline of one thing in one frame, to sub-pixel.

    x_px, y_px: centre; x to the right (the way the belt runs), y down; the centre of the first
    pixel is (0, 0).
    radius_px: of the circle with the outline's area.
    quality: share of the outline, 0..1, where there is an edge; 0 of a thing that is not round.
    roundness: 1 minus the relative difference of the outline's longest and shortest diameter; 1 is
    a circle.
    sharpness: mean edge strength along the outline, grey levels per pixel; picks a coin's best
    frames.
    surround: median RGB of the belt just around it, 0..255.
    alone: nothing touches or overlaps it, and it is round.
    off_patch: how far it lies, in its radii, from the middle of what stands out from the belt,
    shadow included; a large one means that something else shows beside it. 0 where other circles
    lie on the same patch.
    """

    x_px: float
    y_px: float
    radius_px: float
    quality: float
    roundness: float
    sharpness: float
    surround: tuple[float, float, float]
    alone: bool
    off_patch: float = 0.0


@dataclass(frozen=True)
class Motion:
    """A thing on the belt: where its middle was when, its radius and its speed.

    x_mm, seen_s: from the view's centre, along the belt, and when (seconds, monotonic).
    radius_mm: half its diameter along the belt.
    speed_mm_s, speed_sem_mm_s: its speed and the speed's standard error.
    behind_mm: how far what touches it reaches back beyond its own trailing edge.
    """

    x_mm: float
    seen_s: float
    radius_mm: float
    speed_mm_s: float
    speed_sem_mm_s: float
    behind_mm: float = 0.0

    def x_mm_at(self, now_s: float) -> float:
        """Where its middle is at another time, by its speed."""
        return self.x_mm + self.speed_mm_s * (now_s - self.seen_s)


@dataclass(frozen=True, eq=False)
class Coin:
    """One physical thing, followed over its frames.

    number: counts up from 1 over a run.
    crops: the sharpest first, each uint8, shape (n, n, 3), RGB, cut as the bundle wants them; none
    where nothing round was seen.
    circles: the outlines that the crops were cut by.
    diameter_mm: median over its frames.
    scale_sem: relative standard error of the view's scale where it lay.
    x_mm, seen_s: where it was on the belt, from the view's centre, and when (seconds, monotonic).
    y_mm: where it lies across the belt, from the view's centre.
    speed_mm_s, speed_sem_mm_s: measured over its frames, and the standard error.
    sightings: number of frames it was found in.
    alone: nothing touched or overlapped it, and it is round.
    behind_mm: how far what touches it reaches back along the belt beyond its own trailing edge.
    """

    number: int
    crops: tuple[np.ndarray, ...]
    circles: tuple[Circle, ...]
    diameter_mm: float
    x_mm: float
    y_mm: float
    seen_s: float
    speed_mm_s: float
    speed_sem_mm_s: float
    sightings: int
    alone: bool
    behind_mm: float = 0.0
    scale_sem: float = 0.0

    @property
    def motion(self) -> Motion:
        """Where it was when, and how fast it moves."""
        return Motion(
            self.x_mm,
            self.seen_s,
            self.diameter_mm / 2,
            self.speed_mm_s,
            self.speed_sem_mm_s,
            self.behind_mm,
        )


@dataclass(frozen=True)
class Verdict:
    """What a coin was recognised as, and how sure that is.

    label: the likeliest label of the bundle.
    confidence: its probability 0..1, from images and diameter together.
    image_confidence: the same from images alone, without the diameter.
    runner_up: the second likeliest label.
    anomaly: how unlike a genuine coin of that label it looks, in robust standard deviations of
    genuine coins; theirs lie about 0, or above it.
    diameter_mm: as measured.
    probabilities: of all the bundle's labels, in its order; the rest to 1 is "none of these".
    margin: natural logarithm of how many times likelier the label is than the runner-up.
    membership: natural logarithm of the odds that it is a coin of the bundle at all, by its images
    alone; inf where the bundle has no gate.
    """

    label: str
    confidence: float
    image_confidence: float
    runner_up: str
    anomaly: float
    diameter_mm: float
    probabilities: tuple[float, ...] = ()
    margin: float = inf
    membership: float = inf


@dataclass(frozen=True)
class Decision:
    """Where a coin goes and why.

    bin: name of the bin; the reject bin unless `reason` is "sorted".
    reason: "sorted", or why it is rejected: one of REASONS.
    """

    bin: str
    reason: str


#: Why a coin went where it went, as the ledger has it.
SORTED = "sorted"
FOREIGN = "foreign"
UNSURE = "unsure"
ANOMALY = "anomaly"
DIAMETER = "diameter"
NOT_ALONE = "not-alone"
LATE = "late"
NO_BIN = "no-bin"
PAUSED = "paused"
FAULT = "fault"
#: Where a coin lies whose place is unknown: power was lost, or a flap was not at rest.
UNCERTAIN = "uncertain"
REASONS = (FOREIGN, UNSURE, ANOMALY, DIAMETER, NOT_ALONE, LATE, NO_BIN, PAUSED, FAULT)


@dataclass(frozen=True)
class Thresholds:
    """The thresholds in force for one label.

    min_confidence: 0..1. max_anomaly: in robust standard deviations of genuine coins.
    nominal_mm, tolerance_mm: the diameter and how far a coin may be from it. min_margin,
    min_membership: natural logarithms of odds, see `Verdict`.
    """

    min_confidence: float
    max_anomaly: float
    nominal_mm: float
    tolerance_mm: float
    min_margin: float = 0.0
    min_membership: float = -inf


@dataclass(frozen=True)
class Event:
    """One coin's whole story: a row of the ledger.

    coin: its number in the run. diameter_mm, speed_mm_s: as measured.
    seen_s: when the coin was decided on, seconds on the monotonic clock; the ledger adds wall time.
    verdict, thresholds: None where the coin was rejected before it was looked at.
    decision: where it went and why.
    value, currency: of the recognised label.
    """

    coin: int
    seen_s: float
    diameter_mm: float
    speed_mm_s: float
    verdict: Verdict | None
    thresholds: Thresholds | None
    decision: Decision
    value: float = 0.0
    currency: str = ""
