"""feature_plots: figures of measures fit the page whatever they are of."""

import numpy as np

from tests.conftest import needs_training

needs_training()

from coinsorter.training.features.feature_plots import plot_distributions, plot_importances

PAGE_PX = 2000


def test_distributions_have_three_panels_a_row_and_leave_nan_out():
    values = {"a": np.array([1.0, 2.0, np.nan]), "b": np.array([3.0, 4.0])}
    three = plot_distributions({f"shape_{n}": values for n in range(3)})
    four = plot_distributions({f"shape_{n}": values for n in range(4)})
    assert three.shape[1] == four.shape[1] == PAGE_PX
    assert four.shape[0] == 2 * three.shape[0]


def test_sixty_labels_are_higher_than_two_and_have_a_bound():
    sixty = {f"label_{n}": np.array([float(n)]) for n in range(60)}
    assert plot_distributions({"shape": sixty}).shape[0] == 8 * 200


def test_measures_that_cost_nothing_are_left_out_of_the_importances():
    families = {"size": 0.4, "edge": 0.0}
    costly = plot_importances(families, {"size_mm": 0.3, "edge_noise": -0.01})
    same = plot_importances(families, {"size_mm": 0.3})
    assert costly.shape == (720, PAGE_PX, 3)
    assert (costly == same).all()
