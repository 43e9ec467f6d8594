"""polar: a rotation of the coin is a shift, and light changes neither edges nor their direction."""

import cv2
import numpy as np
import pytest

from coinsorter.recognition.polar import MAX_GRADIENT, WRAP, PolarGrid
from coinsorter.vision.crop import FILL, CropSpec

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
GRID = PolarGrid(rows=24, columns=128, min_reach=0.12, max_reach=0.97)


@pytest.fixture
def crop():
    """A coin with a bar across it, off its middle."""
    image = np.full((64, 64, 3), FILL, np.uint8)
    cv2.circle(image, (32, 32), 30, (150, 140, 120), -1, cv2.LINE_AA)
    cv2.rectangle(image, (36, 20), (50, 26), (70, 60, 50), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 0.8)


def test_the_columns_go_on_at_the_other_end(crop):
    unwrapped = GRID.unwrap(crop, SPEC)
    assert unwrapped.shape == (24, 128 + 2 * WRAP, 3)
    assert np.array_equal(unwrapped[:, :WRAP], unwrapped[:, -2 * WRAP : -WRAP])
    assert np.array_equal(unwrapped[:, -WRAP:], unwrapped[:, WRAP : 2 * WRAP])


def test_a_quarter_turn_is_a_shift_of_a_quarter(crop):
    as_is = GRID.compute_edges(crop, SPEC)
    turned = GRID.compute_edges(cv2.rotate(crop, cv2.ROTATE_90_CLOCKWISE), SPEC)
    difference = np.abs(turned - np.roll(as_is, 32, axis=2))
    assert difference.mean() < 0.02 * np.abs(as_is).mean()


def test_a_bar_is_where_it_was_drawn(crop):
    grey = GRID.unwrap(crop, SPEC)[:, WRAP:-WRAP].mean(axis=2)
    darkest = int(grey.mean(axis=0).argmin())
    angle = np.rad2deg(np.arctan2(23 - 31.5, 43 - 31.5)) % 360
    assert darkest * 360 / 128 == pytest.approx(angle, abs=12)


@pytest.mark.parametrize("gain", [0.6, 1.5])
def test_light_changes_no_edge(crop, gain):
    lit = np.clip(crop * gain, 0, 255).astype(np.uint8)
    as_is, then = GRID.compute_edges(crop, SPEC), GRID.compute_edges(lit, SPEC)
    assert np.corrcoef(as_is.ravel(), then.ravel())[0, 1] > 0.9


def test_an_edge_and_its_opposite_have_one_direction(crop):
    as_is, inverted = GRID.compute_edges(crop, SPEC), GRID.compute_edges(255 - crop, SPEC)
    strong = as_is[0] > 1
    assert np.corrcoef(as_is[1][strong], inverted[1][strong])[0, 1] > 0.9


def test_edges_are_bounded_even_in_noise():
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    edges = GRID.compute_edges(noise, SPEC)
    assert edges.shape == (3, 24, 128)
    assert np.abs(edges).max() <= MAX_GRADIENT * 1.001
