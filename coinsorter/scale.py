"""Pixels to millimetres: the view's scale as a plane over the picture, and how it is followed when the camera's mount moves a little.

A camera is never quite square to the belt, so the scale is not one number: it is fitted as a plane from coins of known size. It is followed
by a Kalman filter (Kalman, 1960) whose state, the plane's three terms, wanders a little from coin to coin, fed with coins the machine is
sure of.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from coinsorter.records import Circle

# All in units of the scatter of one measurement, for the plane's centre, its tilt along and its tilt across. Chosen on days made of the bursts of
# brl-frames/day1, whose camera moved, with networks that had not seen the coins; half or twice as much leaves a few in a thousand more unsure.
WANDER = (0.125, 0.3, 0.3)  # standard deviation from one coin to the next
PRIOR = (2.0, 4.0, 4.0)  # how far the plane may be off at first
DOUBT = 3.0  # standard errors that a drift must be beyond: one in 700 by chance
OUTLIER = 3.0  # times the scatter: beyond, a measurement counts less, the further the less


@dataclass(frozen=True)
class ScalePlane:
    """Pixels per millimetre anywhere in a picture of width_px by height_px.

    px_per_mm: at the picture's centre. tilt_along, tilt_across: how much more it is, relatively, at the right and the bottom border.
    """

    px_per_mm: float
    tilt_along: float
    tilt_across: float
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if not (self.px_per_mm > 0 and self.width_px > 0 and self.height_px > 0):
            raise ValueError(f"a view of {self.width_px}x{self.height_px} pixels at {self.px_per_mm:g} px per mm cannot be")

    def at(self, x_px: float, y_px: float) -> float:
        """Pixels per mm at one point."""
        u, v = self._relative(x_px, y_px)
        return self.px_per_mm * (1 + self.tilt_along * u + self.tilt_across * v)

    def diameter_mm(self, circle: Circle) -> float:
        return 2 * circle.radius_px / self.at(circle.x_px, circle.y_px)

    def spread_at(self, x_px: float, y_px: float) -> float:
        """How far the scale itself may be off at one point, relative standard error; a calibrated one is taken as exact."""
        return 0.0

    def position_mm(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a point lies on the belt, from the view's centre: along and across, in mm (the scale integrated along the way)."""
        u, v = self._relative(x_px, y_px)
        across = 1 + self.tilt_across * v
        along = np.log1p(self.tilt_along * u / across) / self.tilt_along if abs(self.tilt_along) > 1e-9 else u / across
        return float(along) * self.width_px / 2 / self.px_per_mm, v * self.height_px / 2 / self.at(x_px, y_px)

    def radii_px(self, min_mm: float, max_mm: float) -> tuple[float, float]:
        """The smallest and largest radius, anywhere in the picture, of discs with diameters in the given range."""
        corners = [self.at(x, y) for x in (0, self.width_px) for y in (0, self.height_px)]
        return min(corners) * min_mm / 2, max(corners) * max_mm / 2

    def _relative(self, x_px: float, y_px: float) -> tuple[float, float]:
        return 2 * x_px / self.width_px - 1, 2 * y_px / self.height_px - 1


def fit_plane(circles: Iterable[Circle], diameters_mm: Iterable[float], width_px: int, height_px: int) -> ScalePlane:
    """The plane that best explains circles of coins whose diameters are known; outliers count less and less (Huber's weights)."""
    circles, diameters = list(circles), np.fromiter(diameters_mm, float)
    scales = 2 * np.array([circle.radius_px for circle in circles]) / diameters
    seen = np.array([terms(circle.x_px, circle.y_px, width_px, height_px) for circle in circles])
    weights = np.ones(len(scales))
    for _ in range(20):
        weighted = seen * weights[:, None]
        plane = np.linalg.solve(weighted.T @ seen + 1e-6 * np.eye(3), weighted.T @ scales)
        miss = np.abs(scales / (seen @ plane) - 1)
        limit = max(1.4826 * np.median(miss), 1e-4) * 1.5
        weights = np.minimum(1, limit / np.maximum(miss, 1e-9))
    return _as_plane(plane, width_px, height_px)


@dataclass(frozen=True)
class FollowedPlane(ScalePlane):
    """A plane that is known only so well. covariance: of its three terms over px_per_mm, float (3, 3)."""

    covariance: np.ndarray = field(compare=False, kw_only=True)

    def spread_at(self, x_px: float, y_px: float) -> float:
        at = np.array((1.0, *self._relative(x_px, y_px)))
        return float(at @ self.covariance @ at) ** 0.5 * self.px_per_mm / self.at(x_px, y_px)


class ScaleFollower:
    """Keeps a plane true to the coins that pass; starts from a calibrated one, of which it is not too sure.

    scatter: relative standard deviation of one measured diameter, as the bundle knows it.
    """

    def __init__(self, calibrated: ScalePlane, scatter: float) -> None:
        self.calibrated, self._scatter = calibrated, scatter
        self._state = np.array([1.0, calibrated.tilt_along, calibrated.tilt_across]) * calibrated.px_per_mm
        self._first = np.diag((np.array(PRIOR) * scatter * calibrated.px_per_mm) ** 2)
        self._covariance = self._first
        self.plane: ScalePlane = self._followed()
        self.first = self.plane  # before any coin was followed

    def follow(self, circle: Circle, diameter_mm: float) -> ScalePlane:
        """Takes in the circle of one coin whose diameter is known; returns the plane from now on."""
        at = np.array(terms(circle.x_px, circle.y_px, self.plane.width_px, self.plane.height_px))
        expected = at @ self._state
        miss = 2 * circle.radius_px / diameter_mm - expected
        scatter = self._scatter * expected
        scatter *= max(1.0, abs(miss) / (OUTLIER * scatter))
        gain = self._covariance @ at / (at @ self._covariance @ at + scatter**2)
        self._state = self._state + gain * miss
        self._covariance = self._wandered(self._covariance - np.outer(gain, at @ self._covariance))
        self.plane = self._followed()
        return self.plane

    @property
    def drift(self) -> float:
        """The largest relative change from the calibrated plane, anywhere in the picture, that is beyond doubt."""
        return max(0.0, *(self._drift_at(x, y) for x in (0, self.plane.width_px) for y in (0, self.plane.height_px)))

    def _drift_at(self, x_px: float, y_px: float) -> float:
        changed = abs(self.plane.at(x_px, y_px) / self.calibrated.at(x_px, y_px) - 1)
        return changed - DOUBT * self.plane.spread_at(x_px, y_px)

    def _wandered(self, covariance: np.ndarray) -> np.ndarray:
        """The plane may have moved since the last coin, but no term of it becomes less certain than it was at first."""
        grown = covariance + np.diag((np.array(WANDER) * self._scatter * self._state[0]) ** 2)
        held = np.sqrt(np.minimum(1.0, np.diag(self._first) / np.diag(grown)))
        return grown * np.outer(held, held)

    def _followed(self) -> FollowedPlane:
        px_per_mm, along, across = self._state
        covariance = self._covariance / px_per_mm**2
        size = self.calibrated.width_px, self.calibrated.height_px
        return FollowedPlane(float(px_per_mm), float(along / px_per_mm), float(across / px_per_mm), *size, covariance=covariance)


def terms(x_px: float, y_px: float, width_px: int, height_px: int) -> tuple[float, float, float]:
    """What a plane's three terms count for at one point."""
    return 1.0, 2 * x_px / width_px - 1, 2 * y_px / height_px - 1


def _as_plane(state: np.ndarray, width_px: int, height_px: int) -> ScalePlane:
    return ScalePlane(float(state[0]), float(state[1] / state[0]), float(state[2] / state[0]), width_px, height_px)
