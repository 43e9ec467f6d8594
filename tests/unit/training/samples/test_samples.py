"""samples: what is selected stays together, and no group is on two sides of a split."""

import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.records import Circle
from coinsorter.training.samples.samples import (
    FOREIGN_LABEL,
    Samples,
    deal_folds,
    hold_out,
    make_empty_samples,
)
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

NAMES = ["10c", "25c"]
RNG = np.random.default_rng(1)


def make_samples(groups: list[int], labels: list[int]) -> Samples:
    """Samples whose crops are of one grey each: their place."""
    count = len(groups)
    crops = (
        np.zeros((count, 8, 8, 3), np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None, None]
    )
    circles = tuple(Circle(n, 0, 30, 1, 1, 1, (0, 0, 0), True) for n in range(count))
    return Samples(crops, np.array(labels), circles, np.arange(count) / 10, np.array(groups))


def test_selected_samples_keep_all_that_is_theirs():
    samples = make_samples([1, 1, 2], [0, FOREIGN_LABEL, 1])
    chosen = samples.select(np.array([True, False, True]))
    assert len(chosen) == 2
    assert chosen.crops[:][:, 0, 0, 0].tolist() == [0, 2]
    assert [circle.x_px for circle in chosen.circles] == [0, 2]
    assert chosen.diameters_mm.tolist() == [0, 0.2]
    assert chosen.groups.tolist() == [1, 2]


def test_foreign_objects_are_not_genuine():
    assert make_samples([1, 1, 2], [0, FOREIGN_LABEL, 1]).is_genuine.tolist() == [True, False, True]


def test_parts_are_concatenated_in_their_order():
    parts = [make_samples([1], [0]), make_samples([2, 3], [1, 0])]
    joined = Samples.concatenate(parts)
    assert joined.labels.tolist() == [0, 1, 0]
    assert joined.groups.tolist() == [1, 2, 3]
    assert joined.crops[:][:, 0, 0, 0].tolist() == [0, 0, 1]
    assert len(joined.circles) == 3


def test_no_samples_go_with_others():
    spec = CropSpec(8, 1.06, (95.0, 95.0, 95.0))
    joined = Samples.concatenate([make_empty_samples(spec), make_samples([1], [0])])
    assert len(make_empty_samples(spec)) == 0
    assert joined.crops[:].shape == (1, 8, 8, 3)


def test_diameters_are_those_of_the_view():
    samples = make_samples([1, 1], [0, 0]).with_diameters(ScalePlane(4.0, 0.0, 0.0, 640, 480))
    assert samples.diameters_mm == pytest.approx([15.0, 15.0])


@pytest.mark.parametrize("seed", range(5))
def test_no_burst_is_on_both_sides_of_the_split_and_every_label_is_on_each(seed):
    groups = np.repeat(np.arange(12), 10)
    samples = make_samples(groups.tolist(), (groups % 3).tolist())
    held = hold_out(samples, 0.25, np.random.default_rng(seed))
    sides = [set(groups[held]), set(groups[~held])]
    assert not sides[0] & sides[1]
    assert all({group % 3 for group in side} == {0, 1, 2} for side in sides)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_no_burst_is_in_two_folds_and_each_label_is_in_as_many_as_can_be(count, seed):
    groups = np.repeat(np.arange(12), np.random.default_rng(seed).integers(1, 20, 12))
    samples = make_samples(groups.tolist(), (groups % 3).tolist())
    folds = deal_folds(samples, count, np.random.default_rng(seed))
    assert set(folds) <= set(range(count))
    assert all(len(set(folds[groups == group])) == 1 for group in range(12))
    assert all(len(set(folds[groups % 3 == label])) == min(count, 4) for label in range(3))


@pytest.mark.parametrize(
    "sizes", [(61, 30), (30, 61), (1, 1), (59, 30, 31), (5, 5, 5, 5, 5, 5), (100, 1)]
)
@pytest.mark.parametrize("seed", range(5))
def test_bursts_of_any_size_leave_some_to_train_on_and_some_to_evaluate_on(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    samples = make_samples(groups.tolist(), [0] * len(groups))
    held = hold_out(samples, 0.25, np.random.default_rng(seed))
    assert 0 < held.sum() < len(groups)


def test_about_the_share_that_is_wanted_is_held_out():
    samples = make_samples(np.repeat(np.arange(20), 10).tolist(), [0] * 200)
    assert hold_out(samples, 0.25, np.random.default_rng(1)).sum() == 50


@pytest.mark.parametrize(
    "split", [lambda s, rng: hold_out(s, 0.5, rng), lambda s, rng: deal_folds(s, 2, rng)]
)
def test_a_label_of_one_burst_cannot_be_split(split):
    samples = make_samples([1, 1, 2], [0, 0, 0])
    split(samples, np.random.default_rng(1))
    with pytest.raises(InputError, match="label 0: all its images are one burst"):
        split(samples.select(samples.groups == 1), np.random.default_rng(1))


def test_a_label_of_one_burst_is_called_by_its_name():
    samples = make_samples([1, 2, 3], [0, 0, 1])
    for split in (
        lambda: hold_out(samples, 0.5, RNG, NAMES),
        lambda: deal_folds(samples, 2, RNG, NAMES),
    ):
        with pytest.raises(InputError, match="label 25c: all its images are one burst"):
            split()
