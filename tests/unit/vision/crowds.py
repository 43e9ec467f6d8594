"""Frames full of coins, with their truth."""

from dataclasses import dataclass
from math import hypot, sqrt

import cv2
import numpy as np

from coinsorter.records import Circle

BELT = 90
COLUMNS = 10
#: Radii over the largest.
RADII = (0.8, 1.0)
#: In radii: how far a circle may be off a coin's centre, and its radius off the coin's.
MAX_SHIFT = 0.15
MAX_ERROR = 0.08
#: In radii: coins nearer than this touch.
TOUCHING_GAP = 0.04


@dataclass(frozen=True, eq=False)
class Crowd:
    """A frame, uint8 (h, w, 3) RGB, and the coins in it, as (x_px, y_px, radius_px)."""

    pixels: np.ndarray
    coins: list[tuple[float, float, float]]


def draw_crowd(
    count: int,
    radius_px: float,
    gap_px: float,
    seed: int = 1,
) -> Crowd:
    """Coins with an inner ring, each row between those of the row before.

    radius_px: the largest coin's. gap_px: between two of those.
    """
    rng = np.random.default_rng(seed)
    pitch_px = 2 * radius_px + gap_px
    coins = [_place_coin(number, pitch_px, radius_px, rng) for number in range(count)]
    height = int(coins[-1][1] + pitch_px)
    width = int((COLUMNS + 1.5) * pitch_px)
    pixels = np.full((height // 2 * 2, width // 2 * 2, 3), BELT, np.uint8)
    for coin in coins:
        _draw_coin(pixels, coin, int(rng.integers(150, 230)))
    noise = rng.normal(0, 3, pixels.shape)
    noisy = cv2.GaussianBlur(pixels, (0, 0), 0.7) + noise
    return Crowd(np.clip(noisy, 0, 255).astype(np.uint8), coins)


def _place_coin(
    number: int,
    pitch_px: float,
    radius_px: float,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    row, column = divmod(number, COLUMNS)
    x_px = (column + 0.8 + row % 2 / 2) * pitch_px
    y_px = (0.8 + row * sqrt(0.75)) * pitch_px
    return x_px, y_px, radius_px * rng.uniform(*RADII)


def _draw_coin(pixels: np.ndarray, coin: tuple[float, float, float], level: int) -> None:
    x, y, radius = (round(16 * value) for value in coin)  # OpenCV draws to sixteenths of a pixel
    face = (level, level - 20, level // 2)
    ring = (level - 30, level - 50, level // 2)
    cv2.circle(pixels, (x, y), radius, face, -1, cv2.LINE_AA, 4)
    cv2.circle(pixels, (x, y), radius * 4 // 5, ring, 2, cv2.LINE_AA, 4)


def count_found(crowd: Crowd, circles: list[Circle]) -> int:
    """How many of the coins have a circle of their size."""
    outlined = [circle for circle in circles if circle.quality]
    return sum(any(_fits(circle, coin) for circle in outlined) for coin in crowd.coins)


def _fits(circle: Circle, coin: tuple[float, float, float]) -> bool:
    x_px, y_px, radius_px = coin
    is_there = hypot(circle.x_px - x_px, circle.y_px - y_px) < MAX_SHIFT * radius_px
    return is_there and abs(circle.radius_px / radius_px - 1) < MAX_ERROR


def list_alone_though_touching(crowd: Crowd, circles: list[Circle]) -> list[Circle]:
    """The circles that are called alone on coins that touch others."""
    touching = [coin for coin in crowd.coins if _touches_another(coin, crowd)]
    alone = [circle for circle in circles if circle.alone]
    return [circle for circle in alone if any(_fits(circle, coin) for coin in touching)]


def _touches_another(coin: tuple[float, float, float], crowd: Crowd) -> bool:
    x, y, radius = coin
    gaps = [hypot(x - u, y - v) - radius - r for u, v, r in crowd.coins if (u, v, r) != coin]
    return min(gaps) < TOUCHING_GAP * radius
