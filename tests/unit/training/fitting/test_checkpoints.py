"""checkpoints: what a killed training has left is taken up as far as it is whole."""

import json

import numpy as np
import pytest

from tests.conftest import needs_training

needs_training()

import keras

from coinsorter.training.fitting.checkpoints import EpochLog, count_done_epochs, save_weights


def test_every_epoch_is_reported_and_logged(tmp_path):
    reports = []
    log = EpochLog(
        lambda done, figures: reports.append((done, figures)), tmp_path / "a" / "x.jsonl"
    )
    log.on_epoch_end(0, {"loss": np.float32(0.5)})
    log.on_epoch_end(1, {"loss": 0.25})
    assert reports == [(1, {"loss": 0.5}), (2, {"loss": 0.25})]
    assert log.history == [{"loss": 0.5}, {"loss": 0.25}]
    assert EpochLog(lambda *_: None, tmp_path / "a" / "x.jsonl").history == log.history


def test_a_log_goes_on_after_the_epoch_that_training_goes_on_after(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"loss": 3}\n{"loss": 2}\n{"loss": 1}\n{"lo')
    log = EpochLog(lambda *_: None, path)
    assert len(log.history) == 3
    log.on_epoch_end(1, {"loss": 9.0})
    assert log.history == [{"loss": 3}, {"loss": 9}]
    assert [json.loads(line) for line in path.read_text().splitlines()] == log.history


def test_without_a_file_nothing_is_logged():
    log = EpochLog(lambda *_: None, None)
    log.on_epoch_end(0, {"loss": 1.0})
    assert log.history == [{"loss": 1}]


@pytest.mark.parametrize("content, epochs", [('{"epoch": 4}', 4), ("{", 0), ("{}", 0)])
def test_only_whole_checkpoints_count(tmp_path, content, epochs):
    folder = tmp_path / "classifier"
    folder.mkdir()
    (folder / "training_metadata.json").write_text(content)
    assert count_done_epochs(folder) == epochs
    assert folder.exists() == (epochs > 0)


def test_a_training_that_never_ran_has_no_epochs(tmp_path):
    assert count_done_epochs(tmp_path / "nothing") == 0


def test_saved_weights_are_whole(tmp_path):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    path = tmp_path / "new" / "classifier.weights.h5"
    save_weights(model, path)
    weights = [values.copy() for values in model.get_weights()]
    model.set_weights([values + 1 for values in weights])
    model.load_weights(path)
    assert all((one == other).all() for one, other in zip(model.get_weights(), weights))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
