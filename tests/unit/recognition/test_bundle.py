"""bundle: shipped bundles load and prove themselves; damaged ones are refused by name."""

import hashlib
import shutil
from dataclasses import replace
from math import inf

import numpy as np
import pytest
import yaml

from coinsorter.errors import BundleError
from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.recognition.fusion import compute_diameter_log_likelihoods
from coinsorter.records import Coin
from tests.conftest import BRL, CROWNS, EURO

BUNDLES = {"crowns": CROWNS, "brl": BRL, "euro": EURO}


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(CROWNS, tmp_path / "copy")


@pytest.mark.parametrize("name", BUNDLES)
def test_a_shipped_bundle_is_whole_and_small(name):
    models = bundle.load_bundle(BUNDLES[name])
    assert models.manifest.name == name
    assert (
        sum(
            (BUNDLES[name] / file).stat().st_size
            for file in (bundle.MANIFEST, *models.manifest.files)
        )
        < 1_500_000
    )


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("interpreter", [runtime.LITERT, runtime.TFLITE_RUNTIME])
def test_the_golden_crops_get_their_answers_on_every_runtime(name, interpreter):
    if interpreter not in runtime.list_runtimes():
        pytest.skip(f"{interpreter} is not installed for this Python")
    Classifier(bundle.load_bundle(BUNDLES[name]), interpreter).check_golden_crops()


@pytest.mark.parametrize("name", [bundle.CLASSIFIER, bundle.AUTOENCODER, bundle.GOLDEN])
@pytest.mark.parametrize("harm", ["missing", "truncated", "altered", "empty"])
def test_a_harmed_file_is_named_in_one_line(copy, name, harm):
    path = copy / name
    content = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {
                "truncated": content[:1000],
                "empty": b"",
                "altered": content[:500] + b"?" + content[501:],
            }[harm]
        )
    with pytest.raises(BundleError, match=name) as error:
        bundle.load_bundle(copy)
    assert str(copy) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change, complaint",
    [
        (lambda facts: facts.pop("limits"), "limits"),
        (lambda facts: facts.update(format=99), "format 99"),
        (lambda facts: facts["limits"].pop("crown_1"), "do not name the same labels"),
        (lambda facts: facts["files"].pop("classifier.tflite"), "classifier.tflite is missing"),
        (lambda facts: facts["fusion"].update(temperature=0), "temperature"),
        (lambda facts: facts.update(surprise=1), "surprise"),
    ],
)
def test_facts_that_make_no_sense_are_named(copy, change, complaint):
    facts = yaml.safe_load((copy / bundle.MANIFEST).read_text())
    change(facts)
    (copy / bundle.MANIFEST).write_text(yaml.safe_dump(facts))
    with pytest.raises(BundleError, match=complaint):
        bundle.load_bundle(copy)


@pytest.mark.parametrize("text", ["", "[1", "words", "\x00"])
def test_a_bundle_yaml_that_is_no_yaml_is_named(copy, text):
    (copy / bundle.MANIFEST).write_text(text)
    with pytest.raises(BundleError, match=bundle.MANIFEST):
        bundle.load_bundle(copy)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BundleError, match="no such bundle; set runtime.bundle"):
        bundle.load_bundle(tmp_path / "nowhere")


def test_networks_that_answer_otherwise_than_where_they_were_trained_are_refused(crowns):
    golden = replace(crowns.golden, logits=np.roll(crowns.golden.logits, 1, axis=1))
    with pytest.raises(BundleError, match="golden crop 0"):
        Classifier(
            replace(crowns, golden=golden), runtime.pick_runtime("auto")
        ).check_golden_crops()


def test_a_file_that_is_no_network_is_refused_without_a_crash(crowns):
    with pytest.raises(BundleError, match="classifier does not load"):
        Classifier(
            replace(crowns, classifier=b"\x1c\x00\x00\x00TFL3" + bytes(200)),
            runtime.pick_runtime("auto"),
        )


def test_the_other_network_in_its_place_is_refused(crowns):
    other = replace(
        crowns,
        manifest=crowns.manifest.model_copy(update={"crop": replace(crowns.crop, size_px=96)}),
    )
    with pytest.raises(BundleError, match="export it again"):
        Classifier(other, runtime.pick_runtime("auto"))


def test_a_coin_without_pictures_gets_a_verdict_that_no_limit_lets_through(crowns):
    verdict = Classifier(crowns, runtime.pick_runtime("auto")).classify(
        Coin(1, (), (), 23.0, 0, 0, 0, 250, 1, 9, alone=True)
    )
    assert verdict.label == "" and verdict.confidence == 0 and verdict.anomaly == inf


def test_pictures_are_averaged_as_long_as_there_is_time(crowns):
    judge = Classifier(crowns, runtime.pick_runtime("auto"))
    crops = tuple(crowns.golden.crops[[0, 5, 3]])
    coin = Coin(1, crops, (), 23.0, 0, 0, 0, 250, 1, 9, alone=True)
    left = iter([True, False])
    hurried = judge.classify(coin, time_left=lambda: next(left))
    assert hurried == judge.classify(replace(coin, crops=crops[:2])) != judge.classify(coin)
    assert judge.classify(coin, time_left=lambda: False) == judge.classify(
        replace(coin, crops=crops[:1])
    )


def test_a_diameter_between_two_coins_speaks_for_the_nearer_one(crowns):
    nominal = [label.diameter_mm for label in crowns.manifest.labels]
    likelihoods = compute_diameter_log_likelihoods(22.9, nominal, crowns.manifest.fusion)
    assert np.argmax(likelihoods[:-1]) == list(crowns.labels).index("crown_2")
    assert np.argmax(
        compute_diameter_log_likelihoods(40.0, nominal, crowns.manifest.fusion)
    ) == len(nominal)  # none of these


def test_a_runtime_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(runtime, "list_runtimes", lambda: [runtime.TFLITE_RUNTIME])
    assert runtime.pick_runtime("auto") == runtime.TFLITE_RUNTIME
    with pytest.raises(BundleError, match="litert is not installed .there is tflite-runtime."):
        runtime.pick_runtime(runtime.LITERT)


@pytest.fixture
def altered(tmp_path):
    """Writes a copy of models/brl with other arrays in one file, and with its hash."""

    def write(name: str, **changes):
        copy = shutil.copytree(BRL, tmp_path / "brl")
        with np.load(BRL / name) as stored:
            arrays = {**stored, **changes}
        np.savez(
            copy / "new.npz", **{name: array for name, array in arrays.items() if array is not None}
        )
        (copy / "new.npz").replace(copy / name)
        facts = yaml.safe_load((copy / bundle.MANIFEST).read_text())
        facts["files"][name] = hashlib.sha256((copy / name).read_bytes()).hexdigest()
        (copy / bundle.MANIFEST).write_text(yaml.safe_dump(facts))
        return copy

    return write


@pytest.mark.parametrize(
    "name, changes",
    [
        (bundle.RELIEFS, {"labels": np.full(604, 5)}),
        (bundle.RELIEFS, {"labels": np.zeros(3, int)}),
        (bundle.RELIEFS, {"spectra": np.zeros((604, 16, 28), np.int8)}),
        (bundle.RELIEFS, {"projection": np.zeros((16, 3), np.float32)}),
        (bundle.RELIEFS, {"step": None}),
        (bundle.RELIEFS, {"step": np.array("many")}),
        (bundle.EMBEDDING, {"means": np.zeros((4, 104), np.float32)}),
        (bundle.EMBEDDING, {"means": None}),
        (bundle.EMBEDDING, {"whitening": np.zeros((104, 103), np.float32)}),
        (bundle.EMBEDDING, {"whitening": np.array("far")}),
    ],
    ids=lambda given: (
        given
        if isinstance(given, str)
        else " ".join(f"{name} {getattr(value, 'shape', value)}" for name, value in given.items())
    ),
)
def test_what_is_known_of_coins_and_does_not_fit_is_refused_by_name(altered, name, changes):
    with pytest.raises(BundleError, match=name):
        bundle.load_bundle(altered(name, **changes))


def test_other_reliefs_than_it_was_trained_with_do_not_pass_the_golden_crops(altered):
    with np.load(BRL / bundle.RELIEFS) as stored:
        turned = np.roll(stored["spectra"], 1, axis=1)
    with pytest.raises(BundleError, match="golden crop"):
        Classifier(
            bundle.load_bundle(altered(bundle.RELIEFS, spectra=turned)),
            runtime.pick_runtime("auto"),
        ).check_golden_crops()


def test_other_embeddings_than_it_was_trained_with_do_not_pass_the_golden_crops(altered):
    with np.load(BRL / bundle.EMBEDDING) as stored:
        stretched = 1.2 * stored["whitening"]
    with pytest.raises(BundleError, match="golden crop .*distance by [1-9]"):
        Classifier(
            bundle.load_bundle(altered(bundle.EMBEDDING, whitening=stretched)),
            runtime.pick_runtime("auto"),
        ).check_golden_crops()


def test_a_classifier_that_tells_no_embedding_is_refused_where_one_is_wanted(crowns):
    known = EmbeddingStats(
        np.zeros((len(crowns.labels), 8), np.float32), np.eye(8, dtype=np.float32)
    )
    with pytest.raises(BundleError, match="not logits and embedding"):
        Classifier(replace(crowns, embedding_stats=known), runtime.pick_runtime("auto"))
