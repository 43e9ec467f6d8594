"""A coin in polar coordinates, where a rotation is a shift: its grey levels, and how its edges run.

The light decides how strong an edge looks, and which side of it is bright, but not which way it
runs. So gradients are brought to one strength and their angles doubled, which makes opposite ones
equal (orientation correlation: Fitch et al., BMVC 2002).
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from coinsorter.vision.crop import CropSpec

#: Numbers for each gradient: its strength, and that by cosine and sine of twice its angle.
EDGE_CHANNELS = 3
#: Columns that a grid goes on for beyond a full turn on both sides, for the filters.
WRAP = 8

# Chosen on brl-frames/day1, with bursts held out, by the likelihood of the right label; near these
# values it hardly changes.
#: Grey levels that are added before the logarithm: where a crop is darker, most of it is noise.
DARK_GREY = 30.0
#: Sigma in samples of the blur that is taken off: what is smoother is no relief.
RELIEF_SIGMA = 3.0
#: Sigma in samples of the neighbourhood that is brought to one strength.
STRENGTH_SIGMA = 5.0
#: Strength, in log(grey), below which relief is not strengthened further.
MIN_STRENGTH = 0.02
#: Strength that a gradient counts for at most.
MAX_GRADIENT = 3.0

_MIN_STRENGTH_SQUARED = np.float32(MIN_STRENGTH**2)
#: Added to squared gradients, so that none is 0.
_MIN_SQUARE = np.float32(1e-9)
_MAX_STRENGTH = np.float32(MAX_GRADIENT)
_MEAN_OF_RGB = np.full((1, 3), 1 / 3, np.float32)


@dataclass(frozen=True)
class PolarGrid:
    """Where a coin is sampled.

    rows: from near the centre to the rim. columns: over a full turn. min_reach, max_reach: of the
    innermost and the outermost row, in coin radii.
    """

    rows: int
    columns: int
    min_reach: float
    max_reach: float

    def unwrap(self, crop: np.ndarray, spec: CropSpec) -> np.ndarray:
        """A crop (n, n) or (n, n, 3) on the grid: (rows, columns + 2 * WRAP) or more by 3."""
        x, y = _make_map(self, spec.size_px, spec.margin)
        return cv2.remap(crop, x, y, cv2.INTER_LINEAR)

    def compute_edges(self, crop: np.ndarray, spec: CropSpec) -> np.ndarray:
        """How the edges of a crop run: float32 (EDGE_CHANNELS, rows, columns).

        crop: uint8 (n, n, 3). The strength is at most MAX_GRADIENT.
        """
        log_rgb = cv2.LUT(crop, _make_log_lut(spec.gamma))
        grey = cv2.transform(log_rgb, _MEAN_OF_RGB)
        along, outward = _compute_gradients(self.unwrap(grey, spec))
        return _double_angles(along, outward)


def _compute_gradients(unwrapped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of equal strength along the angle and outward: float32 (rows, columns) each."""
    smooth = cv2.GaussianBlur(unwrapped, (0, 0), RELIEF_SIGMA)
    relief: np.ndarray = unwrapped - smooth
    squares = relief * relief
    strength = cv2.GaussianBlur(squares, (0, 0), STRENGTH_SIGMA)
    relief = relief / cv2.sqrt(strength + _MIN_STRENGTH_SQUARED)
    along = cv2.Sobel(relief, cv2.CV_32F, 1, 0)
    outward = cv2.Sobel(relief, cv2.CV_32F, 0, 1)
    return along[:, WRAP:-WRAP], outward[:, WRAP:-WRAP]


def _double_angles(along: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """Strength, and that by cosine and sine of twice the angle."""
    along_squared = along * along
    outward_squared = outward * outward
    squares = along_squared + outward_squared + _MIN_SQUARE
    strength = np.minimum(cv2.sqrt(squares), _MAX_STRENGTH)
    share = strength / squares
    cosine = along_squared - outward_squared
    sine = 2 * along * outward
    return np.stack((share * squares, share * cosine, share * sine))


@cache
def _make_map(grid: PolarGrid, size_px: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the points of a grid are in a crop, as cv2.remap takes it."""
    centre_px = (size_px - 1) / 2
    radius_px = size_px / 2 / margin
    columns = np.arange(-WRAP, grid.columns + WRAP)
    angles = columns * (2 * np.pi / grid.columns)
    reaches = np.linspace(grid.min_reach, grid.max_reach, grid.rows)
    reaches_px = reaches[:, None] * radius_px
    x = centre_px + reaches_px * np.cos(angles)
    y = centre_px + reaches_px * np.sin(angles)
    return cv2.convertMaps(x.astype(np.float32), y.astype(np.float32), cv2.CV_16SC2)


@cache
def _make_log_lut(gamma: float) -> np.ndarray:
    """For each grey level, the logarithm of what it was before the gamma: float32 (256,)."""
    shares = np.arange(256) / 255
    linear = 255 * shares ** (1 / gamma)
    logarithms = np.log(linear + DARK_GREY)
    return logarithms.astype(np.float32)
