"""assemble: coins to train on and coins for thresholds are apart, and contradictions named."""

import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.training.progress import show_progress
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.assemble import assemble_samples, deal_held_out, read_photos
from tests.unit.training.tiny import CROPS_RECIPE, RECIPE

#: Without simulated objects, which take seconds.
QUICK = RECIPE | {"pictures": {"foreign": 0}}


def assemble(folders, **changes):
    recipe = Recipe.model_validate(QUICK | changes)
    return assemble_samples(recipe, folders, None, show_progress)


def test_held_out_bursts_are_not_trained_on(frames):
    assembled = assemble([frames])
    training, held_out = assembled.training, assembled.held_out
    assert not set(training.groups) & set(held_out.groups)
    assert len(training) + len(held_out) == 24
    assert set(held_out.labels) == set(training.labels) == {0, 1}
    assert assembled.notes == {
        "bursts": 4,
        "left_out": 0,
        "split": "by burst",
        "held_out_bursts": 2,
    }
    assert assembled.scale_drifts
    assert len(assembled.anomalies) == 0


def test_each_fold_evaluates_coins_that_it_does_not_train_on(frames):
    assembled = assemble([frames], folds=2)
    assert len(assembled.training) == len(assembled.held_out) == 24
    for training, held_out in assembled.folds:
        assert not set(training.groups) & set(held_out.groups)
        assert len(training) + len(held_out) == 24
    by_fold = np.concatenate([held_out.groups for _, held_out in assembled.folds])
    assert (assembled.held_out.groups[assembled.held_out_order] == by_fold).all()


def test_only_the_first_folds_are_trained_if_so_wanted(crops):
    recipe = Recipe.model_validate(CROPS_RECIPE | {"pictures": {"foreign": 0}})
    assembled = assemble_samples(recipe, [crops], None, show_progress)
    assert len(assembled.folds) == 1
    assert len(assembled.held_out) == 10
    assert assembled.notes["split"] == "by burst, 1 of 3 folds"
    assert not assembled.scale_drifts


@pytest.mark.parametrize("changes", [{}, {"folds": 2}, {"folds": 2, "asked": 1}])
def test_coins_are_held_out_again_as_they_were(frames, changes):
    recipe = Recipe.model_validate(QUICK | changes)
    assembled = assemble([frames], **changes)
    coins = read_photos(recipe, [frames], show_progress).samples
    fold_of = deal_held_out(recipe, coins)
    held_out = coins.select(fold_of >= 0)
    assert held_out.groups.tolist() == assembled.held_out.groups.tolist()
    assert held_out.labels.tolist() == assembled.held_out.labels.tolist()
    assert len(np.unique(fold_of[fold_of >= 0])) == max(len(assembled.folds), 1)
    for fold, (_, own) in enumerate(assembled.folds):
        assert coins.select(fold_of == fold).groups.tolist() == own.groups.tolist()


@pytest.mark.parametrize(
    "change, folders, complaint",
    [
        ({}, 0, r"trains on photographs \(frames\): name their folder"),
        ({"source": "simulated", "labels": []}, 1, "takes no images"),
        ({"labels": RECIPE["labels"][:1]}, 1, "at least two are needed"),
        ({"motifs": ["heart"]}, 1, "heart are kept for the simulated belt"),
        ({"source": "simulated", "labels": [], "folds": 3}, 0, "are for photographs"),
        ({"autoencoder": {"network": "features"}}, 1, "and the recipe has neither; set `gate"),
        (
            {"autoencoder": {"network": "features"}, "classifier": {"exposed": True}},
            1,
            "of a gate, or of an exposed mobilenet",
        ),
        ({"classifier": {"weights": "imagenet"}}, 1, "separable starts from nothing"),
        ({}, 2, "one camera in one place"),
        ({"asked": 2}, 1, r"more than its folds \(none\)"),
        ({"folds": 2, "asked": 3}, 1, r"more than its folds \(2\)"),
        ({"source": "crops", "crop": {"true_size": True}}, 1, "do not tell how large"),
        ({"folds": 10}, 1, "more than the images have bursts for; 4 would do"),
    ],
)
def test_what_cannot_be_trained_is_named(frames, change, folders, complaint):
    with pytest.raises(InputError, match=complaint):
        assemble([frames] * folders, **change)


def test_simulated_coins_have_no_anomalies_in_photographs(frames):
    recipe = Recipe(name="x", source="simulated")
    with pytest.raises(InputError, match="photographs of anomalies say nothing of them"):
        assemble_samples(recipe, [], frames, show_progress)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        assemble([tmp_path / "nowhere"])


def test_a_label_of_one_burst_cannot_be_held_out(frames, tmp_path):
    for path in frames.rglob("*.png"):
        if path.parent.name == "crown_20" or path.name.startswith("x_10"):
            copy = tmp_path / path.parent.name / path.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="label .*[a-z].*: all its images are one burst"):
        assemble([tmp_path])


def test_a_label_of_one_burst_is_named_before_an_image_is_read(tmp_path):
    for label in QUICK["labels"]:
        for number in (1, 2, 3) if label is QUICK["labels"][1] else (1, 101, 201):
            path = tmp_path / label["name"] / f"x_{number}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"never read")
    name = QUICK["labels"][1]["name"]
    with pytest.raises(InputError, match=f"label {name}: all its images are one burst"):
        assemble([tmp_path])


def test_photographs_of_frames_are_in_one_folder(frames):
    with pytest.raises(InputError, match="name one folder, not 2"):
        read_photos(Recipe.model_validate(QUICK), [frames, frames], show_progress)
