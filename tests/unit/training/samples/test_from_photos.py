"""from_photos: frames, data sets and ready crops give the same coins, in groups."""

import shutil

import cv2
import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.from_photos import (
    list_labelled_images,
    read_anomalies,
    read_crops,
    read_dataset,
    read_frames,
)
from coinsorter.training.samples.samples import FOREIGN_LABEL
from tests.unit.training.tiny import CROPS_RECIPE, RECIPE, ignore_steps

FRAMES = Recipe.model_validate(RECIPE)
CROPS = Recipe.model_validate(CROPS_RECIPE)


@pytest.fixture(scope="module")
def photographed(frames):
    return read_frames(frames, FRAMES, ignore_steps)


def test_every_coin_of_the_frames_is_measured_and_cut_out(photographed):
    samples = photographed.samples
    nominal_mm = np.array([18.0, 27.5])[samples.labels]
    assert np.bincount(samples.labels).tolist() == [12, 12]
    assert samples.crops[:].shape == (24, 64, 64, 3)
    assert samples.diameters_mm == pytest.approx(nominal_mm, rel=0.01)
    assert photographed.plane.px_per_mm == pytest.approx(4.0, rel=0.01)
    assert photographed.left_out == {}


def test_frames_of_one_burst_are_one_group(photographed):
    assert np.unique(photographed.samples.groups, return_counts=True)[1].tolist() == [6] * 4


def test_frames_that_cannot_be_used_are_left_out_with_the_reason(frames, tmp_path):
    folder = shutil.copytree(frames, tmp_path / "frames")
    first, second, *_ = sorted((folder / "bit_10").iterdir())
    first.write_bytes(b"no image")
    cv2.imwrite(str(second), np.full((480, 640, 3), 95, np.uint8))
    reports = []
    coins = read_frames(folder, FRAMES, reports.append)
    assert coins.left_out == {str(first): "unreadable", str(second): "0 coins"}
    assert len(coins.samples) == 22
    assert reports == list(range(1, 25))


def test_folders_that_are_no_labels_are_passed_over(frames, tmp_path):
    folder = shutil.copytree(frames, tmp_path / "frames")
    shutil.copytree(folder / "bit_10", folder / "other")
    assert set(list_labelled_images(folder, FRAMES).values()) == {"bit_10", "crown_20"}


def test_a_label_without_images_is_named(frames, tmp_path):
    folder = tmp_path / "frames"
    shutil.copytree(frames / "bit_10", folder / "bit_10")
    with pytest.raises(InputError, match="no images in folders named crown_20"):
        read_frames(folder, FRAMES, ignore_steps)


def test_frames_at_another_scale_show_no_coins(frames):
    recipe = FRAMES.model_copy(update={"px_per_mm": 14.0})
    with pytest.raises(InputError, match=r"label bit_10, crown_20: no coin was found"):
        read_frames(frames, recipe, ignore_steps)


def test_frames_for_a_bundle_have_its_view_and_crops(crowns, frames, tmp_path):
    coins = read_frames(frames, FRAMES, ignore_steps, crowns)
    assert (coins.plane, coins.spec) == (crowns.view, crowns.crop)
    for path in list_labelled_images(frames, FRAMES):
        smaller = tmp_path / path.parent.name / path.name
        smaller.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(smaller), cv2.imread(str(path))[:400])
    with pytest.raises(InputError, match="its images are 640x400, the view of bundle"):
        read_frames(tmp_path, FRAMES, ignore_steps, crowns)


def test_a_prepared_data_set_holds_the_same_coins_as_its_frames(photographed, prepared):
    coins = read_dataset(Dataset.load(prepared), FRAMES, ignore_steps)
    whole = photographed.samples
    assert (coins.samples.labels == whole.labels).all()
    assert coins.samples.diameters_mm == pytest.approx(whole.diameters_mm, rel=0.01)
    assert np.abs(coins.samples.crops[:].astype(int) - whole.crops[:]).mean() < 3
    assert len(np.unique(coins.samples.groups)) == 4


def test_a_data_set_of_frames_is_not_taken_for_crops(prepared):
    with pytest.raises(InputError, match="holds frames, the recipe's source is crops"):
        read_crops([prepared], CROPS, ignore_steps)


def test_photographs_of_ready_crops_are_groups_and_tell_no_sizes(crops):
    samples = read_crops([crops], CROPS, ignore_steps).samples
    assert np.bincount(samples.groups).tolist() == [10] * 3  # of both labels
    assert np.bincount(samples.labels).tolist() == [15, 15]
    assert np.isnan(samples.diameters_mm).all()


def test_crops_of_the_same_coins_are_one_group_whatever_photograph_they_are_of(crops):
    recipe = Recipe.model_validate(CROPS_RECIPE | {"same_coins": ["^shot[01]_"]})
    samples = read_crops([crops], recipe, ignore_steps).samples
    assert sorted(np.bincount(samples.groups).tolist()) == [10, 20]


def test_without_patterns_each_crop_is_its_own_group(crops):
    recipe = CROPS.model_copy(update={"group_pattern": ""})
    assert len(np.unique(read_crops([crops], recipe, ignore_steps).samples.groups)) == 30


def test_ready_crops_that_cannot_be_read_are_left_out(crops, tmp_path):
    folder = shutil.copytree(crops, tmp_path / "crops")
    torn = folder / "twenty" / "shot0_0.png"
    torn.write_bytes(b"no image")
    coins = read_crops([folder], CROPS, ignore_steps)
    assert coins.left_out == {str(torn): "unreadable"}
    assert len(coins.samples) == 29


def test_anomalies_are_cut_like_the_coins_and_are_foreign(frames, photographed):
    anomalies = read_anomalies(frames / "bit_10", FRAMES, photographed, ignore_steps)
    assert (anomalies.labels == FOREIGN_LABEL).all()
    same = photographed.samples.select(photographed.samples.labels == 0)
    assert np.abs(anomalies.crops[:].astype(int) - same.crops[:]).mean() < 2


def test_a_folder_without_anomalies_is_named(photographed, tmp_path):
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((480, 640, 3), 95, np.uint8))
    with pytest.raises(InputError, match="nothing round is in any of its images"):
        read_anomalies(tmp_path, FRAMES, photographed, ignore_steps)
