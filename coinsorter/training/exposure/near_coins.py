"""Near-coins: genuine crops altered so that they are no genuine coins any more.

A gate that was shown washers and screws only learns that coins have coins' colours. Near-coins have
the colours, the rim and the sharpness of genuine crops, so that it has to look at the design. Each
kind is a function of a crop, another crop, and a generator: uint8 (n, n, 3) of one coin each.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

from coinsorter.vision.crop import FILL, CropSpec, mask_coin

#: Makes a near-coin of a crop and another coin's crop.
Alter = Callable[["CoinGrid", np.ndarray, np.ndarray, Generator], np.ndarray]

#: Sigma in px of the edge between what is kept and what is altered, for crops of 96 px.
EDGE_SIGMA = 0.8
EDGE_SIZE_PX = 96
#: Radius of a bimetal coin's core, in radii of the coin: 0.65 to 0.72 of the coins we know.
CORE_RADIUS = 0.68
#: Factors by which a contrast may be changed to be that of another coin.
CONTRAST_FACTORS = (0.3, 3.0)
#: Added to standard deviations of grey levels, so that a flat coin does not get all its noise
#: amplified.
MIN_STD = 2.0


class CoinGrid:
    """Where each pixel of a crop is on its coin.

    x, y, radius: float32 (n, n), from the middle, in radii of the coin. angle: float32 (n, n), rad.
    is_coin: bool (n, n).
    """

    def __init__(self, spec: CropSpec) -> None:
        offsets_px = np.arange(spec.size_px, dtype=np.float32) - (spec.size_px - 1) / 2
        offsets = offsets_px / (spec.size_px / 2 / spec.margin)
        self.x, self.y = np.meshgrid(offsets, offsets)
        self.radius = np.hypot(self.x, self.y)
        self.angle = np.arctan2(self.y, self.x)
        self.is_coin = mask_coin(spec) > 0
        self.size_px = spec.size_px
        self._sigma_px = EDGE_SIGMA * spec.size_px / EDGE_SIZE_PX

    def soften(self, mask: np.ndarray) -> np.ndarray:
        """A mask with a soft edge: float32 (n, n, 1)."""
        hard = mask.astype(np.float32)
        return cv2.GaussianBlur(hard, (0, 0), self._sigma_px)[..., None]

    def measure_distance(self, reach: float, angle: float) -> np.ndarray:
        """Each pixel's distance from a point that is `reach` from the middle, in radii."""
        distance: np.ndarray = np.hypot(
            self.x - reach * np.cos(angle), self.y - reach * np.sin(angle)
        )
        return distance

    def rotate(self, crop: np.ndarray, angle_deg: float) -> np.ndarray:
        """A crop turned about its middle."""
        middle = ((self.size_px - 1) / 2,) * 2
        matrix = cv2.getRotationMatrix2D(middle, angle_deg, 1)
        return cv2.warpAffine(
            crop, matrix, (self.size_px, self.size_px), borderMode=cv2.BORDER_REPLICATE
        )

    def clean(self, crop: np.ndarray) -> np.ndarray:
        """A crop with all outside of its coin grey, as crops are."""
        crop[~self.is_coin] = FILL
        return crop


def make_near_coin(
    kind: str, crop: np.ndarray, other: np.ndarray, grid: CoinGrid, rng: Generator
) -> np.ndarray:
    """A near-coin of one of KINDS; both crops are turned at random before."""
    turned = grid.rotate(crop, rng.uniform(0, 360))
    other_turned = grid.rotate(other, rng.uniform(0, 360))
    return grid.clean(KINDS[kind](grid, turned, other_turned, rng))


def match_colours(crop: np.ndarray, model: np.ndarray, is_part: np.ndarray) -> np.ndarray:
    """A crop with mean and contrast of a part of it as they are in another crop.

    is_part: bool (n, n). Returns float32 (n, n, 3).
    """
    mean, std = _measure_colours(crop, is_part)
    wanted_mean, wanted_std = _measure_colours(model, is_part)
    factors = np.clip(wanted_std / std, *CONTRAST_FACTORS)
    matched = crop.astype(np.float32)
    matched[is_part] = (matched[is_part] - mean) * factors + wanted_mean
    return matched


def recolour(grid: CoinGrid, crop: np.ndarray, model: np.ndarray) -> np.ndarray:
    """A crop whose core and ring have the colours of another crop's core and ring."""
    is_core = grid.radius < CORE_RADIUS
    for is_part in (is_core, ~is_core & grid.is_coin):
        matched = match_colours(crop, model, is_part)
        crop = np.clip(matched, 0, 255).astype(np.uint8)
    return crop


def _measure_colours(crop: np.ndarray, is_part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over a part: float32 (3,)."""
    mean, std = cv2.meanStdDev(crop, mask=is_part.view(np.uint8))
    return mean[:, 0].astype(np.float32), std[:, 0].astype(np.float32) + MIN_STD


def _blend(under: np.ndarray, over: np.ndarray, cover: np.ndarray) -> np.ndarray:
    blended: np.ndarray = np.clip(under * (1 - cover) + over * cover, 0, 255)
    return blended.astype(np.uint8)


def _hole(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """A hole in the middle, round or with corners, through which the belt is seen."""
    distance = grid.measure_distance(rng.uniform(0, 0.1), rng.uniform(0, 2 * np.pi))
    if rng.random() < 0.35:
        distance = _make_polygonal(grid, distance, int(rng.integers(4, 7)), rng)
    cover = grid.soften(distance < rng.uniform(0.15, 0.55))
    return _blend(crop, _draw_belt(grid, rng), cover)


def _make_polygonal(
    grid: CoinGrid, distance: np.ndarray, corners: int, rng: Generator
) -> np.ndarray:
    sector = 2 * np.pi / corners
    angle = np.mod(grid.angle + rng.uniform(0, sector), sector) - sector / 2
    polygonal: np.ndarray = distance * np.cos(angle) / np.cos(sector / 2)
    return polygonal


def _draw_belt(grid: CoinGrid, rng: Generator) -> np.ndarray:
    """Some belt or paper, with its grain: float32 (n, n, 3)."""
    if rng.random() < 0.7:
        level = rng.uniform(90, 225, 3)
    else:
        level = np.full(3, rng.uniform(0, 90))
    grain = rng.normal(0, 4, (grid.size_px, grid.size_px, 1))
    belt: np.ndarray = (level + grain).astype(np.float32)
    return belt


def _drill(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """One to three small holes anywhere."""
    for _ in range(int(rng.integers(1, 4))):
        distance = grid.measure_distance(rng.uniform(0, 0.75), rng.uniform(0, 2 * np.pi))
        cover = grid.soften(distance < rng.uniform(0.08, 0.22))
        crop = _blend(crop, _draw_belt(grid, rng), cover)
    return crop


def _swap_core(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """The rim of one coin and the core of another."""
    return _blend(crop, other, grid.soften(grid.radius < rng.uniform(0.45, 0.8)))


def _halve(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """The halves of two coins."""
    angle = rng.uniform(0, 2 * np.pi)
    side = grid.x * np.cos(angle) + grid.y * np.sin(angle)
    return _blend(crop, other, grid.soften(side > rng.uniform(-0.3, 0.3)))


def _recolour(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """One coin's design in another's colours."""
    return recolour(grid, crop, other)


def _blur(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """A coin without any detail left."""
    sigma_px = rng.uniform(4, 9) * grid.size_px / EDGE_SIZE_PX
    return cv2.GaussianBlur(crop, (0, 0), sigma_px)


def _flatten(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """A flat disc in the coin's colours, with grain, a shade across it, and often a rim."""
    flat = np.full(crop.shape, FILL, np.float32)
    core = rng.uniform(0.5, 0.8) if rng.random() < 0.4 else 0.0
    for is_part in (grid.radius < core, grid.radius >= core):
        if (is_part & grid.is_coin).any():
            flat[is_part], _ = _measure_colours(crop, is_part & grid.is_coin)
    flat += _draw_grain(grid, rng)
    flat += (grid.x * rng.normal(0, 14) + grid.y * rng.normal(0, 14))[..., None]
    if rng.random() < 0.6:
        rim = grid.soften(grid.radius > rng.uniform(0.82, 0.92))
        flat += rim * rng.uniform(-50, 60)
    return np.clip(flat, 0, 255).astype(np.uint8)


def _draw_grain(grid: CoinGrid, rng: Generator) -> np.ndarray:
    noise = rng.normal(0, 1, (grid.size_px, grid.size_px)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.6, 3))
    return grain[..., None] / float(grain.std()) * rng.uniform(2, 18)


def _erase(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """A coin whose relief is gone but for its rim."""
    sigma_px = rng.uniform(3, 6) * grid.size_px / EDGE_SIZE_PX
    blurred = cv2.GaussianBlur(crop, (0, 0), sigma_px)
    return _blend(crop, blurred, grid.soften(grid.radius < rng.uniform(0.7, 0.95)))


def _shuffle_sectors(
    grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator
) -> np.ndarray:
    """A coin cut into sectors, and these in another order."""
    count = int(rng.integers(3, 9))
    order = np.roll(rng.permutation(count), 1)
    width = 2 * np.pi / count
    sectors = (np.mod(grid.angle + rng.uniform(0, width), 2 * np.pi) // width).astype(int) % count
    shuffled = crop.copy()
    for sector, source in enumerate(order):
        turned = grid.rotate(crop, (source - sector) * 360 / count)
        shuffled[sectors == sector] = turned[sectors == sector]
    return shuffled


def _turn_core(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """A coin whose inner part is turned against its outer one."""
    turned = grid.rotate(crop, rng.uniform(40, 320))
    return _blend(crop, turned, grid.soften(grid.radius < rng.uniform(0.4, 0.8)))


def _mirror(grid: CoinGrid, crop: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    """A coin as it looks in a mirror."""
    return np.ascontiguousarray(crop[:, ::-1])


#: Every kind of near-coin, by name.
KINDS: dict[str, Alter] = {
    "hole": _hole,
    "drilled": _drill,
    "core-swapped": _swap_core,
    "halves": _halve,
    "recoloured": _recolour,
    "blurred": _blur,
    "flat": _flatten,
    "erased": _erase,
    "sectors": _shuffle_sectors,
    "core-turned": _turn_core,
    "mirrored": _mirror,
}
#: Those that a gate is trained with. The others have every part of a genuine coin, in other places:
#: a network that averages over places does not learn them, and rejects genuine coins instead
#: (96 px MobileNet, brl-frames/day1: AUROC 0.57 to 0.65 after training with them).
TRAINED_KINDS = tuple(name for name in KINDS if name not in ("sectors", "core-turned", "mirrored"))
