"""Pixels to millimetres: the view's scale as a plane over the picture, and how it is followed when the camera's mount moves a little.

A camera is never quite square to the belt, so the scale is not one number: it is fitted as a plane from coins of known size, and with it the
lens's barrel distortion (Brown, 1966), which makes things smaller towards the corners. The plane is followed by a Kalman filter (Kalman,
1960) whose state, the plane's three terms, wanders a little from coin to coin. Which diameter a coin has is not known for sure: every
label's has its say by its probability, and where they disagree the plane is the less known (probabilistic data association: Bar-Shalom and
Tse, 1975). So a mistake widens the doubt and does not become the truth of the coins after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from coinsorter.records import Circle, Coin, Thresholds, Verdict
from coinsorter.robust import mad_std

# All in units of the scatter of one measurement, for the plane's centre, its tilt along and its tilt across. Chosen on days made of the bursts of
# brl-frames/day1, whose camera moved, with networks that had not seen the coins: half of WANDER leaves some three in a thousand more unsure,
# PRIOR may be half as much again or less.
WANDER = (0.125, 0.3, 0.3)  # standard deviation from one coin to the next
PRIOR = (2.0, 4.0, 4.0)  # how far the plane may be off at first
DOUBT = 3.0  # standard errors that a drift must be beyond
MAX_DRIFT = 0.06  # how far, relative, the scale may wander from where it was calibrated before a person has to look
# What is known of a fitted plane's four terms beforehand, in measurements of one coin: nothing, but that a barrel is some 5 % (brl-frames': 4.6 %),
# where one diameter is off by 1.5 %: (1.5 / 5)^2. So few coins, or all in the middle, do not make up a lens.
PRIOR_PRECISION = np.diag([1e-6, 1e-6, 1e-6, 0.09])
OUTLIER = 3.0  # times the scatter: beyond, a measurement counts less, the further the less

# By its images alone, a coin's label has to be likelier than not. Otherwise the scale itself would
# name the coin that then corrects the scale, and a burst of such coins leads it astray. Chosen on
# the held-out coins of brl-frames/day1, of two trainings: without it 5 and 19 coins are named
# wrongly, with it 5 and 6.
MIN_IMAGE_CONFIDENCE = 0.5


@dataclass(frozen=True)
class ScalePlane:
    """Pixels per millimetre anywhere in a picture of width_px by height_px.

    px_per_mm: at the picture's centre. tilt_along, tilt_across: how much more it is, relatively, at the right and the bottom border. barrel:
    how much more half a width away from the centre, in any direction; negative for most lenses.
    """

    px_per_mm: float
    tilt_along: float
    tilt_across: float
    width_px: int
    height_px: int
    barrel: float = 0.0

    def __post_init__(self) -> None:
        if not (self.px_per_mm > 0 and self.width_px > 0 and self.height_px > 0):
            raise ValueError(
                f"a view of {self.width_px}x{self.height_px} pixels at {self.px_per_mm:g} px per mm cannot be"
            )

    def px_per_mm_at(self, x_px: float, y_px: float) -> float:
        """Pixels per mm at one point."""
        _, u, v, outward = compute_terms(x_px, y_px, self.width_px, self.height_px)
        return self.px_per_mm * (
            1 + self.tilt_along * u + self.tilt_across * v + self.barrel * outward
        )

    def measure_diameter_mm(self, circle: Circle) -> float:
        return 2 * circle.radius_px / self.px_per_mm_at(circle.x_px, circle.y_px)

    def scale_sem_at(self, x_px: float, y_px: float) -> float:
        """How far the scale itself may be off at one point, relative standard error; a calibrated one is taken as exact."""
        return 0.0

    def locate_mm(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a point lies on the belt, from the view's centre: along and across, in mm (the scale integrated along the way).

        Areas grow by twice as much as distances from the centre do, so that half of the barrel's share is taken out of these.
        """
        _, u, v, outward = compute_terms(x_px, y_px, self.width_px, self.height_px)
        u, v = (part / (1 + self.barrel * outward / 2) for part in (u, v))
        across = 1 + self.tilt_across * v
        along = (
            np.log1p(self.tilt_along * u / across) / self.tilt_along
            if abs(self.tilt_along) > 1e-9
            else u / across
        )
        return float(along) * self.width_px / 2 / self.px_per_mm, v * self.height_px / 2 / (
            self.px_per_mm * (across + self.tilt_along * u)
        )

    def compute_px_per_mm_range(self) -> tuple[float, float]:
        """The smallest and largest scale anywhere in the image, pixels per mm."""
        scales = [
            self.px_per_mm_at(x * self.width_px, y * self.height_px)
            for x in (0, 0.5, 1)
            for y in (0, 0.5, 1)
        ]
        return min(scales), max(scales)


def fit_plane(
    circles: Iterable[Circle], diameters_mm: Iterable[float], width_px: int, height_px: int
) -> ScalePlane:
    """The plane that best explains circles of coins whose diameters are known; outliers count less and less (Huber's weights)."""
    circles, diameters = list(circles), np.fromiter(diameters_mm, float)
    scales = 2 * np.array([circle.radius_px for circle in circles]) / diameters
    seen = np.array(
        [compute_terms(circle.x_px, circle.y_px, width_px, height_px) for circle in circles]
    )
    weights = np.ones(len(scales))
    for _ in range(20):
        weighted = seen * weights[:, None]
        plane = np.linalg.solve(weighted.T @ seen + PRIOR_PRECISION, weighted.T @ scales)
        miss = np.abs(scales / (seen @ plane) - 1)
        limit = max(mad_std(miss, center=0.0), 1e-4) * 1.5
        weights = np.minimum(1, limit / np.maximum(miss, 1e-9))
    px_per_mm, along, across, barrel = plane.tolist()
    return ScalePlane(
        px_per_mm, along / px_per_mm, across / px_per_mm, width_px, height_px, barrel / px_per_mm
    )


@dataclass(frozen=True)
class FollowedPlane(ScalePlane):
    """A plane that is known only so well. covariance: of its three terms over px_per_mm, float (3, 3)."""

    covariance: np.ndarray = field(compare=False, kw_only=True)

    def scale_sem_at(self, x_px: float, y_px: float) -> float:
        at = _at(self, x_px, y_px)
        return (
            float(at @ self.covariance @ at) ** 0.5 * self.px_per_mm / self.px_per_mm_at(x_px, y_px)
        )


class ScaleFollower:
    """Keeps a plane true to the coins that pass; starts from a calibrated one, of which it is not too sure.

    scatter: relative standard deviation of one measured diameter, as the bundle knows it. lost: the coins led further away than a camera can
    have moved (MAX_DRIFT), as those of an unknown denomination do; then the plane is the first one again, and no coin moves it any more.
    """

    def __init__(self, calibrated: ScalePlane, scatter: float) -> None:
        self.calibrated, self._scatter = calibrated, scatter
        self._state = (
            np.array([1.0, calibrated.tilt_along, calibrated.tilt_across]) * calibrated.px_per_mm
        )
        self._first = np.diag((np.array(PRIOR) * scatter * calibrated.px_per_mm) ** 2)
        self._covariance = self._first
        self.plane: ScalePlane = self._followed()
        self._start = self.plane
        self.lost = False

    def follow(
        self, circle: Circle, diameters_mm: Sequence[float], probabilities: Sequence[float]
    ) -> ScalePlane:
        """Takes in the circle of one coin; returns the plane from now on.

        diameters_mm: those that it may have. probabilities: of each; what they lack to 1 is that it is no such coin, and tells nothing.
        """
        if not self.lost:
            self._take_in(circle, diameters_mm, probabilities)
            self.lost = self.drift > MAX_DRIFT
            self.plane = self._start if self.lost else self.plane
        return self.plane

    def follow_coin(
        self,
        coin: Coin,
        verdict: Verdict,
        thresholds: Mapping[str, Thresholds],
        diameters_mm: Sequence[float],
    ) -> ScalePlane:
        """Takes in a coin, if it informs the scale; returns the plane from now on.

        thresholds: those in force, by label. diameters_mm: of the bundle's labels, in the order of
        the verdict's probabilities.
        """
        if informs_scale(coin, verdict, thresholds):
            self.follow(coin.circles[0], diameters_mm, verdict.probabilities)
        return self.plane

    def _take_in(
        self, circle: Circle, diameters_mm: Sequence[float], probabilities: Sequence[float]
    ) -> None:
        shares = np.array(probabilities)
        at = _at(self.plane, circle.x_px, circle.y_px)
        expected, reach = at @ self._state, self._covariance @ at
        misses = 2 * circle.radius_px / np.array(diameters_mm) - expected
        scatters = (
            self._scatter
            * expected
            * np.maximum(1.0, np.abs(misses) / (OUTLIER * self._scatter * expected))
        )
        gains = reach[:, None] / (at @ reach + scatters**2)  # of the state, for each diameter
        moves = gains * misses
        move = moves @ shares
        apart = moves - move[:, None]
        disagreement = (apart * shares) @ apart.T + (1 - shares.sum()) * np.outer(move, move)
        self._state = self._state + move
        self._covariance = self._wandered(
            self._covariance - np.outer(gains @ shares, reach) + disagreement
        )
        self.plane = self._followed()

    @property
    def drift(self) -> float:
        """The relative change from the calibrated plane, at the picture's centre and so on the whole, that is beyond doubt.

        Not at its corners: there a tilt, too, makes much of a few coins, and on brl-frames/day1 up to 14 %, while the centre stays within 1 %.
        """
        x_px, y_px = self.plane.width_px / 2, self.plane.height_px / 2
        changed = abs(
            self.plane.px_per_mm_at(x_px, y_px) / self.calibrated.px_per_mm_at(x_px, y_px) - 1
        )
        return max(0.0, changed - DOUBT * self.plane.scale_sem_at(x_px, y_px))

    def _wandered(self, covariance: np.ndarray) -> np.ndarray:
        """The plane may have moved since the last coin, but no term of it becomes less certain than it was at first."""
        grown = covariance + np.diag((np.array(WANDER) * self._scatter * self._state[0]) ** 2)
        held = np.sqrt(np.minimum(1.0, np.diag(self._first) / np.diag(grown)))
        return grown * np.outer(held, held)

    def _followed(self) -> FollowedPlane:
        px_per_mm, along, across = self._state
        covariance = self._covariance / px_per_mm**2
        view = self.calibrated.width_px, self.calibrated.height_px, self.calibrated.barrel
        return FollowedPlane(
            float(px_per_mm),
            float(along / px_per_mm),
            float(across / px_per_mm),
            *view,
            covariance=covariance,
        )


def informs_scale(coin: Coin, verdict: Verdict, thresholds: Mapping[str, Thresholds]) -> bool:
    """Whether the view's scale may be followed by a coin.

    It may if the coin lies alone, was measured, looks genuine, and its images alone say which coin
    it is. thresholds: those in force, by label.
    """
    its = thresholds.get(verdict.label)
    if its is None or not coin.alone:
        return False
    looks_genuine = verdict.anomaly <= its.max_anomaly
    is_recognised = names_coin(verdict.image_confidence)
    return looks_genuine and is_recognised and 0 < verdict.diameter_mm < inf


def names_coin(image_confidence: float) -> bool:
    """Whether a coin's images alone say well enough which coin it is, so that it informs the scale."""
    return image_confidence >= MIN_IMAGE_CONFIDENCE


def compute_terms(
    x_px: float, y_px: float, width_px: int, height_px: int
) -> tuple[float, float, float, float]:
    """What centre, tilt along, tilt across and barrel count for at one point."""
    u, v = 2 * x_px / width_px - 1, 2 * y_px / height_px - 1
    return 1.0, u, v, u * u + (v * height_px / width_px) ** 2


def _at(plane: ScalePlane, x_px: float, y_px: float) -> np.ndarray:
    """What a followed plane's three terms count for at one point: the lens stays as it is, so its share goes with the centre's."""
    _, u, v, outward = compute_terms(x_px, y_px, plane.width_px, plane.height_px)
    return np.array((1 + plane.barrel * outward, u, v))
