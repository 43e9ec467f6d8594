"""bundle: shipped bundles load and prove themselves; damaged ones are refused by name."""

import shutil
from dataclasses import replace
from math import inf

import numpy as np
import pytest

from coinsorter.errors import BundleError
from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.recognition.fusion import compute_diameter_log_likelihoods
from coinsorter.recognition.seal import write_seal
from coinsorter.records import Coin
from tests.conftest import BRL, CROWNS, EURO
from tests.unit.recognition.sealed import read_facts, replace_sealed, write_sealed

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
        < 2_000_000
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


def set_value(facts, key, value):
    *parts, last = key.split(".")
    for part in parts:
        facts = facts[int(part) if part.isdigit() else part]
    facts[last] = value


#: Values that no training writes, just beyond what is allowed or far beyond.
NONSENSE = [
    ("name", "../up"),
    ("labels.0.name", "bit/10"),
    ("labels.0.name", "bit\x1b[2J"),
    ("labels.0.name", "x" * 61),
    ("labels.0.name", ""),
    ("labels.0.value", -0.1),
    ("labels.0.value", float("inf")),
    ("labels.0.currency", "CRN\u202e"),
    ("labels.0.diameter_mm", 0.001),
    ("labels.0.diameter_mm", 900.0),
    ("labels.0.details", "two\nlines"),
    ("limits.bit_10.min_confidence", 0.01),
    ("limits.bit_10.min_confidence", 0.4999),
    ("limits.bit_10.min_confidence", float("nan")),
    ("limits.bit_10.max_anomaly", 1e9),
    ("limits.bit_10.max_anomaly", 30.1),
    ("limits.bit_10.max_anomaly", float("nan")),
    ("limits.bit_10.tolerance_mm", 4.6),
    ("limits.bit_10.tolerance_mm", 0.0),
    ("limits.bit_10.n", -1),
    ("crop.size_px", 10_000),
    ("crop.margin", 0.5),
    ("view.px_per_mm", 0.01),
    ("view.tilt_along", 3.0),
    ("fusion.temperature", 1e9),
    ("fusion.diameter_spread", 0.5),
    ("anomaly.bit_10.spread", 1e6),
    ("anomaly.bit_10.middle", 1e6),
    ("outline.max_off_patch", 50.0),
]


@pytest.mark.parametrize(
    "change, complaint",
    [
        (lambda facts: facts.pop("limits"), "limits"),
        (lambda facts: facts.update(format=99), "format 99"),
        (lambda facts: facts["limits"].pop("crown_1"), "do not name the same labels"),
        (lambda facts: facts["files"].pop("classifier.tflite"), "classifier.tflite is missing"),
        (lambda facts: facts["fusion"].update(temperature=0), "temperature"),
        (lambda facts: facts.update(surprise=1), "surprise"),
        (lambda facts: facts["files"].update({"../x": "0" * 64}), "'../x' is no file of a bundle"),
        (lambda facts: facts["files"].update({"reliefs.npz": "?"}), "files.reliefs.npz"),
        (lambda facts: facts["labels"][0].update(also=["crown_1"]), "more than one label"),
        (lambda facts: facts["limits"].update(surprise={}), "limits.surprise"),
        (lambda facts: facts.update({"\x1b[2J\n": 1}), r"\\x1b\[2J"),
        *[
            (lambda facts, key=key, value=value: set_value(facts, key, value), key.split(".")[-1])
            for key, value in NONSENSE
        ],
    ],
)
def test_facts_that_make_no_sense_are_named(copy, change, complaint):
    facts = read_facts(copy)
    change(facts)
    write_sealed(copy, facts)
    with pytest.raises(BundleError, match=complaint):
        bundle.load_bundle(copy)


@pytest.mark.parametrize("text", ["", "[1", "words", "\x00"])
def test_a_bundle_yaml_that_is_no_yaml_is_named(copy, text):
    (copy / bundle.MANIFEST).write_text(text)
    with pytest.raises(BundleError, match="bundle.yaml is damaged or was altered"):
        bundle.load_bundle(copy)
    write_seal(copy, b"format: 1")
    with pytest.raises(BundleError, match=bundle.MANIFEST):
        bundle.read_bundle(copy, text.encode())


def test_weights_that_would_let_anything_pass_are_refused(copy):
    facts = read_facts(copy)
    facts["fusion"]["copy_weight"] = 0.0
    write_sealed(copy, facts)
    with pytest.raises(BundleError, match="fusion: .* let anything pass"):
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
        replace_sealed(copy, name, (copy / "new.npz").read_bytes())
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
