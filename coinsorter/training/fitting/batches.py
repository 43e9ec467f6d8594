"""Batches of crops for Keras, read from the disk while the network trains on the one before."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from numpy.random import Generator

from coinsorter.training.recipe import (
    AutoencoderSettings,
    ClassifierSettings,
    DefectDetectorSettings,
    GateSettings,
)
from coinsorter.training.samples.samples import Samples

NetworkSettings = ClassifierSettings | AutoencoderSettings | DefectDetectorSettings | GateSettings

#: Crops of one batch where nothing is trained.
PREDICT_BATCH = 256

#: Makes a batch from the places of its crops, int (k,): inputs, targets, and weights if any.
MakeBatch = Callable[[np.ndarray, Generator], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class BatchPlan:
    """What the batches of a training are made of.

    count: crops to train on. repeat: how often each is in an epoch. size: crops of a batch. seed:
    of their order and changes. make: makes one.
    """

    count: int
    repeat: int
    size: int
    seed: list[int]
    make: MakeBatch

    def count_batches(self) -> int:
        """Batches of an epoch; the last may be smaller."""
        return -(-self.count * self.repeat // self.size)


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """Batches whose order and changes follow from seed, epoch and place alone.

    So a training that goes on after a kill sees the same ones. epoch: the first that is trained.
    """

    def __init__(self, plan: BatchPlan, epoch: int = 0) -> None:
        super().__init__()
        self._plan = plan
        self._epoch = epoch

    def __len__(self) -> int:
        return self._plan.count_batches()

    def __getitem__(self, place: int) -> tuple[np.ndarray, ...]:
        first = place * self._plan.size
        places = self._order_crops()[first : first + self._plan.size]
        rng = np.random.default_rng([*self._plan.seed, self._epoch, place])
        return self._plan.make(places, rng)

    def on_epoch_end(self) -> None:
        """Called by Keras."""
        self._epoch += 1

    def _order_crops(self) -> np.ndarray:
        rng = np.random.default_rng([*self._plan.seed, self._epoch])
        orders = [rng.permutation(self._plan.count) for _ in range(self._plan.repeat)]
        return np.concatenate(orders)


class ValidationBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """Crops that are not changed, with their labels, int (n,).

    show: uint8 (k, size, size, 3) -> what the network sees of them, float32.
    """

    def __init__(
        self, samples: Samples, labels: np.ndarray, show: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        super().__init__()
        self._show = show
        self._samples = samples
        self._labels = labels

    def __len__(self) -> int:
        return -(-len(self._labels) // PREDICT_BATCH)

    def __getitem__(self, place: int) -> tuple[np.ndarray, ...]:
        batch = slice(place * PREDICT_BATCH, (place + 1) * PREDICT_BATCH)
        return self._show(self._samples.crops[batch]), self._labels[batch]
