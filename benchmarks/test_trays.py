"""The bar for segmentation: recall and precision on the validation photographs of `euro-trays`."""

import pytest

from benchmarks import trays


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ((0, 0, 1), (0, 0, 1), 1),
        ((0, 0, 1), (3, 0, 1), 0),
        ((0, 0, 2), (0, 0, 1), 0.25),
        ((0, 0, 1), (1, 0, 1), 0.2430),
    ],
)
def test_the_overlap_of_two_circles(a, b, expected):
    assert trays.compute_iou(a, b) == pytest.approx(expected, abs=1e-4)


@pytest.mark.real
def test_coins_on_trays_are_found(data, capsys):
    score = trays.score_photographs(trays.read_photographs(data, "val"))
    figures = f"recall {score.recall:.3f}, precision {score.precision:.3f} at IoU {trays.MATCH}"
    with capsys.disabled():
        print(f"\neuro-trays/val: {figures} ({score})")
    assert score.recall >= 0.95 and score.precision >= 0.95
