"""coinsorter seal: accepts a change of bundle.yaml, if the bundle still proves itself."""

import shutil

import pytest

from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.bundle_files import CLASSIFIER, MANIFEST, SEAL
from tests.conftest import BRL, CROWNS


@pytest.fixture
def altered(tmp_path):
    """A copy of models/crowns whose owner has made one label stricter."""
    folder = shutil.copytree(CROWNS, tmp_path / "copy")
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("max_anomaly: 4.5", "max_anomaly: 4.0", 1))
    return folder


def test_a_changed_bundle_is_sealed_and_loads(command, altered):
    status, out, _ = command("seal", altered)
    loaded = load_bundle(altered)
    assert status == 0
    assert out == f"{altered}: sealed (changed: limits), sha256 {loaded.digest}\n"
    assert loaded.thresholds["bit_10"].max_anomaly == 4.0
    assert "sealed (nothing was changed)" in command("seal", altered)[1]


def test_a_bundle_that_never_had_a_seal_gets_one(command, altered):
    (altered / SEAL).unlink()
    assert "sealed (for the first time)" in command("seal", altered)[1]
    assert load_bundle(altered)


@pytest.mark.parametrize("harm", ["nonsense", "other network", "no folder"])
def test_what_could_not_run_is_not_sealed(command, altered, harm):
    seal = (altered / SEAL).read_bytes()
    folder = altered
    if harm == "nonsense":
        text = (altered / MANIFEST).read_text()
        (altered / MANIFEST).write_text(text.replace("min_confidence: 0.9999", "min_confidence: 0"))
    elif harm == "other network":
        shutil.copy(BRL / CLASSIFIER, altered / CLASSIFIER)
    else:
        folder = altered / "nowhere"
    status, out, err = command("seal", folder)
    assert status == 78 and out == "" and len(err.splitlines()) == 1
    assert (altered / SEAL).read_bytes() == seal
