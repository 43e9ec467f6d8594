"""Stills of many items with their truth."""

import cv2
import numpy as np

from coinsorter.simulator.coins import make_genuine_coin
from coinsorter.simulator.still_scenes import IMAGES_PER_LAMP, render_stills
from coinsorter.vision.detect import find_circles
from tests.unit.simulator.conftest import OPTICS, SEARCH, make_rng


def render(count: int, seed: int = 1) -> list:
    rng = make_rng(seed)
    items = (make_genuine_coin(rng) for _ in range(count))
    return list(render_stills(items, OPTICS, rng))


def test_every_item_is_on_one_still_and_the_last_may_have_fewer():
    assert [len(still.items) for still in render(27)] == [12, 12, 3]
    assert render(0) == []


def test_items_are_detected_where_the_truth_says():
    (still,) = render(12)
    circles = find_circles(still.pixels, SEARCH)
    for _, x_px, y_px in still.items:
        distances = [np.hypot(circle.x_px - x_px, circle.y_px - y_px) for circle in circles]
        assert min(distances) < 1.5


def test_the_lamp_changes_after_some_images():
    rng = make_rng(2)
    items = (make_genuine_coin(rng, "bit_10") for _ in range(IMAGES_PER_LAMP + 1))
    stills = list(render_stills(items, OPTICS, rng, cell_mm=200.0))
    blocks = [cv2.resize(still.pixels, (8, 6), interpolation=cv2.INTER_AREA) for still in stills]
    borders = np.array([block[0].reshape(-1) for block in blocks], float)
    changes = np.abs(np.diff(borders, axis=0)).mean(axis=1)
    assert len(stills) == IMAGES_PER_LAMP + 1 and changes[-1] > 2 * changes[:-1].max()
