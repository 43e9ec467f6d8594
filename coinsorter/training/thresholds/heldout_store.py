"""The answers that a bundle's limits rest on, kept beside it: so that another error budget needs no photographs."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from coinsorter.errors import BundleError, InputError
from coinsorter.recognition.bundle import NOT_ARRAYS
from coinsorter.records import Circle
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.choose import HeldOut
from coinsorter.training.thresholds.heldout import HeldOutSets

FILE = Path("training") / "held-out.npz"
GROUPS = tuple(field.name for field in fields(HeldOutSets))
# Names of the arrays in the file, by the fields of HeldOut.
KEYS = {
    "labels": "labels",
    "logits": "logits",
    "similarities": "likeness",
    "reconstruction_errors": "errors",
    "defect_logits": "blemishes",
    "distances": "distances",
    "diameters_mm": "diameters_mm",
    "scale_sems": "scale_spreads",
}
MEASURES = "x_px", "y_px", "radius_px", "quality", "roundness", "sharpness", "off_patch"


def save_heldout(bundle: Path, held: Samples, told: HeldOutSets) -> None:
    """held: the coins that were asked about, in the order taken; told: what was said of them and of strange things."""
    answers = {
        f"{group}_{key}": _small(getattr(getattr(told, group), name))
        for group in GROUPS
        for name, key in KEYS.items()
    }
    circles = np.array(
        [[getattr(circle, name) for name in MEASURES] for circle in held.circles], np.float32
    )
    surrounds = np.array([circle.surround for circle in held.circles], np.float32)
    with (bundle / FILE).open("wb") as file:
        np.savez_compressed(
            file,
            circles=circles,
            surrounds=surrounds,
            alone=[circle.alone for circle in held.circles],
            bursts=held.groups,
            **answers,
        )


def load_heldout(bundle: Path) -> tuple[Samples, HeldOutSets]:
    """What was saved; the coins' crops are not there any more. Raises InputError where nothing was, BundleError where it is damaged."""
    path = bundle / FILE
    if not path.exists():
        raise InputError(
            f"bundle {bundle} keeps no answers on held-out coins; name photographs to set its limits on"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = [
                HeldOut(**{name: stored[f"{group}_{key}"] for name, key in KEYS.items()})
                for group in GROUPS
            ]
            rows = zip(
                stored["circles"].tolist(), stored["surrounds"].tolist(), stored["alone"].tolist()
            )
            circles = tuple(
                Circle(**dict(zip(MEASURES, row)), surround=tuple(surround), alone=alone)
                for row, surround, alone in rows
            )
            bursts = stored["bursts"]
    except NOT_ARRAYS as error:
        raise BundleError(
            f"{path}: holds no answers on held-out coins: {error}; make the bundle again, or name photographs"
        ) from error
    told = HeldOutSets(*parts)
    count = len(told.held)
    return Samples(
        np.empty((count, 0, 0, 3), np.uint8),
        told.held.labels,
        circles,
        told.held.diameters_mm,
        bursts,
    ), told


def _small(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values
