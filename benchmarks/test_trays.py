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
    assert trays.iou(a, b) == pytest.approx(expected, abs=1e-4)


@pytest.mark.real
def test_coins_on_trays_are_found(data, capsys):
    found = trays.score(trays.photographs(data, "val"))
    with capsys.disabled():
        print(
            f"\neuro-trays/val: recall {found.recall:.3f}, precision {found.precision:.3f} at IoU {trays.MATCH} ({found})"
        )
    assert found.recall >= 0.95 and found.precision >= 0.95
