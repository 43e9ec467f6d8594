"""crop_store: crops on the disk are the same as in memory, whatever is done with them."""

import resource
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.errors import InputError
from coinsorter.training.samples.crop_store import Crops, CropStore

CROPS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)


def store_crops(arrays: np.ndarray) -> Crops:
    store = CropStore(8)
    for crop in arrays:
        store.add(crop)
    return store.finish()


@given(st.lists(st.integers(0, 11), max_size=20), st.integers(0, 12))
def test_crops_are_indexed_as_an_array_of_them_is(places, split):
    crops = Crops.concatenate([store_crops(CROPS[:split]), Crops.wrap(CROPS[split:])])
    index = np.array(places, int)
    assert len(crops) == 12
    assert (crops[:] == CROPS).all()
    assert (np.stack(list(crops)) == CROPS).all()
    assert (crops[index] == CROPS[index]).all()
    assert crops[index].shape == (len(places), 8, 8, 3)
    assert (crops.take(index)[::-1] == CROPS[index][::-1]).all()
    assert all((crops[place] == CROPS[place]).all() for place in places)


def test_a_place_beyond_the_last_is_an_error():
    with pytest.raises(IndexError):
        store_crops(CROPS)[12]


def test_a_disk_without_room_for_crops_is_named(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/somewhere")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (1000, limits[1])
    )  # a file as large as a full disk lets it be
    try:
        with pytest.raises(
            InputError,
            match="/somewhere: cannot hold the coins' crops: File too large; free some space there",
        ):
            store_crops(np.repeat(CROPS, 10, axis=0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(InputError, match="cannot hold the coins' crops: No such file"):
        CropStore(8)
