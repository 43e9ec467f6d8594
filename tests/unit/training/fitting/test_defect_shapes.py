"""defect_shapes: masks are of the size and at the place that they are said to be."""

import numpy as np
import pytest

from coinsorter.training.fitting.defect_shapes import (
    make_bite,
    make_clouds,
    make_disc,
    make_lines,
    make_patch,
    make_spot,
)

SIZE_PX = 64
RADIUS_PX = 30.0
FACE_PX = np.pi * RADIUS_PX**2


def make_many(make_shape) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.stack([make_shape(SIZE_PX, RADIUS_PX, rng) for _ in range(60)])


@pytest.mark.parametrize("make_shape", [make_patch, make_spot, make_bite])
def test_masks_are_from_0_to_1_and_differ(make_shape):
    masks = make_many(make_shape)
    assert masks.shape == (60, SIZE_PX, SIZE_PX)
    assert masks.min() == 0
    assert masks.max() == 1
    assert len(np.unique(masks.sum(axis=(1, 2)))) > 50


def test_a_disc_is_as_large_as_the_coin():
    disc = make_disc(SIZE_PX, RADIUS_PX)
    assert disc.sum() == pytest.approx(np.pi * (RADIUS_PX - 0.5) ** 2, rel=0.01)
    areas = [make_disc(SIZE_PX, RADIUS_PX, np.random.default_rng(n)).sum() for n in range(30)]
    assert 0.95 * FACE_PX * 0.97 < min(areas) < disc.sum() < max(areas) < 1.02 * FACE_PX


def test_patches_are_of_1_5_to_40_percent_of_the_coin():
    is_coin = make_disc(SIZE_PX, RADIUS_PX) > 0.5
    shares = (make_many(make_patch)[:, is_coin] > 0.5).mean(axis=1)
    assert 0.01 < shares.min() < 0.03
    assert 0.3 < shares.max() < 0.41


def test_a_spot_is_a_part_of_the_coin():
    areas = make_many(make_spot).sum(axis=(1, 2))
    assert areas.max() < np.pi * (0.31 * RADIUS_PX) ** 2 / 0.8 + 40


def test_a_bite_is_at_the_edge():
    y, x = np.indices((SIZE_PX, SIZE_PX)) - (SIZE_PX - 1) / 2
    for bite in make_many(make_bite):
        assert bite[31:33, 31:33].max() == 0 or bite.sum() > 0.1 * FACE_PX
        assert bite[np.hypot(x, y) > 1.03 * RADIUS_PX + 1].max() == 0


def test_lines_are_thin():
    rng = np.random.default_rng(1)
    shares = [make_lines(SIZE_PX, rng).mean() for _ in range(60)]
    assert min(shares) > 0
    assert max(shares) < 0.2


def test_clouds_are_smoother_with_fewer_cells():
    coarse = make_clouds(SIZE_PX, 3, np.random.default_rng(1))
    fine = make_clouds(SIZE_PX, 30, np.random.default_rng(1))
    assert coarse.shape == (SIZE_PX, SIZE_PX)
    assert np.abs(np.diff(coarse)).mean() < 0.3 * np.abs(np.diff(fine)).mean()
