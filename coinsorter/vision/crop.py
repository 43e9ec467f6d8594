"""A coin's picture as the networks want it: the one place where crops are cut, on the machine and in training alike."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from coinsorter.records import Circle

GAIN_LIMITS = 0.4, 2.5  # how far the light may be corrected: beyond, noise is all that is amplified
FILL = 128  # grey level outside the coin
QUARTERS = cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE
RIM = 1.03  # of the radius: where the coin ends in a crop, its outline's own error included


@dataclass(frozen=True)
class CropSpec:
    """How a bundle wants its crops.

    size_px: edge of the square. margin: half the edge over the coin's radius.
    surround: RGB 0..255 that the belt just around the coin is brought to, which takes out lamp, exposure and white balance; only what belts
    look like, where `correct_light` is not set (what is around the coin is of any colour).
    full_mm: diameter of a coin that fills the crop; smaller coins are shown smaller, so that their size is in the picture. 0: every coin
    fills it.
    gamma: grey levels are raised to this power, as shares of 255; below 1 it lifts the dark, where a shaded coin's colour hides.
    """

    size_px: int
    margin: float
    surround: tuple[float, float, float]
    full_mm: float = 0.0
    gamma: float = 1.0
    correct_light: bool = True

    def compute_share(self, diameter_mm: float) -> float:
        """How much of the largest diameter that the crop has room for a coin takes up in it."""
        return min(1.0, diameter_mm / self.full_mm) if self.full_mm else 1.0


def cut_crop(pixels: np.ndarray, circle: Circle, diameter_mm: float, spec: CropSpec) -> np.ndarray:
    """The coin alone, uint8 (size_px, size_px, 3) RGB: centred, to scale, with corrected light, all outside of it grey."""
    share = spec.compute_share(diameter_mm)
    scale = share * spec.size_px / 2 / (spec.margin * circle.radius_px)
    middle = (spec.size_px - 1) / 2
    place = np.array(
        [[scale, 0, middle - scale * circle.x_px], [0, scale, middle - scale * circle.y_px]]
    )
    size = (spec.size_px, spec.size_px)
    crop = cv2.warpAffine(
        pixels, place, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    grey = np.full((*size, 3), FILL, np.uint8)
    lit = cv2.multiply(crop, _gains(circle, spec))
    return cv2.copyTo(
        cv2.LUT(lit, gamma_lut(spec.gamma)) if spec.gamma != 1 else lit, _disc(spec, share), grey
    )


def mask_coin(spec: CropSpec) -> np.ndarray:
    """Where in a crop the largest coin is: uint8 (size_px, size_px), 1 on the coin and 0 off it."""
    return _disc(spec, 1.0)


def _disc(spec: CropSpec, share: float) -> np.ndarray:
    return (_radii(spec) <= np.float32(RIM * share)).view(np.uint8)


@cache
def gamma_lut(gamma: float) -> np.ndarray:
    """Each grey level's own, lifted by a gamma: uint8 (256,)."""
    return np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)


@cache
def inverse_gamma_lut(gamma: float) -> np.ndarray:
    """What each grey level of a crop was before it was lifted: uint8 (256,)."""
    return gamma_lut(1 / gamma)


@cache
def _radii(spec: CropSpec) -> np.ndarray:
    """Each pixel's distance from the crop's middle, in radii of the largest coin: float32 (size_px, size_px)."""
    steps = (np.arange(spec.size_px) - (spec.size_px - 1) / 2) / (spec.size_px / 2 / spec.margin)
    return np.hypot(*np.meshgrid(steps, steps)).astype(np.float32)


def rotate_quarters(crop: np.ndarray, count: int) -> np.ndarray:
    """The crop turned by 0, 90, 180 and 270 degrees, the first `count` of them: uint8 (count, n, n, 3). No pixel is interpolated."""
    turned = np.empty((count, *crop.shape), np.uint8)
    turned[0] = crop
    for turn in range(1, count):
        cv2.rotate(crop, QUARTERS[turn - 1], dst=turned[turn])
    return turned


def _gains(circle: Circle, spec: CropSpec) -> tuple[float, float, float, float]:
    if not spec.correct_light:
        return 1.0, 1.0, 1.0, 1.0
    low, high = GAIN_LIMITS
    red, green, blue = (
        min(high, max(low, want / max(have, 1.0)))
        for want, have in zip(spec.surround, circle.surround)
    )
    return red, green, blue, 1.0
