"""teach: a bundle knows a coin that it was never trained on, and all else stays as it was."""

import shutil

import cv2
import numpy as np
import pytest

from coinsorter.errors import BundleError, InputError
from coinsorter.recognition.bundle import Label, load_bundle
from coinsorter.recognition.bundle_files import EMBEDDING
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.training.teach import MIN_CROPS, teach_label
from coinsorter.vision.crop import FILL
from tests.conftest import BRL, CROWNS, needs_training, only_line
from tests.unit.recognition.sealed import read_facts, write_sealed
from tests.unit.training.conftest import write_frames

needs_training()

LABEL = Label(name="star", value=2.5, currency="XTS", diameter_mm=28.0)


def draw_coin(angle_deg: float, light: float) -> np.ndarray:
    """A green coin with a red bar, as a ready crop: uint8 (96, 96, 3) BGR."""
    image = np.full((96, 96, 3), FILL, np.uint8)
    cv2.circle(image, (48, 48), 45, (60 * light, 150 * light, 70 * light), -1)
    turn = cv2.getRotationMatrix2D((48, 48), angle_deg, 1)
    bar = np.array([(20, 40), (76, 40), (76, 54), (20, 54)], np.float32)
    corners = cv2.transform(bar[None], turn)[0].round().astype(np.int32)
    cv2.fillPoly(image, [corners], (40 * light, 40 * light, 210 * light))
    return image


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("star")
    for number in range(5):
        image = draw_coin(70 * number, 0.8 + 0.08 * number)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


@pytest.fixture(scope="module")
def taught(crops, tmp_path_factory):
    out = tmp_path_factory.mktemp("taught") / "bundle"
    teach_label(BRL, LABEL, [crops], out)
    return load_bundle(out)


def test_the_new_label_comes_last_and_says_by_how_many_crops_it_was_taught(taught):
    before = load_bundle(BRL)
    assert list(taught.labels) == [*before.labels, "star"]
    assert taught.manifest.labels[-1] == LABEL.model_copy(update={"taught": 5})
    assert taught.manifest.trained_labels == len(before.labels)


def test_it_is_provisional_and_asked_for_more_than_any_other_label(taught):
    *others, own = taught.manifest.thresholds.values()
    assert taught.manifest.provisional == ["star"]
    assert own.min_confidence >= max(0.99, *(other.min_confidence for other in others))
    assert own.max_anomaly == min(other.max_anomaly for other in others)
    assert own.tolerance_mm / 28.0 <= 0.08


def test_a_coin_of_it_in_another_rotation_is_named_rightly(taught):
    classifier = Classifier(taught, pick_runtime("auto"))
    classifier.check_golden_crops()
    for angle_deg in (33, 161, 250):
        rgb = cv2.cvtColor(draw_coin(angle_deg, 0.9), cv2.COLOR_BGR2RGB)
        crop = cv2.resize(rgb, (taught.crop.size_px,) * 2, interpolation=cv2.INTER_AREA)
        verdict = classifier.make_verdict(classifier.gather_evidence(crop), 28.0)
        assert verdict.label == "star" and len(verdict.probabilities) == 6


def test_what_the_bundle_knew_before_it_names_as_before(taught):
    before, after = (Classifier(one, pick_runtime("auto")) for one in (load_bundle(BRL), taught))
    for crop in taught.golden.crops:
        old, new = before.gather_evidence(crop), after.gather_evidence(crop)
        assert (new.logits[:5] == old.logits[:5]).all() and new.logits[-1] == old.logits[-1]
        assert new.similarity[:5] == pytest.approx(old.similarity, abs=1e-5)
        assert new.membership == old.membership


def test_networks_are_the_same_and_every_file_is_whole(taught):
    before = load_bundle(BRL)
    assert (taught.classifier, taught.autoencoder) == (before.classifier, before.autoencoder)
    assert taught.manifest.files.keys() == before.manifest.files.keys()


def test_a_second_label_is_taught_beside_the_first(taught, crops, tmp_path):
    other = LABEL.model_copy(update={"name": "other"})
    manifest = teach_label(taught.path, other, [crops], tmp_path / "two")
    assert [label.name for label in manifest.labels if label.taught] == ["star", "other"]


def test_its_thresholds_are_set_on_photographs_of_all_labels(tiny, frames, tmp_path, command):
    rng = np.random.default_rng(7)
    day = shutil.copytree(frames, tmp_path / "day")
    write_frames(day / "crown_1", "crown_1", rng)
    crops = tmp_path / "crops"
    crops.mkdir()
    for number in range(5):
        camera = SimulatedCamera(Optics(160, 160, 4.0, 0.375), rng)
        sprite = camera.draw_item(coins.make_genuine_coin(rng, "crown_1"))
        pixels = camera.render_frame([(sprite, 0.0, 0.0)], 0.0)
        cv2.imwrite(str(crops / f"{number}.png"), pixels[..., ::-1])
    knows, calibrated = tmp_path / "knows", tmp_path / "calibrated"
    words = ("teach", tiny, "crown_1", crops, "--diameter", 22, "--out", knows)
    assert command(*words)[0] == 0
    words = ("calibrate", knows, day, "--wrong", 0.2, "--genuine-rejected", 0.3)
    status, printed, err = command(*words, "--out", calibrated)
    assert status == 0 and "thresholds set on 36 coins" in printed, err
    manifest = load_bundle(calibrated).manifest
    assert manifest.provisional == [] and manifest.thresholds["crown_1"].n == 12
    assert manifest.labels[-1].taught == 5


def test_a_gate_is_for_labels_that_were_trained(taught, frames, tmp_path, command):
    status, _, err = command("gate", taught.path, frames, "--out", tmp_path / "gated")
    assert status == 66 and "label star was taught without training" in only_line(err)


def test_too_few_crops_teach_nothing(crops, tmp_path):
    paths = sorted(crops.iterdir())[: MIN_CROPS - 1]
    with pytest.raises(InputError, match="2 crops do not teach a label; give at least 3"):
        teach_label(BRL, LABEL, paths, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_file_that_is_no_image_is_named(crops, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"broken\.png: cannot be read as an image"):
        teach_label(BRL, LABEL, [crops, broken], tmp_path / "x")


def test_a_name_that_a_label_has_already_is_refused(crops, tmp_path):
    taken = LABEL.model_copy(update={"name": "005"})
    with pytest.raises(InputError, match="has a label 005 already"):
        teach_label(BRL, taken, [crops], tmp_path / "x")


def test_a_bundle_without_embeddings_has_to_be_trained(crops, tmp_path):
    with pytest.raises(BundleError, match="keeps no embeddings to know a new coin by"):
        teach_label(CROWNS, LABEL, [crops], tmp_path / "x")


def test_a_bundle_that_sees_sizes_has_to_be_trained(crops, tmp_path):
    folder = shutil.copytree(BRL, tmp_path / "brl")
    facts = read_facts(folder)
    facts["crop"]["full_mm"] = 27.0
    write_sealed(folder, facts)
    with pytest.raises(InputError, match="ready crops do not"):
        teach_label(folder, LABEL, [crops], tmp_path / "x")


def test_a_bundle_has_a_label_that_was_trained(taught, tmp_path):
    folder = shutil.copytree(taught.path, tmp_path / "taught")
    facts = read_facts(folder)
    for label in facts["labels"]:
        label["taught"] = 3
    write_sealed(folder, facts)
    with pytest.raises(BundleError, match="none of them was trained"):
        load_bundle(folder)


def test_a_taught_label_without_embeddings_is_no_bundle(taught, tmp_path):
    folder = shutil.copytree(taught.path, tmp_path / "taught")
    facts = read_facts(folder)
    del facts["files"][EMBEDDING]
    write_sealed(folder, facts)
    with pytest.raises(BundleError, match=r"one was taught, and embedding\.npz is missing"):
        load_bundle(folder)
