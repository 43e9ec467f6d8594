"""bundle_writer: what is written is a bundle that loads, whole or not at all."""

import os
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from coinsorter.recognition.bundle import Golden, load_bundle
from coinsorter.recognition.bundle_files import (
    AUTOENCODER,
    CLASSIFIER,
    DEFECT_DETECTOR,
    GATE,
    MANIFEST,
)
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from tests.conftest import BRL, needs_training

needs_training()

from coinsorter.training.export.bundle_writer import (
    BundleContents,
    copy_other_files,
    make_provisional_bundle,
    write_bundle,
)


def write_note(folder: Path) -> None:
    (folder / "note.txt").write_text("for people")


@pytest.fixture(scope="module")
def brl():
    return load_bundle(BRL)


@pytest.fixture
def contents(brl) -> BundleContents:
    models = {
        CLASSIFIER: brl.classifier,
        AUTOENCODER: brl.autoencoder,
        DEFECT_DETECTOR: brl.defect_detector,
        GATE: brl.gate,
    }
    return BundleContents(models, brl.golden, brl.reliefs, brl.embedding_stats, write_note)


@pytest.fixture
def manifest(brl):
    return brl.manifest.model_dump(by_alias=True)


def test_a_written_bundle_is_read_as_the_one_that_it_was_made_of(brl, contents, manifest, tmp_path):
    out = tmp_path / "bundle"
    written = write_bundle(out, manifest, contents)
    loaded = load_bundle(out)
    assert loaded.manifest == written
    assert loaded.manifest.thresholds == brl.manifest.thresholds
    assert loaded.classifier == brl.classifier
    for field in fields(Golden):
        assert (getattr(loaded.golden, field.name) == getattr(brl.golden, field.name)).all()
    Classifier(loaded, pick_runtime("auto")).check_golden_crops()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_the_manifest_has_the_keys_that_older_bundles_have(contents, manifest, tmp_path):
    write_bundle(tmp_path / "bundle", manifest, contents)
    new = yaml.safe_load((tmp_path / "bundle" / MANIFEST).read_text())
    old = yaml.safe_load((BRL / MANIFEST).read_text())
    assert new["fusion"].items() >= old["fusion"].items()  # newer ones have more weights
    for key, value in old.items():
        if key not in ("files", "fusion"):
            assert new[key] == value


def test_a_manifest_that_makes_no_sense_leaves_the_old_bundle(contents, manifest, tmp_path):
    out = tmp_path / "bundle"
    write_bundle(out, manifest, contents)
    before = (out / MANIFEST).read_bytes()
    with pytest.raises(ValidationError):
        write_bundle(out, manifest | {"fusion": {}}, contents)
    assert (out / MANIFEST).read_bytes() == before


def test_what_no_machine_reads_is_written_with_it(contents, manifest, tmp_path):
    written = write_bundle(tmp_path / "bundle", manifest, contents)
    assert (tmp_path / "bundle" / "note.txt").read_text() == "for people"
    assert "note.txt" not in written.files


def test_other_files_are_copied_and_nothing_that_never_ends(tmp_path):
    source, folder = tmp_path / "source", tmp_path / "folder"
    (source / "training").mkdir(parents=True)
    (source / "training" / "curves.png").write_bytes(b"plot")
    (source / MANIFEST).write_text("not copied")
    (source / "zero").symlink_to("/dev/zero")
    os.mkfifo(source / "pipe")
    with (source / "sparse").open("wb") as file:
        file.truncate(2**40)
    folder.mkdir()
    copy_other_files(source, folder)
    copied = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert copied == {"training", "training/curves.png", "zero"}
    assert (folder / "training" / "curves.png").read_bytes() == b"plot"
    assert (folder / "zero").is_symlink()


def test_a_provisional_bundle_runs_its_networks_and_accepts_nothing(brl, contents):
    provisional = make_provisional_bundle(
        brl.manifest.labels, brl.crop, brl.view, contents.models, brl.reliefs
    )
    evidence = Classifier(provisional, pick_runtime("auto")).gather_evidence(brl.golden.crops[0])
    assert evidence.reconstruction_error == pytest.approx(
        float(brl.golden.reconstruction_errors[0]), rel=0.1
    )
    assert all(own.min_confidence == 1 for own in provisional.thresholds.values())
