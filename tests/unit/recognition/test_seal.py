"""seal: what was altered in bundle.yaml is named, wherever it was."""

import shutil

import pytest

from coinsorter.errors import BundleError
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.bundle_files import MANIFEST, SEAL
from coinsorter.recognition.seal import SHIPPED_DIGESTS, compute_digest, write_seal
from tests.conftest import BRL, CROWNS, EURO
from tests.unit.recognition.sealed import read_facts, write_sealed


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(CROWNS, tmp_path / "copy")


def alter(folder, old: str, new: str) -> None:
    text = (folder / MANIFEST).read_text()
    assert text.count(old) >= 1
    (folder / MANIFEST).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("path", [CROWNS, BRL, EURO], ids=lambda path: path.name)
def test_a_shipped_bundle_is_sealed_and_known(path):
    text = (path / MANIFEST).read_bytes()
    assert compute_digest(text) in SHIPPED_DIGESTS
    assert f"{compute_digest(text)}  {MANIFEST}\n" in (path / SEAL).read_text()


@pytest.mark.parametrize(
    "old, new, part",
    [
        ("min_confidence: 0.9999", "min_confidence: 0.9998", "limits"),
        ("max_anomaly: 4.5", "max_anomaly: 4.6", "limits"),
        ("value: 2.0", "value: 2.1", "labels"),
        ("value: 2.0", "value: 2", "labels"),
        ("details: copper, a leaf", "details: copper, a fish", "labels"),
        ("margin: 1.06", "margin: 1.07", "crop"),
        ("temperature: 1.0", "temperature: 1.1", "fusion"),
        ("proven: true", "proven: false", "budget"),
        ("name: crowns", "name: crown", "name"),
        ("name: crowns", "nam: crowns", "nam, name"),
        ("format: 1\n", "", "format"),
        (
            "format: 1\n",
            "format: 1\nformat: 1\n",
            "it is not YAML: line 2: 'format' is given twice",
        ),
        ("format: 1\nname: crowns\n", "name: crowns\nformat: 1\n", "its spelling or the order"),
        ("format: 1\n", "[", "it is not YAML: line 2"),
    ],
)
def test_an_altered_part_of_bundle_yaml_is_named_with_what_to_do(copy, old, new, part):
    alter(copy, old, new)
    with pytest.raises(BundleError) as error:
        load_bundle(copy)
    message = str(error.value)
    assert f"{MANIFEST} is damaged or was altered ({part}" in message
    assert message.endswith(f"run `coinsorter seal {copy}`") and "\n" not in message


def test_a_change_on_purpose_is_read_once_it_is_sealed(copy):
    facts = read_facts(copy)
    facts["limits"]["bit_10"]["min_confidence"] = 0.99995
    write_sealed(copy, facts)
    loaded = load_bundle(copy)
    assert loaded.thresholds["bit_10"].min_confidence == 0.99995
    assert loaded.digest == compute_digest((copy / MANIFEST).read_bytes())


def test_a_shipped_bundle_needs_no_seal_beside_it(copy):
    (copy / SEAL).unlink()
    assert load_bundle(copy).digest in SHIPPED_DIGESTS


@pytest.mark.parametrize(
    "content, complaint",
    [
        (None, "has no seal .bundle.sha256.*look through it, then run `coinsorter seal"),
        (b"", "altered .bundle.sha256 does not say in which part"),
        (b"\x00\xff" * 900, "altered"),
        (f"{'0' * 64}  bundle.yaml\n{'1' * 64}  bundle.yaml\n".encode(), "altered"),
        (b"x" * 1_000_000, "bundle.sha256 cannot be read: it is larger"),
    ],
    ids=["missing", "empty", "binary", "two", "large"],
)
def test_another_bundle_without_its_seal_is_refused(copy, content, complaint):
    alter(copy, "name: crowns", "name: other")
    (copy / SEAL).unlink()
    if content is not None:
        (copy / SEAL).write_bytes(content)
    with pytest.raises(BundleError, match=complaint):
        load_bundle(copy)


def test_a_seal_takes_the_place_of_a_link_and_not_of_the_file_that_it_leads_to(copy, tmp_path):
    other = tmp_path / "ledger.db"
    other.write_text("coins")
    (copy / SEAL).unlink()
    (copy / SEAL).symlink_to(other)
    write_seal(copy, (copy / MANIFEST).read_bytes())
    assert other.read_text() == "coins" and not (copy / SEAL).is_symlink()


def test_a_line_that_is_altered_cannot_write_to_the_terminal(copy):
    alter(copy, "format: 1\n", 'format: 1\n"\\x1b[2J\\n": 1\n')
    with pytest.raises(BundleError) as error:
        load_bundle(copy)
    assert str(error.value).isprintable()
