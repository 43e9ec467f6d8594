"""How a crop is shown to a network: as it is, in quarter turns, or unwrapped to polar coordinates.

A network says by the shape of its input which it wants. One that sees crops unwrapped, its
convolutions going round the coin, gives the same answer for every rotation and needs one view.
"""

from collections.abc import Sequence

import numpy as np

from coinsorter.recognition.polar import EDGE_CHANNELS, MAX_GRADIENT, WRAP, PolarGrid
from coinsorter.vision.crop import CropSpec, rotate_quarters

#: Rows from the middle of the coin to its rim; a crop of 64 px has as many pixels that far.
ROWS = 32
#: Columns over a full turn: a sample for each pixel at four fifths of the radius.
COLUMNS = 160
GRID = PolarGrid(ROWS, COLUMNS, min_reach=0.06, max_reach=0.99)
#: The shape of an unwrapped crop: RGB, and strength and direction of its edges.
UNWRAPPED_SHAPE = (ROWS, COLUMNS, 3 + EDGE_CHANNELS)

#: What an edge's strength, 0 to MAX_GRADIENT, and its direction, which may be negative, are
#: multiplied by, and what is then added, to be grey levels.
_EDGE_SCALES = np.array([255, 127.5, 127.5], np.float32) / np.float32(MAX_GRADIENT)
_EDGE_OFFSETS = np.array([0, 127.5, 127.5], np.float32)


def count_views(input_shape: Sequence[int], turns: int) -> int:
    """How many views of a crop a network of this input is shown; turns: of crops as they are."""
    return 1 if tuple(input_shape) == UNWRAPPED_SHAPE else turns


def make_views(
    crop: np.ndarray, input_shape: Sequence[int], spec: CropSpec, turns: int = 1
) -> np.ndarray:
    """A crop as a network sees it: uint8, as many views as `count_views` says.

    crop: uint8 (n, n, 3) RGB. input_shape: that of one view.
    """
    if tuple(input_shape) == UNWRAPPED_SHAPE:
        return unwrap_crop(crop, spec)[None]
    return rotate_quarters(crop, turns)


def show_crops(crops: np.ndarray, input_shape: Sequence[int], spec: CropSpec) -> np.ndarray:
    """Crops as a network sees them, each once: uint8, n views of input_shape."""
    if tuple(input_shape) != UNWRAPPED_SHAPE:
        return crops
    return np.stack([unwrap_crop(crop, spec) for crop in crops])


def unwrap_crop(crop: np.ndarray, spec: CropSpec) -> np.ndarray:
    """A crop in polar coordinates: uint8 UNWRAPPED_SHAPE."""
    unwrapped = np.empty(UNWRAPPED_SHAPE, np.uint8)
    unwrapped[..., :3] = GRID.unwrap(crop, spec)[:, WRAP:-WRAP]
    edges = GRID.compute_edges(crop, spec).transpose(1, 2, 0)
    unwrapped[..., 3:] = edges * _EDGE_SCALES + _EDGE_OFFSETS
    return unwrapped
