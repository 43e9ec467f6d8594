"""saved_samples: other processes read the same samples, and no crop is written twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coinsorter.training.samples import saved_samples
from coinsorter.training.samples.assemble import AssembledSamples
from coinsorter.training.samples.crop_store import CropStore
from coinsorter.training.samples.samples import Samples
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

SPEC = CropSpec(8, 1.06, (95.0, 95.0, 95.0))
CROPS = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)


def make_samples(crops) -> Samples:
    count = len(crops)
    return Samples(
        crops=crops,
        labels=np.arange(count) % 2,
        circles=(None,) * count,
        diameters_mm=np.full(count, 20.0),
        groups=np.arange(count),
    )


@pytest.fixture
def assembled() -> AssembledSamples:
    store = CropStore(8)
    for crop in CROPS:
        store.add(crop)
    coins = make_samples(store.finish())
    in_memory = make_samples(CROPS[:2])
    return AssembledSamples(
        labels=[],
        training=Samples.concatenate([coins, in_memory]),
        held_out=coins,
        folds=[(coins.select(coins.labels == 0), coins.select(coins.labels == 1))],
        view=ScalePlane(4.0, 0.0, 0.0, 640, 480),
        scale_drifts=True,
        spec=SPEC,
        notes={"split": "by burst"},
        held_out_order=np.arange(6),
        anomalies=make_samples(CROPS[:0]),
    )


def test_samples_come_back_as_they_were(assembled, tmp_path):
    saved_samples.save_samples(assembled, tmp_path / "work")
    loaded = saved_samples.load_samples(tmp_path / "work")
    assert np.array_equal(loaded.training.crops[:], np.concatenate([CROPS, CROPS[:2]]))
    assert np.array_equal(loaded.folds[0][1].crops[:], CROPS[1::2])
    assert loaded.held_out.labels.tolist() == assembled.held_out.labels.tolist()
    assert (loaded.view, loaded.notes) == (assembled.view, assembled.notes)
    assert len(loaded.anomalies) == 0


def test_a_store_that_several_samples_are_of_is_written_once(assembled, tmp_path):
    saved_samples.save_samples(assembled, tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["crops-0", saved_samples.SAMPLES]
    assert (tmp_path / "crops-0").read_bytes() == CROPS.tobytes()


def test_a_store_without_crops_is_read_as_none(assembled, tmp_path):
    empty = make_samples(CropStore(8).finish())
    saved_samples.save_samples(replace(assembled, anomalies=empty), tmp_path)
    assert len(saved_samples.load_samples(tmp_path).anomalies) == 0


def test_saving_again_replaces_what_is_there(assembled, tmp_path):
    for _ in range(2):
        saved_samples.save_samples(assembled, tmp_path)
    assert len(saved_samples.load_samples(tmp_path).training) == 8


def test_a_full_disk_leaves_nothing_half_written(assembled, tmp_path, monkeypatch):
    monkeypatch.setattr(CropStore, "copy_to", lambda store, path: fill_disk())
    with pytest.raises(OSError, match="No space left"):
        saved_samples.save_samples(assembled, tmp_path)
    assert list(tmp_path.iterdir()) == []


def fill_disk() -> None:
    with Path("/dev/full").open("wb") as file:
        file.write(CROPS.tobytes())
