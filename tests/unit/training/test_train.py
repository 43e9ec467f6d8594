"""training: from pictures to a bundle the machine loads, limits that keep their promise, and bad input in one line."""

import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.bundle import Fusion, Label
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Circle
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.vision.crop import FILL, CropSpec, mask_coin
from coinsorter.vision.scale import ScalePlane
from tests.conftest import ROOT, needs_training, only_line

needs_training()

from coinsorter.training import recipe, train_cli
from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.fitting import augment
from coinsorter.training.recipe import AugmentSettings, Budget
from coinsorter.training.samples import from_photos, samples
from coinsorter.training.thresholds import choose
from coinsorter.training.thresholds.choose import HeldOut

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
LABELS = [
    Label(name="a", value=1, currency="X", diameter_mm=20.0),
    Label(name="b", value=2, currency="X", diameter_mm=25.0),
]
RECIPE = {
    "name": "tiny",
    "seed": 3,
    "source": "frames",
    "px_per_mm": 4.0,
    "hold_out": 0.5,
    "labels": [
        {"name": "bit_10", "value": 0.1, "currency": "CRN", "diameter_mm": 18.0},
        {"name": "crown_20", "value": 20, "currency": "CRN", "diameter_mm": 27.5},
    ],
    "pictures": {"foreign": 16},
    "motifs": ["ring"],
    "classifier": {"width": 8, "epochs": 12, "batch": 16, "repeat": 6},
    "autoencoder": {"width": 4, "code": 8, "epochs": 2, "batch": 16},
    "relief": {"per_label": 5},
    "inspector": {"width": 4, "epochs": 2, "batch": 16, "repeat": 1},
}


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Two denominations, two bursts of six pictures each, some ten seconds apart within a burst."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(1)
    for label in ("bit_10", "crown_20"):
        (folder / label).mkdir()
        for burst in range(2):
            camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
            for number in range(6):
                sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
                pixels = camera.render_frame([(sprite, *rng.uniform(-40, 40, 2))], 30.0 * number)
                cv2.imwrite(
                    str(folder / label / f"x_{1000 + 500 * burst + 10 * number}.png"),
                    pixels[..., ::-1],
                )
    return folder


@pytest.fixture(scope="module")
def tiny(frames, tmp_path_factory):
    """A bundle trained on next to nothing, by the command."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    assert (
        train_cli.main(
            [
                "bundle",
                str(frames),
                "--recipe",
                str(folder / "recipe.yaml"),
                "--out",
                str(folder / "bundle"),
            ]
        )
        == 0
    )
    return folder / "bundle"


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


def test_a_trained_bundle_knows_how_far_its_own_coins_embeddings_are(tiny, frames):
    models = bundle.load_bundle(tiny)
    judge = Classifier(models, runtime.pick_runtime("auto"))
    genuine = [
        judge.gather_evidence(crop).distances.min()
        for crop in from_photos.read_frames(
            frames, recipe.load_recipe(tiny.parent / "recipe.yaml"), lambda *_: None
        ).samples.crops
    ]
    noise = np.random.default_rng(1).integers(0, 256, (20, 64, 64, 3), np.uint8)
    assert min(judge.gather_evidence(crop).distances.min() for crop in noise) > np.median(genuine)


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


def held_out(count: int, wrong: int, seed: int = 0) -> HeldOut:
    """Two labels that pictures tell apart surely, but for some that look exactly like the other one."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    seen = labels.copy()
    seen[:wrong] = 1 - seen[:wrong]
    logits = np.full((count, 3), -6.0, np.float32)
    logits[np.arange(count), seen] = rng.uniform(4, 9, count)
    diameters = np.where(
        np.arange(count) < wrong, np.where(seen == 0, 20.0, 25.0), np.where(labels == 0, 20.0, 25.0)
    )
    return HeldOut(
        labels,
        logits,
        np.zeros((count, 2)),
        rng.lognormal(5, 0.2, count),
        np.zeros(count),
        np.zeros((count, 2)),
        diameters * rng.normal(1, 0.002, count),
        np.zeros(count),
    )


def set_limits(held: HeldOut, budget: Budget):
    scales, fused = choose.fit_anomaly(held, LABELS, choose.fit_fusion(held, LABELS), 0.01)
    return choose.choose_thresholds([held], LABELS, fused, scales, budget)


def with_reliefs(held: HeldOut, telling: float) -> HeldOut:
    """The same coins, and how like each label's known ones their reliefs are: by chance but for what is telling."""
    found = np.random.default_rng(3).normal(0.3, 0.01, held.similarities.shape)
    found[np.arange(len(found)), held.labels] += telling
    return replace(held, likeness=found)


def test_reliefs_count_for_what_they_tell():
    held = held_out(800, wrong=60)
    telling, silent = (
        choose.fit_fusion(with_reliefs(held, value), LABELS) for value in (0.05, 0.0)
    )
    said, unsaid = (fused.relief_weight / fused.temperature for fused in (telling, silent))
    assert said > 40 > 15 > unsaid and choose.fit_fusion(held, LABELS).relief_weight == 0
    weighed = with_reliefs(held, 0.05).with_relief(telling.relief_weight)
    right = weighed.logits[:, :-1].argmax(axis=1) == held.labels
    assert right[:60].mean() > 0.8


def test_limits_keep_the_genuine_coins_they_promise_to_keep():
    held = held_out(4000, wrong=0)
    found, proof = set_limits(held, Budget(wrong=1e-3, genuine_rejected=0.01))
    assert proof["held_out_accepted"] >= 0.99 * 4000 and proof["held_out_wrong"] == 0
    assert all(
        0 < own.min_confidence < 1 and own.max_anomaly >= choose.ANOMALY_SPREADS
        for own in found.values()
    )


def test_no_error_in_n_coins_proves_three_over_n_at_most():
    proof = set_limits(held_out(3000, wrong=0), Budget(wrong=1.1e-3))[1]
    assert proof["wrong_at_most_95"] == pytest.approx(3 / 3000, rel=0.02) and proof["proven"]
    assert not set_limits(held_out(300, wrong=0), Budget(wrong=1.1e-3))[1]["proven"]


def test_networks_that_are_surely_wrong_now_and_then_are_not_trusted_with_anything():
    """One in a hundred wrong at full confidence: no limit keeps the promise of one in a thousand, so nothing is accepted."""
    proof = set_limits(held_out(2000, wrong=20), Budget(wrong=1e-3, genuine_rejected=0.01))[1]
    assert (
        proof["held_out_accepted"] == 0 and proof["wrong_at_most_95"] == 1 and not proof["proven"]
    )


def test_a_few_wrong_coins_are_told_in_the_proof():
    proof = set_limits(held_out(4000, wrong=4), Budget(wrong=0.01, genuine_rejected=0.01))[1]
    assert (
        proof["held_out_wrong"] == 4
        and 4 / 4000 < proof["wrong_at_most_95"] < 0.01
        and proof["proven"]
    )


def test_an_error_spread_is_in_units_of_genuine_coins():
    held = held_out(4000, wrong=0)
    scales, _ = choose.fit_anomaly(held, LABELS, choose.fit_fusion(held, LABELS), 0.01)
    for scale in scales.values():
        assert scale.middle == pytest.approx(5, abs=0.03) and scale.spread == pytest.approx(
            0.2, rel=0.1
        )


def test_limits_are_set_on_diameters_that_a_machine_would_have_measured():
    """The view was 3 % off when the coins were taken: at first they look too small, and then the followed scale is right again."""
    held = held_out(300, wrong=0)
    view, truth = ScalePlane(4.0, 0.0, 0.0, 640, 480), ScalePlane(3.88, 0.0, 0.0, 640, 480)
    rng = np.random.default_rng(1)
    places = rng.uniform((40, 40), (600, 440), (300, 2))
    circles = [
        Circle(x, y, d / 2 * truth.px_per_mm_at(x, y), 1, 1, 20, (90, 90, 90), True)
        for (x, y), d in zip(places, held.diameters_mm)
    ]
    fused = Fusion(temperature=1, diameter_std=0.01, degrees_of_freedom=4)
    found = choose.replay_day(held, circles, view, LABELS, fused)
    assert (
        found.diameters_mm[0] == pytest.approx(0.97 * held.diameters_mm[0], rel=1e-6)
        and found.scale_sems[0] >= 0.01
    )
    assert found.diameters_mm[100:] == pytest.approx(held.diameters_mm[100:], rel=0.012)
    assert found.scale_sems[100:].max() < 0.015


def test_other_days_show_the_same_coins_in_bursts_of_another_order_to_a_camera_set_up_anew():
    held, view = held_out(120, wrong=0), ScalePlane(4.0, 0.0, 0.0, 640, 480)
    circles = [
        Circle(320, 240, d / 2 * 4.0, 1, 1, 20, (90, 90, 90), True) for d in held.diameters_mm
    ]
    fused = Fusion(temperature=1, diameter_std=0.01, degrees_of_freedom=4)
    own, *others = choose.replay_days(
        held, circles, np.repeat(np.arange(12), 10), view, LABELS, fused, seed=1
    )
    assert (own.labels == held.labels).all() and own.diameters_mm == pytest.approx(
        held.diameters_mm, rel=0.008
    )
    assert len(others) == choose.OTHER_DAYS
    for day in others:
        assert (
            sorted(day.reconstruction_errors) == sorted(held.reconstruction_errors)
            and (day.reconstruction_errors != held.reconstruction_errors).any()
        )
        assert {tuple(burst) for burst in day.reconstruction_errors.reshape(12, 10)} == {
            tuple(burst) for burst in held.reconstruction_errors.reshape(12, 10)
        }
    assert np.std([day.diameters_mm[0] / 20 for day in others if day.labels[0] == 0]) > 0.005


def test_the_parts_of_the_anomaly_score_count_the_less_the_further_genuine_coins_stray_in_them():
    held, rng = held_out(600, wrong=0), np.random.default_rng(2)
    rare = np.where(np.arange(600) % 20 == 0, 12.0, 0.0)  # some genuine coins look blemished
    held = replace(
        held,
        likeness=rng.normal(0.8, 0.02, (600, 2)),
        defect_logits=rng.normal(-2, 1, 600) + rare,
        distances=rng.lognormal(2, 0.2, (600, 2)),
    )
    scales, fused = choose.fit_anomaly(held, LABELS, choose.fit_fusion(held, LABELS), 0.01)
    weights = [getattr(fused, name) for name in choose.WEIGHTS]
    assert fused.defect_weight == min(weights) < 0.4 * min(
        fused.reconstruction_weight, fused.similarity_weight, fused.distance_weight
    ) and sum(weights) == pytest.approx(1, abs=1e-3)
    assert scales["a"].distance.middle == pytest.approx(2, abs=0.05) and scales[
        "a"
    ].distance.spread == pytest.approx(0.2, rel=0.15)
    genuine = choose.score_label(
        held.select(np.flatnonzero(held.labels == 0)), 0, scales["a"], fused
    )
    assert np.median(genuine) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    "odd",
    [
        {"likeness": 0.5},
        {"blemishes": 8.0},
        {"distances": np.exp(4.0)},
        {"errors": np.exp(7.0)},
        {"errors": np.exp(3.0)},
    ],
)
def test_a_coin_that_is_odd_in_one_part_is_told_however_usual_it_is_in_the_others(odd):
    held, rng = held_out(600, wrong=0), np.random.default_rng(2)
    held = replace(
        held,
        likeness=rng.normal(0.8, 0.02, (600, 2)),
        defect_logits=rng.normal(-2, 1, 600),
        distances=rng.lognormal(2, 0.2, (600, 2)),
    )
    scales, fused = choose.fit_anomaly(held, LABELS, choose.fit_fusion(held, LABELS), 0.01)
    own = held.select(np.flatnonzero(held.labels == 0))
    best = {"likeness": 0.9, "blemishes": -9.0, "distances": 0.1, "errors": np.exp(5.0)} | odd
    strange = replace(
        own, **{part: np.full_like(getattr(own, part), usual) for part, usual in best.items()}
    )
    genuine, other = (choose.score_label(of, 0, scales["a"], fused) for of in (own, strange))
    assert other.min() > np.quantile(genuine, 0.995)


def test_parts_that_a_bundle_has_not_weigh_nothing():
    held = held_out(60, wrong=0)
    _, fused = choose.fit_anomaly(held, LABELS, choose.fit_fusion(held, LABELS), 0.01)
    assert [getattr(fused, name) for name in choose.WEIGHTS] == [1, 0, 0, 0]
    one = held.select(np.array([0, int(np.flatnonzero(held.labels == 1 - held.labels[0])[0])]))
    assert (
        choose.fit_anomaly(one, LABELS, choose.fit_fusion(held, LABELS), 0.01)[
            1
        ].reconstruction_weight
        == 1
    )


def test_coins_that_no_inspector_was_asked_about_are_as_blemished_as_those_that_it_was():
    held = held_out(600, wrong=0)
    rng = np.random.default_rng(2)
    asked = replace(
        held, defect_logits=np.where(np.arange(600) < 200, rng.normal(-2, 1, 600), np.nan)
    )
    known = asked.impute_defects(seed=1)
    assert (known.defect_logits[:200] == asked.defect_logits[:200]).all() and not np.isnan(
        known.defect_logits
    ).any()
    for label in (0, 1):
        assert set(known.defect_logits[known.labels == label]) == set(
            asked.defect_logits[(asked.labels == label) & (np.arange(600) < 200)]
        )
    assert known.defect_logits.std() == pytest.approx(1, abs=0.2)
    blind = replace(
        asked, defect_logits=np.where(asked.labels == 0, np.nan, asked.defect_logits)
    ).impute_defects(seed=1)
    assert np.median(blind.defect_logits[blind.labels == 0]) == pytest.approx(-2, abs=0.3)


def test_one_coin_that_was_measured_wrongly_does_not_widen_its_labels_limits():
    held = held_out(300, wrong=0)
    first = held.labels.tolist().index(0)
    mistaken = replace(
        held, diameters_mm=held.diameters_mm * np.where(np.arange(300) == first, 0.7, 1)
    )
    fine, lone = (
        set_limits(of, Budget(wrong=0.05, genuine_rejected=0.02))[0]["a"] for of in (held, mistaken)
    )
    assert lone.tolerance_mm == pytest.approx(fine.tolerance_mm, rel=0.2) and lone.tolerance_mm < 2


def test_given_anomalies_move_the_limit_to_where_it_tells_them_best():
    held, given = held_out(600, wrong=0), held_out(200, wrong=0, seed=1)
    given = replace(
        given, reconstruction_errors=given.reconstruction_errors * np.exp(0.2 * 2.5)
    )  # 2.5 spreads off: below the limit that genuine coins alone would have
    fused = choose.fit_fusion(held, LABELS)
    scales, fused = choose.fit_anomaly(held, LABELS, fused, 0.01)
    alone, told = (
        choose.choose_thresholds([held], LABELS, fused, scales, Budget(wrong=0.1), anomalies)[0][
            "a"
        ].max_anomaly
        for anomalies in (None, given)
    )
    rejected = [
        (
            choose.score_label(of.select(np.flatnonzero(of.labels == 0)), 0, scales["a"], fused)
            > told
        ).mean()
        for of in (held, given)
    ]
    assert told < choose.ANOMALY_SPREADS <= alone and rejected[0] < 0.2 and rejected[1] > 0.8


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Ready crops of two denominations, three photographs of five coins each; one folder has another name for its label."""
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


def test_limits_are_set_anew_on_photographs_of_another_day(tiny, frames, tmp_path, command):
    day = tmp_path / "day"
    shutil.copytree(frames, day)
    (day / "odd").mkdir()
    for path in list((day / "crown_20").glob("x_15*")):
        path.unlink()
    out = tmp_path / "calibrated"
    status, printed, _ = command(
        "calibrate", tiny, day, "--out", out, "--wrong", 0.2, "--genuine-rejected", 0.3
    )
    before, after = bundle.load_bundle(tiny).manifest, bundle.load_bundle(out).manifest
    assert status == 0 and "thresholds set on 18 coins" in printed and "budget 20 %" in printed
    assert {name: digest for name, digest in after.files.items() if "golden" not in name} == {
        name: digest for name, digest in before.files.items() if "golden" not in name
    }
    assert after.view == before.view and after.crop == before.crop
    assert {name: own.n for name, own in after.thresholds.items()} == {"bit_10": 12, "crown_20": 6}
    assert after.recipe["budget"] == {"wrong": 0.2, "genuine_rejected": 0.3} and after.training[
        "calibrated_on"
    ] == [18, 3]
    Classifier(bundle.load_bundle(out), runtime.pick_runtime("auto")).check_golden_crops()
    for words in ([day, "--out", day], [day, day, "--out", out], [day, "--out", tiny / "new"]):
        status, _, err = command("calibrate", tiny, *words)
        assert (
            status == 66
            and len(err.splitlines()) >= 1
            and "Traceback" not in err
            and len(list(day.rglob("*.png"))) == 18
        )
    status, _, err = command("calibrate", tiny, tmp_path / "nowhere", "--out", out)
    assert status == 66 and "no such folder" in err and bundle.load_bundle(out).manifest == after


def test_another_budget_needs_no_photographs(tiny, frames, tmp_path, command):
    out = tmp_path / "out"
    before, budget = (
        bundle.load_bundle(tiny).manifest,
        bundle.load_bundle(tiny).manifest.recipe["budget"],
    )
    assert command("calibrate", tiny, "--out", out)[0] == 0
    same = bundle.load_bundle(out).manifest
    assert same.budget == before.budget and same.recipe["budget"] == budget
    for name, own in before.thresholds.items():
        assert same.thresholds[name].model_dump() == pytest.approx(own.model_dump(), rel=1e-3)
    status, printed, _ = command("calibrate", out, "--wrong", 0.4, "--genuine-rejected", 0.5)
    loose = bundle.load_bundle(out).manifest
    assert (
        status == 0
        and "budget 40 %" in printed
        and loose.budget["held_out"] == before.budget["held_out"]
    )
    assert all(
        loose.thresholds[name].min_confidence != own.min_confidence
        for name, own in before.thresholds.items()
    )
    Classifier(bundle.load_bundle(out), runtime.pick_runtime("auto")).check_golden_crops()
    command("calibrate", tiny, frames, "--out", out)
    on_photographs = bundle.load_bundle(out).manifest.thresholds
    assert command("calibrate", out)[0] == 0 and {
        own.n for own in bundle.load_bundle(out).manifest.thresholds.values()
    } == {own.n for own in on_photographs.values()}


def test_without_photographs_and_without_kept_answers_nothing_is_calibrated(
    tiny, frames, tmp_path, command
):
    out = tmp_path / "out"
    shutil.copytree(tiny, out)
    before = (out / "bundle.yaml").read_bytes()
    status, _, err = command("calibrate", out, "--anomalies", frames)
    assert status == 66 and "name photographs of these, too" in only_line(err)
    whole = (out / "training" / "held-out.npz").read_bytes()
    for torn in (b"torn", whole[: len(whole) // 2]):
        (out / "training" / "held-out.npz").write_bytes(torn)
        status, _, err = command("calibrate", out)
        assert status == 78 and "holds no answers on held-out coins" in only_line(err)
    (out / "training" / "held-out.npz").unlink()
    status, _, err = command("calibrate", out)
    assert (
        status == 66
        and "name photographs to set its limits on" in only_line(err)
        and (out / "bundle.yaml").read_bytes() == before
    )


def test_simulated_bundles_are_not_calibrated_on_photographs(frames, tmp_path, command):
    status, _, err = command(
        "calibrate", ROOT / "models" / "crowns", frames, "--out", tmp_path / "out"
    )
    assert status == 66 and "made for simulated coins" in err and not (tmp_path / "out").exists()
