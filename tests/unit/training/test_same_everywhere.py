"""A data set, measures, a bundle and its evaluation are the same whoever shares the work.

That is: this process alone, two processes, and the two workers of a Dask cluster.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.training.dataset.prepare import PrepareSettings, prepare_dataset
from coinsorter.training.evaluation import predictions
from coinsorter.training.evaluation.evaluate import EvaluationSettings
from coinsorter.training.evaluation.evaluation_report import write_evaluation_report
from coinsorter.training.features.feature_report import FeatureSettings, write_feature_report
from coinsorter.training.parallel import Workers, open_workers
from coinsorter.training.progress import hide_progress, show_progress
from coinsorter.training.recipe import Recipe
from tests.conftest import CROWNS, only_in_full
from tests.unit.training.cluster import start_cluster
from tests.unit.training.tiny import CROPS_RECIPE

WHERE = ["two processes", "cluster"]


class EagerWorkers(Workers):
    """Workers that share even a few jobs."""

    def run(self, function, jobs, min_jobs=1, **options):
        return super().run(function, jobs, 1, **options)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Workers]:
    with (
        start_cluster(2, "--nthreads", "1") as address,
        open_workers(None, address) as workers,
    ):
        yield workers


@pytest.fixture(params=WHERE)
def several(request) -> Workers:
    if request.param == "cluster":
        return request.getfixturevalue("cluster")
    return EagerWorkers(2)


def read_files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def prepare(source: Path, out: Path, workers: Workers) -> dict[str, bytes]:
    settings = PrepareSettings((source,), px_per_mm=4.0, diameters_mm=(18.0, 27.5), near_bits=-1)
    prepare_dataset(settings, out, show_progress, "prepare", workers=workers)
    return read_files(out)


@pytest.fixture(scope="module")
def data_set(frames, tmp_path_factory):
    return prepare(frames, tmp_path_factory.mktemp("alone") / "set", Workers())


def test_a_data_set_is_the_same(frames, data_set, several, tmp_path):
    assert prepare(frames, tmp_path / "set", several) == data_set


def test_a_data_set_from_a_zip_is_the_same(frames, several, tmp_path):
    archive = Path(shutil.make_archive(str(tmp_path / "frames"), "zip", frames))
    alone = prepare(archive, tmp_path / "alone" / "set", Workers())
    assert prepare(archive, tmp_path / "set", several) == alone


def train(crops: Path, folder: Path, workers: Workers) -> dict[str, bytes]:
    """The files of a bundle by two folds."""
    from coinsorter.training.train import train_bundle

    quick = {"classifier": CROPS_RECIPE["classifier"] | {"epochs": 4, "repeat": 3}}
    content = CROPS_RECIPE | {"folds": 2, "inspector": None} | quick
    recipe = Recipe.model_validate(content)
    train_bundle(recipe, [crops], folder / "bundle", hide_progress, workers=workers)
    return read_files(folder / "bundle")


@pytest.fixture(scope="module")
def bundle(crops, tmp_path_factory):
    return train(crops, tmp_path_factory.mktemp("alone"), Workers())


def test_a_bundle_of_two_processes_is_the_same(crops, bundle, tmp_path):
    assert train(crops, tmp_path, EagerWorkers(2)) == bundle


@only_in_full
def test_a_bundle_of_a_cluster_has_the_same_parts_and_works(crops, bundle, cluster, tmp_path):
    """Its weights differ in their last bits: why is not known yet."""
    assert train(crops, tmp_path, cluster).keys() == bundle.keys()
    classifier = Classifier(load_bundle(tmp_path / "bundle"), pick_runtime("auto"))
    classifier.check_golden_crops()


def write_features(frames: Path, out: Path, workers: Workers) -> dict[str, bytes]:
    settings = FeatureSettings(frames, bundle=CROWNS)
    write_feature_report(settings, out, show_progress, workers=workers)
    return read_files(out)


@pytest.fixture(scope="module")
def features(frames, tmp_path_factory):
    return write_features(frames, tmp_path_factory.mktemp("alone") / "features", Workers())


def test_a_table_of_measures_and_its_baseline_are_the_same(frames, features, several, tmp_path):
    assert b"extra-trees" in features["report.html"]
    assert write_features(frames, tmp_path / "features", several) == features


def evaluate(crops: Path, out: Path, workers: Workers) -> dict[str, bytes]:
    settings = EvaluationSettings(CROWNS, crops, crops=True, rotation_steps=2, damage=True)
    write_evaluation_report(settings, out, hide_progress, workers=workers)
    return read_files(out)


@pytest.fixture(scope="module")
def evaluation(crops, tmp_path_factory):
    return evaluate(crops, tmp_path_factory.mktemp("alone") / "evaluation", Workers())


def test_an_evaluation_is_the_same(crops, evaluation, several, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "IMAGES_PER_JOB", 8)  # 30 crops: jobs for everybody
    assert evaluate(crops, tmp_path / "evaluation", several) == evaluation
