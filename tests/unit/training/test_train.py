"""train: images become a bundle that the machine loads, and a kill changes nothing of it."""

import json
import re
import shutil
import signal
import subprocess
import sys

import cv2
import pytest

from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from tests.conftest import needs_training, only_in_full
from tests.unit.training.tiny import CROPS_RECIPE, RECIPE, write_recipe

needs_training()

from coinsorter.training import train_cli

QUICK = [
    option
    for network in ("classifier", "autoencoder", "inspector")
    for setting in ("epochs=1", "repeat=1", "width=4")
    for option in ("--set", f"{network}.{setting}")
]


def train(*words: object) -> int:
    return train_cli.main(["bundle", *map(str, words)])


def test_a_trained_bundle_loads_and_proves_itself(tiny):
    bundle = load_bundle(tiny)
    Classifier(bundle, pick_runtime("auto")).check_golden_crops()
    assert list(bundle.labels) == ["bit_10", "crown_20"]
    assert bundle.view.px_per_mm == pytest.approx(4.0, rel=0.01)


def test_a_trained_bundle_separates_two_coins(tiny):
    training = load_bundle(tiny).manifest.training
    assert training["held_out_bursts"] == 2
    assert training["bursts"] == 4
    assert training["held_out_accuracy"][pick_runtime("auto")] > 0.9


def test_a_bundle_keeps_its_recipe_and_says_what_its_sample_proves(tiny):
    manifest = load_bundle(tiny).manifest
    assert manifest.recipe["classifier"]["epochs"] == 12
    assert manifest.recipe["seed"] == 3
    assert manifest.budget["held_out"] == 12
    assert manifest.budget["proven"] is False
    assert manifest.budget["wrong_at_most_95"] > 0.2  # a dozen coins prove next to nothing
    assert {thresholds.n for thresholds in manifest.thresholds.values()} == {6}


def test_a_bundle_keeps_how_its_training_went(tiny):
    history = json.loads((tiny / "training" / "history.json").read_text())
    assert {name: len(epochs) for name, epochs in history.items()} == {
        "classifier": 12,
        "autoencoder": 2,
        "inspector": 2,
    }
    assert history["classifier"][-1]["loss"] < history["classifier"][0]["loss"]
    assert cv2.imread(str(tiny / "training" / "curves.png")).shape[1] > 600


def test_golden_crops_are_simulated_ones(tiny):
    """A bundle of photographs holds no photograph; 16 foreign objects were rendered here."""
    golden = load_bundle(tiny).golden
    assert len(golden.crops) == 8
    assert golden.logits.shape == (8, 3)
    assert golden.reconstruction_errors.shape == (8,)


def test_nothing_is_left_beside_a_bundle(tiny):
    assert sorted(path.name for path in tiny.parent.iterdir()) == ["bundle", "recipe.yaml"]


def test_a_training_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(frames, tiny, tmp_path):
    """A real process and a real SIGKILL, in the middle of the classifier's epochs."""
    out = tmp_path / "bundle"
    program = "import sys; from coinsorter.training import train_cli; sys.exit(train_cli.main())"
    recipe = tiny.parent / "recipe.yaml"
    command = [sys.executable, "-c", program, "bundle", frames, "--recipe", recipe, "--out", out]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("classifier 5/"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    resumed = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
    epochs = re.findall(r"^classifier (\d+)/12", resumed.stderr, re.MULTILINE)
    assert epochs[0] in ("5", "6", "7")  # the last one that was reported may not have been kept
    assert epochs[-1] == "12"
    assert load_bundle(out).manifest.files == load_bundle(tiny).manifest.files
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.fixture(scope="module")
def cross_validated(prepared, tmp_path_factory):
    """A bundle of a prepared data set without a recipe, by two folds.

    One by a single fold is made where the commands of docs/commissioning.md are tried.
    """
    out = tmp_path_factory.mktemp("cross") / "My Coins"
    diameters = "bit_10=18,crown_20=27.5"
    assert train(prepared, "--out", out, "--diameters", diameters, "--set", "folds=2", *QUICK) == 0
    return out


@only_in_full
def test_with_folds_every_coin_is_held_out_once(cross_validated):
    manifest = load_bundle(cross_validated).manifest
    assert manifest.budget["held_out"] == 24
    assert manifest.training["held_out_bursts"] == manifest.training["bursts"] == 4
    assert {thresholds.n for thresholds in manifest.thresholds.values()} == {12}


@only_in_full
def test_a_prepared_data_set_needs_no_recipe_but_sizes(cross_validated):
    bundle = load_bundle(cross_validated)
    assert bundle.manifest.name == "my-coins"
    assert bundle.manifest.recipe["px_per_mm"] == pytest.approx(4, rel=0.02)
    assert bundle.view.px_per_mm == pytest.approx(4, rel=0.04)
    assert bundle.defect_detector is not None


@pytest.mark.parametrize(
    "diameters, complaint",
    [("", "bit_10=MM,crown_20=MM"), ("bit_10=18,crown_20=27.5,crown_50=30", "names crown_50")],
)
def test_a_prepared_data_set_needs_the_size_of_each_label(
    prepared, tmp_path, command, diameters, complaint
):
    words = ["--diameters", diameters] if diameters else []
    status, _, err = command("bundle", prepared, "--out", tmp_path / "out", *words)
    assert status == 66
    assert complaint in err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def from_crops(crops, tmp_path_factory):
    """A bundle of ready crops, its anomaly thresholds set against one label's coins."""
    folder = tmp_path_factory.mktemp("from-crops")
    anomalies = shutil.copytree(crops / "bit_10", folder / "odd")
    recipe = write_recipe(folder, CROPS_RECIPE | {"inspector": None})
    options = ["--recipe", recipe, "--anomalies", anomalies, "--set", "classifier.epochs=16"]
    assert train(crops, *options, "--out", folder / "bundle") == 0
    return folder / "bundle"


def test_of_several_folds_only_those_that_are_wanted_are_trained(from_crops):
    manifest = load_bundle(from_crops).manifest
    assert manifest.recipe["classifier"]["epochs"] == 16
    assert manifest.training["bursts"] == 3
    assert manifest.budget["held_out"] == 10


def test_a_bundle_from_ready_crops_leaves_sizes_to_the_machine(from_crops):
    bundle = load_bundle(from_crops)
    assert bundle.manifest.fusion.diameter_std == 0.012
    tolerance_mm = bundle.thresholds["crown_20"].tolerance_mm
    assert tolerance_mm == pytest.approx(4 * 0.012 * 27.5, rel=0.01)


def test_a_bundle_knows_the_other_names_of_its_labels(from_crops):
    bundle = load_bundle(from_crops)
    names = [bundle.resolve_label(name) for name in ("twenty", "bit_10", "thirty")]
    assert names == ["crown_20", "bit_10", "thirty"]


def test_a_bundle_from_ready_crops_classifies_them(from_crops, crops, tmp_path, command):
    status, _, _ = command("evaluate", from_crops, crops, "--crops", "--out", tmp_path / "seen")
    metrics = json.loads((tmp_path / "seen" / "metrics.json").read_text())
    assert status == 0
    assert (metrics["genuine"], metrics["foreign"]) == (30, 0)
    assert metrics["all_answered"]["right"]["share"] > 0.8


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"classifier": {"network": "mobilenet-v2", "weights": "nowhere.h5"}}, "is no file"),
        ({"px_per_mm": 14.0}, "no coin was found"),
        ({"folds": 10}, "more than the images have bursts for; 4 would do"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(
    capsys, tmp_path, frames, change, complaint
):
    recipe = write_recipe(tmp_path, RECIPE | {"pictures": {"foreign": 0}} | change)
    status = train(frames, "--recipe", recipe, "--out", tmp_path / "out")
    errors = capsys.readouterr().err.splitlines()
    complaints = [line for line in errors if line.startswith("coinsorter-train:")]
    assert status == 66
    assert len(complaints) == 1
    assert complaint in complaints[0]
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
