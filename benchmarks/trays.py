"""Segmentation against the hand-drawn boxes of `euro-trays`: photographs of one to eight coins, many of which touch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coinsorter.images import read_image
from coinsorter.vision.detect import Search, find_circles

# Radii in the training photographs run from 37 to 129 px.
SEARCH = Search(35, 130)
MATCH = 0.7


@dataclass(frozen=True)
class Score:
    """Circles that match a box's inscribed circle at IoU >= MATCH, circles that match none, and boxes without a circle."""

    right: int
    false: int
    missed: int

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.false)


def photographs(
    data: Path, split: str
) -> list[tuple[np.ndarray, list[tuple[float, float, float]]]]:
    """(pixels, [(x, y, radius)]) of every photograph of a split; the coin is the circle inscribed in its box."""
    found = []
    for path in sorted((data / "euro-trays" / "images" / split).glob("*.jpg")):
        pixels = read_image(path)
        assert pixels is not None
        height, width = pixels.shape[:2]
        boxes = (
            (data / "euro-trays" / "labels" / split / f"{path.stem}.txt").read_text().split("\n")
        )
        circles = []
        for box in filter(str.strip, boxes):
            _, x, y, wide, tall = map(float, box.split())
            circles.append((x * width, y * height, min(wide * width, tall * height) / 2))
        found.append((pixels, circles))
    return found


def score(pictures: list[tuple[np.ndarray, list[tuple[float, float, float]]]]) -> Score:
    right = false = missed = 0
    for pixels, truths in pictures:
        found = [(c.x_px, c.y_px, c.radius_px) for c in find_circles(pixels, SEARCH) if c.quality]
        matched = _matches(truths, found)
        right += matched
        false += len(found) - matched
        missed += len(truths) - matched
    return Score(right, false, missed)


def _matches(
    truths: list[tuple[float, float, float]], found: list[tuple[float, float, float]]
) -> int:
    """Pairs of a truth and a circle, the best overlapping first, each used once."""
    pairs = sorted(
        ((iou(t, f), i, j) for i, t in enumerate(truths) for j, f in enumerate(found)), reverse=True
    )
    used_truths: set[int] = set()
    used_found: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= MATCH and i not in used_truths and j not in used_found:
            used_truths.add(i)
            used_found.add(j)
    return len(used_truths)


def iou(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    """Area that two circles (x, y, radius) share, over the area that they cover together."""
    distance, r, s = float(np.hypot(a[0] - b[0], a[1] - b[1])), a[2], b[2]
    if distance >= r + s:
        return 0.0
    if distance <= abs(r - s):
        shared = np.pi * min(r, s) ** 2
    else:
        first = r * r * np.arccos((distance**2 + r * r - s * s) / (2 * distance * r))
        second = s * s * np.arccos((distance**2 + s * s - r * r) / (2 * distance * s))
        kite = (
            np.sqrt(
                (-distance + r + s) * (distance + r - s) * (distance - r + s) * (distance + r + s)
            )
            / 2
        )
        shared = first + second - kite
    return float(shared / (np.pi * (r * r + s * s) - shared))
