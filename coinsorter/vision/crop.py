"""A coin's crop as the networks want it: cut in this one place, on the machine and in training."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from coinsorter.records import Circle

#: How far the light may be corrected, as factors: beyond, noise is all that is amplified.
GAIN_LIMITS = (0.4, 2.5)
#: Grey level outside the coin.
FILL = 128
#: OpenCV's codes for one, two and three quarter turns.
QUARTER_TURNS = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
#: In radii: where the coin ends in a crop, the error of its outline (up to 3 %) included.
RIM = 1.03
#: Highest grey level of an image.
MAX_LEVEL = 255


@dataclass(frozen=True)
class CropSpec:
    """How a bundle wants its crops.

    size_px: edge of the square.
    margin: half the edge over the coin's radius.
    surround: RGB 0..255 that the belt just around the coin is brought to, which takes out lamp,
    exposure and white balance; only what belts look like, where `correct_light` is not set (what is
    around the coin is of any colour then).
    full_mm: diameter of a coin that fills the crop; smaller coins are shown smaller, so that their
    size is in the crop. 0: every coin fills it.
    gamma: grey levels are raised to this power, as shares of 255; below 1 it brightens the dark,
    where a shaded coin's colour hides.
    """

    size_px: int
    margin: float
    surround: tuple[float, float, float]
    full_mm: float = 0.0
    gamma: float = 1.0
    correct_light: bool = True

    def compute_share(self, diameter_mm: float) -> float:
        """The coin's diameter in its crop, as a share of the largest coin's that has room in it."""
        if not self.full_mm:
            return 1.0
        return min(1.0, diameter_mm / self.full_mm)


def cut_crop(
    pixels: np.ndarray,
    circle: Circle,
    diameter_mm: float,
    spec: CropSpec,
) -> np.ndarray:
    """The coin alone: centred, to scale, with corrected light, all outside of it grey.

    pixels: uint8 (h, w, 3) RGB. Returns uint8 (size_px, size_px, 3) RGB.
    """
    share = spec.compute_share(diameter_mm)
    crop = _warp(pixels, circle, share, spec)
    gains = _compute_gains(circle, spec)
    lit = cv2.multiply(crop, gains)  # type: ignore[call-overload]  # no colours in stubs
    if spec.gamma != 1:
        lit = cv2.LUT(lit, gamma_lut(spec.gamma))
    grey = np.full((spec.size_px, spec.size_px, 3), FILL, np.uint8)
    return cv2.copyTo(lit, _mask_disc(spec, share), grey)


def _warp(
    pixels: np.ndarray,
    circle: Circle,
    share: float,
    spec: CropSpec,
) -> np.ndarray:
    scale = share * spec.size_px / 2 / (spec.margin * circle.radius_px)
    middle = (spec.size_px - 1) / 2
    left = middle - scale * circle.x_px
    top = middle - scale * circle.y_px
    place = np.array([[scale, 0, left], [0, scale, top]])
    size = (spec.size_px, spec.size_px)
    edges = cv2.BORDER_REPLICATE
    return cv2.warpAffine(pixels, place, size, flags=cv2.INTER_LINEAR, borderMode=edges)


def _compute_gains(circle: Circle, spec: CropSpec) -> tuple[float, float, float, float]:
    """Factors of red, green, blue and of a fourth channel that images have not."""
    if not spec.correct_light:
        return 1.0, 1.0, 1.0, 1.0
    red, green, blue = map(_compute_gain, spec.surround, circle.surround)
    return red, green, blue, 1.0


def _compute_gain(wanted: float, measured: float) -> float:
    low, high = GAIN_LIMITS
    return min(high, max(low, wanted / max(measured, 1.0)))


def mask_coin(spec: CropSpec) -> np.ndarray:
    """Where in a crop the largest coin is: uint8 (size_px, size_px), 1 on the coin and 0 off it."""
    return _mask_disc(spec, 1.0)


def _mask_disc(spec: CropSpec, share: float) -> np.ndarray:
    rim = np.float32(RIM * share)
    return (_compute_radii(spec) <= rim).view(np.uint8)


@cache
def _compute_radii(spec: CropSpec) -> np.ndarray:
    """Each pixel's distance from the crop's middle, in radii of the largest coin.

    float32 (size_px, size_px).
    """
    offsets_px = np.arange(spec.size_px) - (spec.size_px - 1) / 2
    radius_px = spec.size_px / 2 / spec.margin
    offsets = offsets_px / radius_px
    x, y = np.meshgrid(offsets, offsets)
    radii: np.ndarray = np.hypot(x, y)
    return radii.astype(np.float32)


@cache
def gamma_lut(gamma: float) -> np.ndarray:
    """Each grey level raised to a gamma, as a look-up table for OpenCV: uint8 (256,)."""
    shares = np.arange(MAX_LEVEL + 1) / MAX_LEVEL
    levels: np.ndarray = np.round(MAX_LEVEL * shares**gamma)
    return levels.astype(np.uint8)


@cache
def inverse_gamma_lut(gamma: float) -> np.ndarray:
    """Each grey level of a crop as it was before `gamma_lut`: uint8 (256,)."""
    return gamma_lut(1 / gamma)


def rotate_quarters(crop: np.ndarray, count: int) -> np.ndarray:
    """The crop turned by 0, 90, 180 and 270 degrees, the first `count` of them.

    uint8 (count, n, n, 3). No pixel is interpolated.
    """
    turned = np.empty((count, *crop.shape), np.uint8)
    turned[0] = crop
    for turn, code in enumerate(QUARTER_TURNS[: count - 1], 1):
        cv2.rotate(crop, code, dst=turned[turn])
    return turned
