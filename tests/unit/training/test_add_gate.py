"""add_gate: a bundle gets a gate, keeps its other networks, and is sound."""

import shutil

import cv2
import numpy as np
import pytest

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.bundle_files import GATE
from coinsorter.recognition.classifier import Classifier
from coinsorter.training.thresholds.heldout_store import load_heldout
from tests.conftest import needs_training, only_line

needs_training()

QUICK = ("--weights", "none", "--epochs", "1", "--blocks", "2", "--simulated", "8")


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """Photographs of squares."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "squares").mkdir()
    for number in range(3):
        image = np.full((120, 160, 3), 200, np.uint8)
        cv2.rectangle(image, (50, 40), (100 + number, 90), (40, 80, 120), -1)
        cv2.imwrite(str(folder / "squares" / f"{number}.png"), image)
    return folder


def test_a_bundle_gets_a_gate_and_keeps_its_other_networks(tiny, frames, things, tmp_path, command):
    out = tmp_path / "gated"
    status, printed, _ = command("gate", tiny, frames, "--foreign", things, "--out", out, *QUICK)
    before, after = bundle.load_bundle(tiny), bundle.load_bundle(out)
    assert status == 0 and "a gate, and thresholds set on 12 coins" in printed
    assert (after.classifier, after.autoencoder) == (before.classifier, before.autoencoder)
    assert before.gate is None and after.manifest.files.keys() - before.manifest.files.keys() == {
        GATE
    }
    assert after.manifest.fusion.classifier_odds_weight == 0
    lowest = {own.min_membership for own in after.manifest.thresholds.values()}
    assert len(lowest) == 1 and lowest.pop() <= 0
    _, sets = load_heldout(out)
    assert sets.held.gate_logits.max() == 0 > sets.held.gate_logits.min()
    assert np.isfinite(sets.held.memberships).all()
    classifier = Classifier(after, runtime.pick_runtime("auto"))
    classifier.check_golden_crops()
    verdict = classifier.make_verdict(classifier.gather_evidence(after.golden.crops[0]), 20.0)
    assert np.isfinite(verdict.membership) and sum(verdict.probabilities) == pytest.approx(1)
    status, printed, _ = command("calibrate", out, "--out", tmp_path / "again")
    assert status == 0, "the evidence on held-out coins has the gate's part, too"


@pytest.mark.parametrize("change", ["fewer", "another burst"])
def test_other_images_than_it_was_trained_on_are_refused(tiny, frames, tmp_path, command, change):
    others = shutil.copytree(frames, tmp_path / "others")
    image = sorted(others.rglob("x_15[0-5]0.png"))[0]
    if change == "fewer":
        image.unlink()
    else:
        image.rename(image.with_name("x_1600.png"))
    status, _, err = command("gate", tiny, others, "--out", tmp_path / "gated", *QUICK)
    assert status == 66 and "name the images that it was trained on" in only_line(err)
    assert not (tmp_path / "gated").exists()
