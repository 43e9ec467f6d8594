"""plots: figures show what they are of, and fit the page whatever that is."""

import numpy as np
import pytest

from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation import metrics, plots
from coinsorter.training.evaluation.rotation import RotationStudy
from tests.unit.training.evaluation.hand_counted import LABELS, PREDICTIONS, THRESHOLDS

PAGE_PX = 2000


@pytest.fixture(scope="module")
def by_hand():
    return metrics.compute_metrics(PREDICTIONS, LABELS, THRESHOLDS)


def colour_share(pixels: np.ndarray, colour: str) -> float:
    """The share of the pixels that have about a colour, given as #rrggbb."""
    rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return float((np.abs(pixels.astype(int) - rgb).max(axis=2) < 12).mean())


def test_right_answers_are_blue_and_mistakes_red():
    labels = ("a", "b")
    right = metrics.count_confusions(["a", "b"], ["a", "b"], labels)
    wrong = metrics.count_confusions(["a", "b"], ["b", "a"], labels)
    right_px, wrong_px = (plots.plot_confusion_matrix(matrix, "t") for matrix in (right, wrong))
    assert colour_share(right_px, plots.BLUE) > 0.05
    assert colour_share(right_px, plots.BAD) < 0.001
    assert colour_share(wrong_px, plots.BAD) > 0.05
    assert colour_share(wrong_px, plots.BLUE) < 0.001


def test_a_rejected_foreign_object_is_no_mistake(by_hand):
    matrix = metrics.count_confusions(["(foreign)"], ["(rejected)"], LABELS)
    pixels = plots.plot_confusion_matrix(matrix, "t")
    assert colour_share(pixels, plots.BLUE) > 0.05
    assert colour_share(pixels, plots.BAD) < 0.001


def test_many_labels_still_fit_the_page():
    labels = [f"EUR_de_{number}" for number in range(60)]
    answers = [labels[(n + n % 7 // 6) % 60] for n in range(60)]
    many = metrics.compute_closed_set_metrics(labels, answers, labels)
    pixels = plots.plot_confusion_matrix(many.confusion, "many")
    assert pixels.shape[1] <= 1.15 * PAGE_PX
    assert pixels.dtype == np.uint8
    assert plots.plot_label_scores(many, "many").shape[0] <= 1.2 * PAGE_PX


def test_the_machines_working_point_is_marked_where_it_is_known(by_hand):
    curve = by_hand.risk_coverage
    marked = plots.plot_risk_coverage(curve, (0.6, 0.1))
    unmarked = plots.plot_risk_coverage(curve, None)
    assert colour_share(marked, plots.BAD) > 0.0003
    assert colour_share(unmarked, plots.BAD) == 0


def test_figures_of_the_confidence_and_of_the_anomaly_score_are_half_a_page_wide(by_hand):
    figures = [
        plots.plot_reliability(by_hand.reliability),
        plots.plot_roc(by_hand.anomaly),
        plots.plot_anomaly_scores([0.5, 1.0, np.inf], [9.0], [3.0]),
        plots.plot_anomaly_scores([0.5, 1.0], [], [3.0, 4.0]),
    ]
    assert all(pixels.shape[1] == 0.48 * PAGE_PX for pixels in figures)
    assert colour_share(figures[1], plots.BAD) > 0.0003


def test_foreign_scores_are_drawn_in_their_own_colour_where_there_are_any():
    both = plots.plot_anomaly_scores([0.5, 1.0], [9.0, 10.0], [3.0])
    genuine = plots.plot_anomaly_scores([0.5, 1.0], [], [3.0])
    red_over_white = "#d48983"
    assert colour_share(both, red_over_white) > 10 * colour_share(genuine, red_over_white)


def test_rotation_and_damage_are_as_wide_as_the_page():
    study = RotationStudy((0.0, 180.0), (0.75, 0.5), (1.0, 1.0))
    crops = np.full((2, 16, 16, 3), 60, np.uint8)
    figures = [
        plots.plot_rotation(study),
        plots.plot_damage({"clipped": 0.9, "all": None}, {"clipped": 0.5, "all": 0.4}, 0.1),
        plots.plot_damage_examples({"clipped": (crops, crops), "painted": (crops, crops)}),
    ]
    assert all(pixels.shape[1] == PAGE_PX for pixels in figures)


def test_each_network_has_a_panel_for_each_figure_of_its_training():
    epochs = [{"loss": 1.0, "accuracy": 0.5, "val_loss": 1.1}, {"loss": 0.5, "accuracy": 0.9}]
    epochs[1]["val_loss"] = 0.7
    both = plots.plot_training_curves({"classifier": epochs, "autoencoder": []})
    loss_only = plots.plot_training_curves({"autoencoder": [{"loss": 1.0}, {"loss": 0.5}]})
    assert both.shape[1] == 2 * loss_only.shape[1]
    assert colour_share(both, plots.BAD) > 0
    assert colour_share(loss_only, plots.BAD) == 0
