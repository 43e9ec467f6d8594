"""damage: whether the anomaly score notices what is drawn onto coins."""

import numpy as np

from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.damage import study_damage
from coinsorter.training.evaluation.damage_drawing import KINDS


def test_a_study_has_figures_and_examples_of_every_kind(predictor, predictions):
    steps: list[int] = []
    study = study_damage(predictor, predictions[:3], steps.append)
    assert steps == [1, 2, 3, 4, 5]
    assert list(study.kinds) == [*KINDS, "all"]
    assert study.intact_rejected.of == 3
    assert study.kinds["clipped"].rejected.of == 3
    assert study.kinds["all"].rejected.of == 15
    assert study.kinds["clipped"].auroc > 0.5
    intact, damaged = study.examples["painted"]
    assert (intact == np.stack([p.crop for p in predictions[:3]])).all()
    assert all((before != after).any() for before, after in zip(intact, damaged))


def test_the_same_coins_always_get_the_same_damage(predictor, predictions):
    studies = [study_damage(predictor, predictions[:2], lambda done: None) for _ in range(2)]
    for kind in KINDS:
        first, second = (study.examples[kind][1] for study in studies)
        assert (first == second).all()
