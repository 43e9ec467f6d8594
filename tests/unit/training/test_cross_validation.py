"""cross_validation: what is shown of trainings in other processes. That bundles are the same
whoever trains: test_same_everywhere.py."""

import time
from contextlib import contextmanager

from coinsorter.training.recipe import Recipe
from tests.conftest import needs_training
from tests.unit.training.tiny import RECIPE

needs_training()

from coinsorter.training import cross_validation

FIGURES = '{"loss": 1.0}\n'
LAST = {"loss": 1.0}


def test_epochs_that_processes_log_are_counted_and_shown(tmp_path, monkeypatch):
    """12 of the classifier and 2 of the autoencoder, three times, and 2 of the detector."""
    monkeypatch.setattr(cross_validation, "LOOK_S", 0.01)
    shown, opened = [], []

    @contextmanager
    def open_progress(title, total):
        opened.append((title, total))
        yield lambda done, figures=None: shown.append((done, figures))

    recipe = Recipe.model_validate(RECIPE)
    with cross_validation._show_epochs(recipe, 2, tmp_path, open_progress):
        for number in range(2):
            (tmp_path / f"fold-{number}").mkdir()
            (tmp_path / f"fold-{number}" / "classifier.jsonl").write_text(3 * FIGURES)
        wait_until(lambda: (6, LAST) in shown)
        (tmp_path / "own.jsonl").write_text(FIGURES + FIGURES[:5])  # torn by a kill
        wait_until(lambda: (7, LAST) in shown)
    assert opened == [("own networks and folds", 44)]
    assert shown[-1] == (44, None)


def wait_until(is_so) -> None:
    end_s = time.monotonic() + 30
    while not is_so() and time.monotonic() < end_s:
        time.sleep(0.01)
    assert is_so()
