"""heldout_store: what is saved beside a bundle comes back, and damage is named."""

from dataclasses import fields

import numpy as np
import pytest

from coinsorter.errors import BundleError, InputError
from coinsorter.records import Circle
from tests.conftest import BRL, needs_training

needs_training()

from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.heldout import HeldOut, HeldOutSets
from coinsorter.training.thresholds.heldout_store import FILE, load_heldout, save_heldout
from tests.unit.training.thresholds.helpers import make_full_heldout

CIRCLE = Circle(320.5, 240.25, 40.5, 0.75, 0.5, 20, (90, 95, 100), True, 0.125)


@pytest.fixture
def saved(tmp_path):
    sets = HeldOutSets(make_full_heldout(3), make_full_heldout(2))
    crops = np.zeros((3, 8, 8, 3), np.uint8)
    held = Samples(
        crops, sets.held.labels, (CIRCLE,) * 3, sets.held.diameters_mm, np.array([5, 5, 7])
    )
    (tmp_path / FILE).parent.mkdir()
    save_heldout(tmp_path, held, sets)
    return tmp_path, sets


def test_what_was_saved_comes_back_in_single_precision(saved):
    folder, sets = saved
    held, loaded = load_heldout(folder)
    for before, after in ((sets.held, loaded.held), (sets.anomalies, loaded.anomalies)):
        for field in fields(HeldOut):
            values = getattr(after, field.name)
            assert values == pytest.approx(getattr(before, field.name), rel=1e-6)
    assert loaded.held.distances.dtype == np.float32
    assert held.circles == (CIRCLE,) * 3
    assert held.groups.tolist() == [5, 5, 7]
    assert len(held) == 3


def test_a_bundle_without_evidence_asks_for_photographs(tmp_path):
    with pytest.raises(InputError, match="name photographs"):
        load_heldout(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_damaged_file_is_named(saved, share):
    folder, _ = saved
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content[: int(share * len(content))] or b"torn")
    with pytest.raises(BundleError, match=r"held-out\.npz: holds no answers on held-out coins"):
        load_heldout(folder)


@pytest.mark.parametrize(
    "name, values, complaint",
    [
        ("held_errors", np.ones(2, np.float32), "not of one length"),
        ("held_labels", np.array([0, 1, 9]), "not of the same labels"),
        ("anomalies_distances", np.ones((2, 9), np.float32), "not of the same labels"),
        ("bursts", np.zeros(4, int), "not of the same coins"),
        ("circles", np.zeros((3, 6), np.float32), "not of the same coins"),
        ("alone", np.array([None] * 3), "alone is no array as NumPy writes it"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_named(saved, name, values, complaint):
    folder, _ = saved
    with np.load(folder / FILE) as stored:
        arrays = {**stored, name: values}
    np.savez(folder / FILE, **arrays)
    with pytest.raises(BundleError, match=complaint):
        load_heldout(folder)


def test_the_evidence_of_a_shipped_bundle_can_be_read():
    held, sets = load_heldout(BRL)
    assert len(held) == len(sets.held) > 500
    assert sets.held.has_diameters
