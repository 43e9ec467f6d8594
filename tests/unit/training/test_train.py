"""train: from images to a bundle that the machine loads; bad input is one line."""

import json
import re
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Circle
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.vision.crop import FILL, CropSpec, mask_coin
from tests.conftest import ROOT, needs_training
from tests.unit.training.tiny import RECIPE

needs_training()

from coinsorter.training import recipe, train_cli
from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.fitting import augment
from coinsorter.training.recipe import AugmentSettings
from coinsorter.training.samples import from_photos, samples

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))


def test_a_trained_bundle_loads_proves_itself_and_tells_two_coins_apart(tiny, frames):
    models = bundle.load_bundle(tiny)
    judge = Classifier(models, runtime.pick_runtime("auto"))
    judge.check_golden_crops()
    assert list(models.labels) == ["bit_10", "crown_20"]
    assert (
        models.manifest.training["held_out_bursts"] == 2 and models.manifest.training["bursts"] == 4
    )
    assert models.manifest.training["held_out_accuracy"][runtime.pick_runtime("auto")] > 0.9
    assert models.view.px_per_mm == pytest.approx(4.0, rel=0.01)


def test_a_training_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(frames, tiny, tmp_path):
    """A real process and a real SIGKILL, in the middle of the classifier's epochs."""
    recipe_path, out = tiny.parent / "recipe.yaml", tmp_path / "bundle"
    command = [
        sys.executable,
        "-c",
        "import sys; from coinsorter.training import train_cli; sys.exit(train_cli.main())",
    ]
    arguments = ["bundle", str(frames), "--recipe", str(recipe_path), "--out", str(out)]
    with subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("classifier 5/"):
                process.kill()
    assert not out.exists() and process.returncode == -signal.SIGKILL
    again = subprocess.run(
        [*command, *arguments], stderr=subprocess.PIPE, text=True, check=True
    ).stderr
    done = re.findall(r"^classifier (\d+)/12", again, re.M)
    assert (
        done[0] in ("5", "6", "7") and done[-1] == "12"
    )  # what was told last may not have been kept yet
    assert bundle.load_bundle(out).manifest.files == bundle.load_bundle(tiny).manifest.files
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_keeps_how_its_training_went(tiny):
    history = json.loads((tiny / "training" / "history.json").read_text())
    assert (
        len(history["classifier"]) == 12
        and len(history["autoencoder"]) == len(history["inspector"]) == 2
    )
    assert history["classifier"][-1]["loss"] < history["classifier"][0]["loss"]
    assert cv2.imread(str(tiny / "training" / "curves.png")).shape[1] > 600


def test_a_prepared_data_set_holds_the_same_coins_as_its_frames(frames, tmp_path):
    assert (
        train_cli.main(
            [
                "prepare",
                str(frames),
                "--out",
                str(tmp_path / "coins"),
                "--px-per-mm",
                "4",
                "--diameters",
                "18-27.5",
                "--near-bits",
                "-1",
            ]
        )
        == 0
    )
    wanted = recipe.Recipe.model_validate(RECIPE)
    whole = from_photos.read_frames(frames, wanted, lambda done: None)
    prepared = from_photos.read_dataset(Dataset.load(tmp_path / "coins"), wanted, lambda done: None)
    assert (
        len(whole.samples) == len(prepared.samples) == 24
        and (whole.samples.labels == prepared.samples.labels).all()
    )
    assert prepared.samples.diameters_mm == pytest.approx(whole.samples.diameters_mm, rel=0.01)
    assert np.abs(prepared.samples.crops[:].astype(int) - whole.samples.crops[:]).mean() < 3
    assert len(np.unique(prepared.samples.groups)) == 4


def test_with_folds_every_coin_is_held_out_once(frames, tmp_path):
    short = {
        "classifier": {"width": 4, "epochs": 1, "batch": 16},
        "autoencoder": {"width": 4, "code": 4, "epochs": 1, "batch": 16},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | short | {"folds": 2}))
    assert (
        train_cli.main(
            [
                "bundle",
                str(frames),
                "--recipe",
                str(tmp_path / "recipe.yaml"),
                "--out",
                str(tmp_path / "bundle"),
            ]
        )
        == 0
    )
    facts = bundle.load_bundle(tmp_path / "bundle").manifest
    assert (
        facts.budget["held_out"] == 24
        and facts.training["held_out_bursts"] == facts.training["bursts"] == 4
    )
    assert {own.n for own in facts.thresholds.values()} == {12}


def test_the_bundle_keeps_its_recipe_and_says_what_its_sample_proves(tiny):
    facts = bundle.load_bundle(tiny).manifest
    assert facts.recipe["classifier"]["epochs"] == 12 and facts.recipe["seed"] == 3
    assert facts.budget["held_out"] == 12 and facts.budget["proven"] is False
    assert (
        facts.budget["wrong_at_most_95"] > 0.2
    )  # no error in a dozen coins proves next to nothing
    assert {limits.n for limits in facts.thresholds.values()} == {6}


def test_golden_crops_hold_no_photograph(tiny):
    """They are drawn, even where the bundle was trained on pictures from a folder."""
    golden = bundle.load_bundle(tiny).golden
    assert (
        len(golden.crops) == 8
        and golden.logits.shape == (8, 3)
        and golden.reconstruction_errors.shape == (8,)
    )


@pytest.mark.parametrize(
    "change, arguments, complaint",
    [
        ({}, [], "trains on photographs (frames): name their folder"),
        ({"source": "simulated", "labels": []}, ["FRAMES"], "takes no pictures"),
        ({"labels": RECIPE["labels"][:1]}, ["FRAMES"], "at least two are needed"),
        (
            {
                "labels": [
                    *RECIPE["labels"],
                    {"name": "c", "value": 1, "currency": "X", "diameter_mm": 20},
                ]
            },
            ["FRAMES"],
            "no pictures in folders named c",
        ),
        ({"motifs": ["heart"]}, ["FRAMES"], "heart are kept for the simulated belt"),
        (
            {"source": "simulated", "labels": [], "folds": 3},
            [],
            "folds and by_extent are for photographs",
        ),
        ({"classifier": {"weights": "imagenet"}}, ["FRAMES"], "separable starts from nothing"),
        (
            {"classifier": {"network": "mobilenet-v2", "weights": "nowhere.h5"}},
            ["FRAMES"],
            "nowhere.h5 is no file",
        ),
        ({"folds": 10}, ["FRAMES"], "more than the pictures have bursts for"),
        ({"px_per_mm": 14.0}, ["FRAMES"], "no coin was found"),
        ({"colour": 3}, ["FRAMES"], "colour"),
        ({"classifier": {"width": 9}}, ["FRAMES"], "classifier.width"),
        ({}, ["FRAMES", "FRAMES"], "one camera in one place"),
        ({"asked": 2}, ["FRAMES"], "more than its folds"),
        (
            {"labels": [RECIPE["labels"][0], RECIPE["labels"][1] | {"also": ["bit_10"]}]},
            ["FRAMES"],
            "a name of more than one label",
        ),
        ({"group_pattern": "("}, ["FRAMES"], "is no regular expression"),
        ({"same_coins": ["["]}, ["FRAMES"], "is no regular expression"),
        (
            {"source": "crops", "crop": {"true_size": True}},
            ["FRAMES"],
            "ready crops do not tell how large",
        ),
        ({}, ["/nowhere"], "no such folder"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(
    capsys, tmp_path, frames, change, arguments, complaint
):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**RECIPE, **change}))
    words = [str(frames) if word == "FRAMES" else word for word in arguments]
    status = train_cli.main(
        [
            "bundle",
            *words,
            "--recipe",
            str(tmp_path / "recipe.yaml"),
            "--out",
            str(tmp_path / "out"),
        ]
    )
    err = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("coinsorter-train:")
    ]
    assert status == 66 and len(err) == 1 and complaint in err[0]
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_label_with_one_burst_only_cannot_be_held_out(capsys, tmp_path, frames):
    folder = shutil.copytree(frames, tmp_path / "frames")
    for path in (folder / "bit_10").glob("x_15*"):
        path.unlink()
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    status = train_cli.main(
        [
            "bundle",
            str(folder),
            "--recipe",
            str(tmp_path / "recipe.yaml"),
            "--out",
            str(tmp_path / "out"),
        ]
    )
    assert status == 66 and "one burst" in capsys.readouterr().err


def test_a_recipe_that_is_not_there_is_named(capsys, tmp_path):
    assert (
        train_cli.main(
            ["bundle", "--recipe", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "out")]
        )
        == 66
    )
    assert "none.yaml: cannot be read" in capsys.readouterr().err


SHIPPED = sorted(path.with_suffix(".yaml") for path in (ROOT / "models").iterdir() if path.is_dir())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "models").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_recipe_can_be_read(path):
    assert recipe.load_recipe(path).name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_was_made_with_the_recipe_beside_it(path):
    written = recipe.load_recipe(path)
    assert (
        recipe.Recipe.model_validate(bundle.load_bundle(path.with_suffix("")).manifest.recipe)
        == written
    )


def fake(groups: list[int], labels: list[int]) -> samples.Samples:
    circle = Circle(0, 0, 30, 1, 1, 1, (0, 0, 0), True)
    count = len(groups)
    return samples.Samples(
        np.zeros((count, 64, 64, 3), np.uint8),
        np.array(labels),
        (circle,) * count,
        np.full(count, 20.0),
        np.array(groups),
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_burst_is_on_both_sides_of_the_split_and_every_label_is_on_each(seed):
    groups = [group for group in range(12) for _ in range(10)]
    labels = [group % 3 for group in groups]
    held = samples.hold_out(fake(groups, labels), 0.25, np.random.default_rng(seed))
    sides = [set(np.array(groups)[held]), set(np.array(groups)[~held])]
    assert not sides[0] & sides[1]
    assert all({group % 3 for group in side} == {0, 1, 2} for side in sides)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_no_burst_is_dealt_to_two_folds_and_each_label_is_in_at_least_two(count, seed):
    groups = np.repeat(np.arange(12), np.random.default_rng(seed).integers(1, 60, 12))
    fold = samples.deal_folds(
        fake(groups.tolist(), (groups % 3).tolist()), count, np.random.default_rng(seed)
    )
    assert all(len(set(fold[groups == group])) == 1 for group in range(12))
    assert all(len(set(fold[groups % 3 == label])) == min(count, 4) for label in range(3)) and set(
        fold
    ) <= set(range(count))


@pytest.mark.parametrize(
    "sizes", [(61, 30), (30, 61), (1, 1), (59, 30, 31), (5, 5, 5, 5, 5, 5), (100, 1)]
)
@pytest.mark.parametrize("seed", range(5))
def test_bursts_of_any_size_leave_some_to_train_on_and_some_to_judge_on(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    held = samples.hold_out(
        fake(groups.tolist(), [0] * len(groups)), 0.25, np.random.default_rng(seed)
    )
    assert 0 < held.sum() < len(groups)


def test_augmented_crops_are_turned_and_changed_but_never_mirrored():
    crop = np.full((64, 64, 3), FILL, np.uint8)
    crop[12:32, 30:34] = 255  # a flag: the staff up,
    crop[12:20, 34:44] = 255  # its cloth to the right
    still = AugmentSettings(
        zoom=0, shift_px=0, brightness=0, colour=0, contrast=0, blur_px=0, noise=0
    )
    rng = np.random.default_rng(0)
    turned = augment.augment_crops(np.repeat(crop[None], 60, 0), SPEC, still, rng)
    angles = np.arange(0, 360, 3)
    spin = [
        cv2.warpAffine(
            crop,
            cv2.getRotationMatrix2D((31.5, 31.5), float(a), 1),
            (64, 64),
            borderValue=(FILL,) * 3,
        ).astype(int)
        for a in angles
    ]
    mirrored = [picture[:, ::-1] for picture in spin]
    for picture in turned:
        as_is = min(np.abs(picture - s).mean() for s in spin)
        flipped = min(np.abs(picture - m).mean() for m in mirrored)
        assert as_is < flipped
    assert (turned[:, mask_coin(SPEC) == 0] == FILL).all()


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Ready crops of two denominations; one folder has another name for its label."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(4)
    for label, named in (("bit_10", "bit_10"), ("crown_20", "twenty")):
        (folder / named).mkdir()
        for photograph in range(3):
            for number in range(5):
                camera = SimulatedCamera(Optics(160, 160, 4.0, 0.375), rng)
                pixels = camera.render_frame(
                    [(camera.draw_item(coins.make_genuine_coin(rng, label)), 0.0, 0.0)],
                    30.0 * number,
                )
                cv2.imwrite(
                    str(folder / named / f"shot{photograph}_{number}.png"), pixels[..., ::-1]
                )
    return folder


CROPS = RECIPE | {"source": "crops", "folds": 3, "asked": 1, "group_pattern": "^(shot[0-9])_"}
CROPS["labels"] = [RECIPE["labels"][0], RECIPE["labels"][1] | {"also": ["twenty"]}]


def test_a_bundle_from_ready_crops_tells_coins_by_their_looks_and_leaves_sizes_to_the_machine(
    crops, tmp_path
):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(CROPS))
    out, anomalies = tmp_path / "bundle", tmp_path / "odd"
    shutil.copytree(crops / "bit_10", anomalies)
    command = [
        "bundle",
        str(crops),
        "--recipe",
        str(tmp_path / "recipe.yaml"),
        "--anomalies",
        str(anomalies),
        "--out",
        str(out),
    ]
    assert train_cli.main([*command, "--set", "classifier.epochs=16"]) == 0
    models = bundle.load_bundle(out)
    assert (
        models.manifest.recipe["classifier"]["epochs"] == 16
        and models.manifest.budget["held_out"] == 10
        and models.manifest.training["bursts"] == 3
    )
    assert models.manifest.fusion.diameter_std == 0.012 and models.thresholds[
        "crown_20"
    ].tolerance_mm == pytest.approx(4 * 0.012 * 27.5, rel=0.01)
    assert (
        models.resolve_label("twenty") == "crown_20"
        and models.resolve_label("bit_10") == "bit_10"
        and models.resolve_label("thirty") == "thirty"
    )
    assert (
        train_cli.main(
            ["evaluate", str(out), str(crops), "--crops", "--out", str(tmp_path / "seen")]
        )
        == 0
    )
    told = json.loads((tmp_path / "seen" / "metrics.json").read_text())
    assert (
        told["genuine"] == 30
        and told["foreign"] == 0
        and told["all_answered"]["right"]["share"] > 0.8
    )


def test_photographs_are_held_out_whole(crops):
    found = from_photos.read_crops([crops], recipe.Recipe.model_validate(CROPS), lambda done: None)
    assert np.bincount(found.samples.groups).tolist() == [10] * 3  # of both labels
    assert np.isnan(found.samples.diameters_mm).all()


def test_a_prepared_data_set_needs_no_recipe_but_sizes(frames, tmp_path, command):
    data, out = tmp_path / "coins", tmp_path / "My Coins"
    assert (
        command(
            "prepare",
            frames,
            "--out",
            data,
            "--px-per-mm",
            4,
            "--diameters",
            "18-27.5",
            "--near-bits",
            -1,
        )[0]
        == 0
    )
    status, _, err = command("bundle", data, "--out", out)
    assert status == 66 and "bit_10=MM,crown_20=MM" in err and not out.exists()
    status, _, err = command(
        "bundle", data, "--out", out, "--diameters", "bit_10=18,crown_20=27.5,crown_50=30"
    )
    assert status == 66 and "names crown_50" in err
    quick = [
        word
        for knob in ("classifier", "autoencoder", "inspector")
        for word in (
            "--set",
            f"{knob}.epochs=1",
            "--set",
            f"{knob}.repeat=1",
            "--set",
            f"{knob}.width=4",
        )
    ]
    status, printed, _ = command(
        "bundle",
        data,
        "--out",
        out,
        "--diameters",
        "bit_10=18,crown_20=27.5",
        "--set",
        "folds=2",
        *quick,
    )
    facts = bundle.load_bundle(out).manifest
    assert status == 0 and "2 labels" in printed and facts.name == "my-coins"
    assert facts.recipe["px_per_mm"] == pytest.approx(
        4, rel=0.02
    ) and facts.view.px_per_mm == pytest.approx(4, rel=0.04)
    assert "inspector.tflite" in facts.files


@pytest.mark.parametrize(
    "setting",
    [
        "classifier.epochs",
        "=3",
        "name.first=3",
        "classifier.epochs=[",
        "nothing.epochs=3",
        "classifier.epochs=0",
    ],
)
def test_a_setting_that_is_none_is_one_line(frames, tmp_path, command, setting):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    status, _, err = command(
        "bundle",
        frames,
        "--recipe",
        tmp_path / "recipe.yaml",
        "--set",
        setting,
        "--out",
        tmp_path / "out",
    )
    assert status == 66 and len(err.splitlines()) == 1 and "Traceback" not in err


def test_crops_of_the_same_coins_are_kept_together_whatever_photograph_they_are_of(crops):
    written = recipe.Recipe.model_validate(CROPS | {"same_coins": ["^shot[01]_"]})
    found = from_photos.read_crops([crops], written, lambda done: None).samples
    assert len(np.unique(found.groups)) == 2


def test_a_part_that_a_recipe_leaves_out_is_put_in_by_a_setting(tmp_path):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | {"inspector": None}))
    assert (
        recipe.load_recipe(tmp_path / "recipe.yaml", ["inspector.epochs=2"]).defect_detector.epochs
        == 2
    )


def test_neither_recipe_nor_data_set_is_asked_for(frames, tmp_path, command):
    status, _, err = command("bundle", "--out", tmp_path / "out")
    assert status == 66 and "name a --recipe, or one data set" in err
    assert "holds no finished data set" in command("bundle", frames, "--out", tmp_path / "out")[2]
