"""recalibrate: thresholds set again on other photographs, or within another budget."""

import shutil

import pytest

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from tests.conftest import ROOT, needs_training, only_line

needs_training()


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
        numbers = same.thresholds[name].model_dump(exclude_none=True)
        assert numbers == pytest.approx(own.model_dump(exclude_none=True), rel=1e-3)
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
        and "name photographs to set its thresholds on" in only_line(err)
        and (out / "bundle.yaml").read_bytes() == before
    )


def test_simulated_bundles_are_not_calibrated_on_photographs(frames, tmp_path, command):
    status, _, err = command(
        "calibrate", ROOT / "models" / "crowns", frames, "--out", tmp_path / "out"
    )
    assert status == 66 and "made for simulated coins" in err and not (tmp_path / "out").exists()
