"""Pixels to millimetres: the view's scale as a plane over the image, and a follower of its drift.

A camera is never quite square to the belt, so the scale is not one number: it is fitted as a plane
from coins of known size, and with it the lens's barrel distortion (Brown, 1966), which makes things
smaller towards the corners. The plane is followed by a Kalman filter (Kalman, 1960) whose state,
the plane's three terms, wanders a little from coin to coin. Which diameter a coin has is not known
for sure: every label's counts by its probability, and where they disagree the plane becomes less
certain (probabilistic data association: Bar-Shalom and Tse, 1975). So a mistake widens the doubt
and does not become the truth of the coins after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from coinsorter.records import Circle, Coin, Thresholds, Verdict
from coinsorter.robust import mad_std

# The follower's constants are chosen on days made of the bursts of brl-frames/day1, whose camera
# moved, with networks that had not seen the coins. They are for the plane's centre, its tilt along
# and its tilt across, in standard deviations of one measured diameter.

#: Standard deviation from one coin to the next; half of it leaves some three in a thousand more
#: unsure.
WANDER = (0.125, 0.3, 0.3)
#: How far the plane may be off at first; it may be half as much again or less.
PRIOR = (2.0, 4.0, 4.0)
#: Standard errors that a drift must be beyond.
DOUBT = 3.0
#: How far the scale may drift from where it was calibrated before a person has to look, relative:
#: twice the largest change between days of brl-frames (1-3 %).
MAX_DRIFT = 0.06
#: In standard deviations: beyond, a measurement counts less, the further the less.
OUTLIER = 3.0

#: What is known of a fitted plane's four terms beforehand, in measurements of one coin: nothing,
#: but that a barrel is some 5 % (brl-frames': 4.6 %), where one diameter is off by 1.5 %:
#: (1.5 / 5)^2. So few coins, or all in the middle, do not make up a lens.
PRIOR_PRECISION = np.diag([1e-6, 1e-6, 1e-6, 0.09])
#: Huber's limit, in standard deviations, beyond which coins count less in a fit: usual are 1 to 2
#: (Huber, 1964).
HUBER_LIMIT = 1.5
#: Smallest standard deviation of the fit's errors, relative: simulated coins have none.
MIN_FIT_STD = 1e-4
#: Errors below are taken for this, so that weights stay finite.
MIN_ERROR = 1e-9
#: Rounds of reweighting in a fit; the weights settle within ten.
FIT_ROUNDS = 20
#: Tilts below are taken for none, relative.
MIN_TILT = 1e-9

# By its images alone, a coin's label has to be likelier than not. Otherwise the scale itself would
# name the coin that then corrects the scale, and a burst of such coins leads it astray. Chosen on
# the held-out coins of brl-frames/day1, of two trainings: without it 5 and 19 coins are named
# wrongly, with it 5 and 6.
MIN_IMAGE_CONFIDENCE = 0.5


@dataclass(frozen=True)
class ScalePlane:
    """Pixels per millimetre anywhere in an image of width_px by height_px.

    px_per_mm: at the image's centre.
    tilt_along, tilt_across: how much more it is, relatively, at the right and the bottom border.
    barrel: how much more half a width away from the centre, in any direction; negative for most
    lenses.
    """

    px_per_mm: float
    tilt_along: float
    tilt_across: float
    width_px: int
    height_px: int
    barrel: float = 0.0

    def __post_init__(self) -> None:
        has_size = self.width_px > 0 and self.height_px > 0
        if not (has_size and self.px_per_mm > 0):
            size = f"{self.width_px}x{self.height_px}"
            raise ValueError(f"a view of {size} pixels at {self.px_per_mm:g} px per mm cannot be")

    def px_per_mm_at(self, x_px: float, y_px: float) -> float:
        """Pixels per mm at one point."""
        _, u, v, outward = compute_terms(x_px, y_px, self.width_px, self.height_px)
        tilt = 1 + self.tilt_along * u + self.tilt_across * v
        return self.px_per_mm * (tilt + self.barrel * outward)

    def measure_diameter_mm(self, circle: Circle) -> float:
        """The diameter of a circle in the image, in mm on the belt."""
        return 2 * circle.radius_px / self.px_per_mm_at(circle.x_px, circle.y_px)

    def scale_sem_at(self, x_px: float, y_px: float) -> float:
        """Relative standard error of the scale itself at one point; a calibrated one is exact."""
        return 0.0

    def locate_mm(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a point lies on the belt, from the view's centre: along and across, in mm.

        The scale is integrated along the way. Areas grow by twice as much as distances from the
        centre do, so that half of the barrel's share is taken out of these.
        """
        _, u, v, outward = compute_terms(x_px, y_px, self.width_px, self.height_px)
        stretch = 1 + self.barrel * outward / 2
        u = u / stretch
        v = v / stretch
        across = 1 + self.tilt_across * v
        along = self._integrate_along(u, across)
        x_mm = float(along) * self.width_px / 2 / self.px_per_mm
        px_per_mm = self.px_per_mm * (across + self.tilt_along * u)
        y_mm = v * self.height_px / 2 / px_per_mm
        return x_mm, y_mm

    def _integrate_along(self, u: float, across: float) -> float:
        if abs(self.tilt_along) > MIN_TILT:
            slope = self.tilt_along * u / across
            return float(np.log1p(slope) / self.tilt_along)
        return u / across

    def compute_px_per_mm_range(self) -> tuple[float, float]:
        """The smallest and largest scale anywhere in the image, pixels per mm."""
        shares = (0, 0.5, 1)
        points = [(x * self.width_px, y * self.height_px) for x in shares for y in shares]
        scales = [self.px_per_mm_at(x_px, y_px) for x_px, y_px in points]
        return min(scales), max(scales)


def fit_plane(
    circles: Iterable[Circle],
    diameters_mm: Iterable[float],
    width_px: int,
    height_px: int,
) -> ScalePlane:
    """The plane that best explains circles of coins whose diameters are known.

    Outliers count less and less (Huber's weights).
    """
    circles = list(circles)
    radii_px = np.array([circle.radius_px for circle in circles])
    scales = 2 * radii_px / np.fromiter(diameters_mm, float)
    design = [compute_terms(circle.x_px, circle.y_px, width_px, height_px) for circle in circles]
    plane = _fit_terms(np.array(design), scales)
    px_per_mm, along, across, barrel = plane.tolist()
    tilts = (along / px_per_mm, across / px_per_mm)
    return ScalePlane(px_per_mm, *tilts, width_px, height_px, barrel / px_per_mm)


def _fit_terms(design: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The plane's terms (4,) by iteratively reweighted least squares; design: (n, 4)."""
    weights = np.ones(len(scales))
    for _ in range(FIT_ROUNDS):
        weighted = design * weights[:, None]
        precision = weighted.T @ design + PRIOR_PRECISION
        terms = np.linalg.solve(precision, weighted.T @ scales)
        fitted = design @ terms
        errors = np.abs(scales / fitted - 1)
        error_std = max(mad_std(errors, center=0.0), MIN_FIT_STD)
        limit = error_std * HUBER_LIMIT
        weights = np.minimum(1, limit / np.maximum(errors, MIN_ERROR))
    return np.asarray(terms)


@dataclass(frozen=True)
class FollowedPlane(ScalePlane):
    """A plane that is known only so well.

    covariance: of its three terms over px_per_mm, float (3, 3).
    """

    covariance: np.ndarray = field(compare=False, kw_only=True)

    def scale_sem_at(self, x_px: float, y_px: float) -> float:
        """Relative standard error of the scale itself at one point."""
        terms = _compute_followed_terms(self, x_px, y_px)
        variance = float(terms @ self.covariance @ terms)
        sem: float = variance**0.5
        return sem * self.px_per_mm / self.px_per_mm_at(x_px, y_px)


class ScaleFollower:
    """Keeps a plane true to the coins that pass, from a calibrated one that is not quite certain.

    calibrated: where it starts.
    diameter_std: relative standard deviation of one measured diameter, as the bundle knows it.
    plane: the one in force.
    lost: the coins led further away than a camera can have moved (MAX_DRIFT), as those of an
    unknown denomination do; then the plane is the first one again, and no coin moves it any more.
    """

    def __init__(self, calibrated: ScalePlane, diameter_std: float) -> None:
        self.calibrated = calibrated
        self._diameter_std = diameter_std
        tilts = (calibrated.tilt_along, calibrated.tilt_across)
        self._state = np.array([1.0, *tilts]) * calibrated.px_per_mm
        prior = np.array(PRIOR) * diameter_std * calibrated.px_per_mm
        self._first_covariance = np.diag(prior**2)
        self._covariance = self._first_covariance
        self._first_plane = self._build_plane()
        self.plane: ScalePlane = self._first_plane
        self.lost = False

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

    def follow(
        self,
        circle: Circle,
        diameters_mm: Sequence[float],
        probabilities: Sequence[float],
    ) -> ScalePlane:
        """Takes in the circle of one coin; returns the plane from now on.

        diameters_mm: those that it may have. probabilities: of each; what they lack to 1 is that it
        is no such coin, and tells nothing.
        """
        if self.lost:
            return self.plane
        self._update(circle, np.array(diameters_mm), np.array(probabilities))
        self.lost = self.drift > MAX_DRIFT
        if self.lost:
            self.plane = self._first_plane
        return self.plane

    def _update(
        self,
        circle: Circle,
        diameters_mm: np.ndarray,
        probabilities: np.ndarray,
    ) -> None:
        """One step of the filter, with every diameter's correction by its probability."""
        terms = _compute_followed_terms(self.plane, circle.x_px, circle.y_px)
        expected = terms @ self._state
        reach = self._covariance @ terms
        errors = 2 * circle.radius_px / diameters_mm - expected
        stds = self._weigh_outliers(errors, expected)
        variances = terms @ reach + stds**2
        gains = reach[:, None] / variances  # of the state, for each diameter
        moves = gains * errors
        move = moves @ probabilities
        certain = np.outer(gains @ probabilities, reach)
        disagreement = _compute_disagreement(moves, move, probabilities)
        self._state = self._state + move
        covariance = self._covariance - certain + disagreement
        self._covariance = self._wander(covariance)
        self.plane = self._build_plane()

    def _weigh_outliers(self, errors: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """The standard deviation of each diameter's measurement, larger for outliers."""
        outlier = OUTLIER * self._diameter_std * expected
        excess = np.maximum(1.0, np.abs(errors) / outlier)
        stds: np.ndarray = self._diameter_std * expected * excess
        return stds

    @property
    def drift(self) -> float:
        """The relative change of the whole scale since calibration that is beyond doubt.

        It is that at the image's centre. At its corners a tilt, too, makes much of a few coins: up
        to 14 % on brl-frames/day1, while the centre stays within 1 %.
        """
        x_px = self.plane.width_px / 2
        y_px = self.plane.height_px / 2
        before = self.calibrated.px_per_mm_at(x_px, y_px)
        ratio = self.plane.px_per_mm_at(x_px, y_px) / before
        doubt = DOUBT * self.plane.scale_sem_at(x_px, y_px)
        return max(0.0, abs(ratio - 1) - doubt)

    def _wander(self, covariance: np.ndarray) -> np.ndarray:
        """The covariance at the next coin: the plane may have moved meanwhile.

        No term of it becomes less certain than it was at first.
        """
        wander = np.array(WANDER) * self._diameter_std * self._state[0]
        grown = covariance + np.diag(wander**2)
        ratios = np.diag(self._first_covariance) / np.diag(grown)
        factors = np.sqrt(np.minimum(1.0, ratios))
        limited: np.ndarray = grown * np.outer(factors, factors)
        return limited

    def _build_plane(self) -> FollowedPlane:
        px_per_mm, along, across = self._state
        return FollowedPlane(
            px_per_mm=float(px_per_mm),
            tilt_along=float(along / px_per_mm),
            tilt_across=float(across / px_per_mm),
            width_px=self.calibrated.width_px,
            height_px=self.calibrated.height_px,
            barrel=self.calibrated.barrel,
            covariance=self._covariance / px_per_mm**2,
        )


def _compute_disagreement(
    moves: np.ndarray,
    move: np.ndarray,
    probabilities: np.ndarray,
) -> np.ndarray:
    """Covariance of the state's moves over the diameters, the unmoved state included."""
    apart = moves - move[:, None]
    unmoved = 1 - probabilities.sum()
    covariance: np.ndarray = (apart * probabilities) @ apart.T
    covariance += unmoved * np.outer(move, move)
    return covariance


def informs_scale(
    coin: Coin,
    verdict: Verdict,
    thresholds: Mapping[str, Thresholds],
) -> bool:
    """Whether the view's scale may be followed by a coin.

    It may if the coin lies alone, was measured, looks genuine, and its images alone say which coin
    it is. thresholds: those in force, by label.
    """
    of_label = thresholds.get(verdict.label)
    if of_label is None or not coin.alone:
        return False
    is_member = verdict.membership >= of_label.min_membership
    looks_genuine = is_member and verdict.anomaly <= of_label.max_anomaly
    is_measured = 0 < verdict.diameter_mm < inf
    return looks_genuine and names_coin(verdict.image_confidence) and is_measured


def names_coin(image_confidence: float) -> bool:
    """Whether a coin's images alone name it surely enough for it to inform the scale."""
    return image_confidence >= MIN_IMAGE_CONFIDENCE


def compute_terms(
    x_px: float,
    y_px: float,
    width_px: int,
    height_px: int,
) -> tuple[float, float, float, float]:
    """What centre, tilt along, tilt across and barrel count for at one point."""
    u = 2 * x_px / width_px - 1
    v = 2 * y_px / height_px - 1
    outward = u * u + (v * height_px / width_px) ** 2
    return 1.0, u, v, outward


def _compute_followed_terms(
    plane: ScalePlane,
    x_px: float,
    y_px: float,
) -> np.ndarray:
    """What a followed plane's three terms count for at one point.

    The lens stays as it is, so its share goes with the centre's.
    """
    _, u, v, outward = compute_terms(x_px, y_px, plane.width_px, plane.height_px)
    return np.array((1 + plane.barrel * outward, u, v))
