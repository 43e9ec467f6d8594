"""The evidence that a bundle's thresholds rest on, kept beside it.

So thresholds for another error budget need no photographs.
"""

from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.errors import BundleError, InputError
from coinsorter.recognition.bundle import NOT_ARRAYS
from coinsorter.records import Circle
from coinsorter.training.samples.crop_store import Crops
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.heldout import HeldOut, HeldOutSets

#: Where the evidence lies in a bundle.
FILE = Path("training") / "held-out.npz"

#: Prefixes of the arrays' names in the file, which are the fields of `HeldOutSets`.
SETS = ("held", "anomalies")

#: Names of the arrays in the file, by the fields of `HeldOut`.
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

#: Fields of a circle that are stored as one row of numbers.
MEASURES = ("x_px", "y_px", "radius_px", "quality", "roundness", "sharpness", "off_patch")


def save_heldout(bundle: Path, held: Samples, sets: HeldOutSets) -> None:
    """Write the evidence on held-out coins into a bundle's folder.

    held: the coins, in the order taken. sets: the evidence on them, and on foreign objects.
    """
    arrays: dict[str, Any] = {
        f"{prefix}_{key}": _shrink(getattr(getattr(sets, prefix), name))
        for prefix in SETS
        for name, key in KEYS.items()
    }
    with (bundle / FILE).open("wb") as file:
        np.savez_compressed(file, **_list_circle_arrays(held), **arrays)


def load_heldout(bundle: Path) -> tuple[Samples, HeldOutSets]:
    """What was saved with a bundle: the coins, without their crops, and the evidence on them.

    Raises InputError where nothing was saved, BundleError where it is damaged.
    """
    path = bundle / FILE
    if not path.exists():
        raise InputError(
            f"bundle {bundle} keeps no answers on held-out coins; name photographs to set its "
            "thresholds on"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            sets = HeldOutSets(*(_read_set(stored, prefix) for prefix in SETS))
            circles = _read_circles(stored)
            groups = stored["bursts"]
    except NOT_ARRAYS as error:
        raise BundleError(
            f"{path}: holds no answers on held-out coins: {error}; make the bundle again, or name "
            "photographs"
        ) from error
    crops = Crops.wrap(np.empty((len(sets.held), 0, 0, 3), np.uint8))
    held = sets.held
    return Samples(crops, held.labels, circles, held.diameters_mm, groups), sets


def _list_circle_arrays(held: Samples) -> dict[str, Any]:
    circles = held.circles
    rows = [[getattr(circle, name) for name in MEASURES] for circle in circles]
    return {
        "circles": np.array(rows, np.float32),
        "surrounds": np.array([circle.surround for circle in circles], np.float32),
        "alone": [circle.alone for circle in circles],
        "bursts": held.groups,
    }


def _read_set(stored: Any, prefix: str) -> HeldOut:
    return HeldOut(**{name: stored[f"{prefix}_{key}"] for name, key in KEYS.items()})


def _read_circles(stored: Any) -> tuple[Circle, ...]:
    rows = zip(stored["circles"].tolist(), stored["surrounds"].tolist(), stored["alone"].tolist())
    return tuple(
        Circle(**dict(zip(MEASURES, row)), surround=tuple(surround), alone=alone)
        for row, surround, alone in rows
    )


def _shrink(values: np.ndarray) -> np.ndarray:
    """Floats in single precision, which is all that the evidence is good for."""
    return values.astype(np.float32) if values.dtype.kind == "f" else values
