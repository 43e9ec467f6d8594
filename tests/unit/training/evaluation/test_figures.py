"""figures: pixels of one size and style, and sheets of coins."""

import matplotlib
import numpy as np

from coinsorter.vision.crop import FILL
from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.figures import (
    DPI,
    Tile,
    create_figure,
    draw_contact_sheet,
    render,
    whiten_surround,
)


def test_a_figure_has_the_size_it_was_created_with_and_matplotlibs_settings_stay():
    before = dict(matplotlib.rcParams)
    pixels = render(create_figure)(3.0, 1.5)
    assert pixels.shape == (1.5 * DPI, 3 * DPI, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 255).all()
    assert dict(matplotlib.rcParams) == before


def test_what_surrounds_a_coin_is_white_and_grey_pixels_on_it_stay_grey():
    crop = np.full((9, 9, 3), FILL, np.uint8)
    crop[2:7, 2:7] = 40
    crop[4, 4] = FILL
    white = whiten_surround(crop)
    assert (white[0] == 255).all()
    assert white[4, 4].tolist() == [FILL] * 3
    assert white[2, 2].tolist() == [40] * 3
    assert (crop[0] == FILL).all()


def test_long_lines_under_a_tile_are_broken_and_empty_ones_stay():
    tile = Tile(np.zeros((8, 8, 3), np.uint8), ("word " * 10, "", "short"))
    lines = tile.wrap_lines()
    assert lines == ["word word word word word", "word word word word word", "", "short"]


def test_a_label_with_dollars_is_no_formula():
    @render
    def draw(label):
        figure = create_figure(3.0, 1.5)
        figure.text(0.1, 0.5, label)
        return figure

    assert (draw("$\\nothing{$") != draw("")).any()


def test_a_contact_sheet_grows_by_rows():
    tile = Tile(np.full((16, 16, 3), 60, np.uint8), ("coin",))
    one, two = (draw_contact_sheet([tile] * count, "Coins", columns=4) for count in (4, 5))
    assert one.shape[1] == two.shape[1] == 10 * DPI
    assert two.shape[0] > 1.5 * one.shape[0]
    assert (draw_contact_sheet([], "None", columns=4) == 255).mean() > 0.9
