"""Segmentation compared with the hand-drawn boxes of `euro-trays`.

Its photographs show one to eight coins, many of which touch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coinsorter.images.image_io import read_image
from coinsorter.vision.detect import Search, find_circles

#: Radii in the training photographs run from 37 to 129 px.
SEARCH = Search(35, 130)
#: Intersection over union from which on a circle matches a box.
MATCH = 0.7

#: A circle in pixels: x and y of its middle, and its radius.
Disc = tuple[float, float, float]
#: A photograph, uint8 (height, width, 3) RGB, and the circles inscribed in its boxes.
Photograph = tuple[np.ndarray, list[Disc]]


@dataclass(frozen=True)
class Score:
    """How many circles match a box, how many match none, and how many boxes have no circle."""

    right: int
    false: int
    missed: int

    @property
    def recall(self) -> float:
        """The share of boxes that have a circle."""
        return self.right / max(1, self.right + self.missed)

    @property
    def precision(self) -> float:
        """The share of circles that match a box."""
        return self.right / max(1, self.right + self.false)


def read_photographs(data: Path, split: str) -> list[Photograph]:
    """Every photograph of a split: "train" or "val"."""
    folder = data / "euro-trays"
    photographs = []
    for path in sorted((folder / "images" / split).glob("*.jpg")):
        pixels = read_image(path)
        if pixels is None:
            raise SystemExit(f"{path} cannot be read")
        labels = (folder / "labels" / split / f"{path.stem}.txt").read_text()
        height_px, width_px = pixels.shape[:2]
        photographs.append((pixels, list(_parse_boxes(labels, width_px, height_px))))
    return photographs


def _parse_boxes(labels: str, width_px: int, height_px: int) -> Iterator[Disc]:
    """The circles inscribed in boxes of YOLO's format: class, then relative x, y, width, height."""
    for line in labels.split("\n"):
        if not line.strip():
            continue
        _, x, y, box_width, box_height = map(float, line.split())
        diameter_px = min(box_width * width_px, box_height * height_px)
        yield x * width_px, y * height_px, diameter_px / 2


def score_photographs(photographs: list[Photograph]) -> Score:
    """How well the circles that segmentation finds match the boxes."""
    right = false = missed = 0
    for pixels, truths in photographs:
        circles = [circle for circle in find_circles(pixels, SEARCH) if circle.quality]
        discs = [(circle.x_px, circle.y_px, circle.radius_px) for circle in circles]
        matched = _count_matches(truths, discs)
        right += matched
        false += len(discs) - matched
        missed += len(truths) - matched
    return Score(right, false, missed)


def _count_matches(truths: list[Disc], discs: list[Disc]) -> int:
    """Pairs of a truth and a disc, the best overlapping first, each used once."""
    pairs = [
        (compute_iou(truth, disc), truth_index, disc_index)
        for truth_index, truth in enumerate(truths)
        for disc_index, disc in enumerate(discs)
    ]
    free_truths = set(range(len(truths)))
    free_discs = set(range(len(discs)))
    for overlap, truth_index, disc_index in sorted(pairs, reverse=True):
        is_free = truth_index in free_truths and disc_index in free_discs
        if overlap >= MATCH and is_free:
            free_truths.remove(truth_index)
            free_discs.remove(disc_index)
    return len(truths) - len(free_truths)


def compute_iou(a: Disc, b: Disc) -> float:
    """The area that two circles share, over the area that they cover together."""
    _, _, r = a
    _, _, s = b
    shared = _compute_shared_area(a, b)
    return float(shared / (np.pi * (r * r + s * s) - shared))


def _compute_shared_area(a: Disc, b: Disc) -> float:
    """The area of the lens of two circles: their two sectors without the kite between."""
    distance = float(np.hypot(a[0] - b[0], a[1] - b[1]))
    r, s = a[2], b[2]
    if distance >= r + s:
        return 0.0
    if distance <= abs(r - s):
        return float(np.pi * min(r, s) ** 2)
    sector = r * r * np.arccos((distance**2 + r * r - s * s) / (2 * distance * r))
    other_sector = s * s * np.arccos((distance**2 + s * s - r * r) / (2 * distance * s))
    product = (-distance + r + s) * (distance + r - s)
    product *= (distance - r + s) * (distance + r + s)
    return float(sector + other_sector - np.sqrt(product) / 2)
