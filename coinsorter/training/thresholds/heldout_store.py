"""The evidence that a bundle's thresholds rest on, kept beside it.

So thresholds for another error budget need no photographs.
"""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.errors import BundleError, InputError
from coinsorter.files.bounded import read_bounded
from coinsorter.recognition.bundle_arrays import FLOATS, INTEGERS, ArrayRule, read_arrays
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
    "gate_logits": "gate_logits",
    "diameters_mm": "diameters_mm",
    "scale_sems": "scale_spreads",
    "memberships": "memberships",
}

#: Those with a column for every label.
BY_LABEL = ("logits", "similarities", "distances", "gate_logits")

#: Those that older bundles have not.
NEWER = ("memberships", "gate_logits")

#: Fields of a circle that are stored as one row of numbers.
MEASURES = ("x_px", "y_px", "radius_px", "quality", "roundness", "sharpness", "off_patch")


#: Bytes of the file, and of what is in it: 0.1 kB a coin.
MAX_FILE_BYTES = 32_000_000
MAX_ARRAY_BYTES = 64_000_000


def _list_rules() -> dict[str, ArrayRule]:
    """What the arrays in the file have to be, by their names."""
    rules = {
        "circles": ArrayRule(FLOATS, 2),
        "surrounds": ArrayRule(FLOATS, 2),
        "alone": ArrayRule(("|b1",), 1),
        "bursts": ArrayRule(INTEGERS, 1),
    }
    for prefix in SETS:
        for name, key in KEYS.items():
            kinds = INTEGERS if name == "labels" else FLOATS
            dimensions = 2 if name in BY_LABEL else 1
            rules[f"{prefix}_{key}"] = ArrayRule(
                kinds, dimensions, may_be_missing=name in NEWER, may_be_nan=True
            )
    return rules


RULES = _list_rules()


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
    if not os.path.lexists(path):
        raise InputError(
            f"bundle {bundle} keeps no answers on held-out coins; name photographs to set its "
            "thresholds on"
        )
    try:
        stored = read_arrays(read_bounded(path, MAX_FILE_BYTES), RULES, MAX_ARRAY_BYTES)
        sets = HeldOutSets(*(_read_set(stored, prefix) for prefix in SETS))
        _check_lengths(stored, sets)
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path}: holds no answers on held-out coins: {error}; make the bundle again, or name "
            "photographs"
        ) from error
    circles = _read_circles(stored)
    groups = stored["bursts"]
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


def _check_lengths(stored: dict[str, np.ndarray], sets: HeldOutSets) -> None:
    """Raises ValueError unless every coin has a value in every array, and every label a column."""
    for one in (sets.held, sets.anomalies):
        arrays = [getattr(one, field.name) for field in fields(HeldOut)]
        if {len(array) for array in arrays} != {len(one)}:
            raise ValueError("its arrays are not of one length")
        labels = one.similarities.shape[1]
        widths = (one.logits.shape[1] - 1, one.distances.shape[1], one.gate_logits.shape[1])
        is_wide_enough = set(widths) == {labels}
        if not is_wide_enough or (one.labels >= labels).any():
            raise ValueError("its arrays are not of the same labels")
    count = len(sets.held)
    shapes = (stored["circles"].shape, stored["surrounds"].shape)
    of_coins = {len(stored["alone"]), len(stored["bursts"])}
    if shapes != ((count, len(MEASURES)), (count, 3)) or of_coins != {count}:
        raise ValueError("its circles are not of the same coins")


def _read_set(stored: Any, prefix: str) -> HeldOut:
    arrays = {name: stored.get(f"{prefix}_{key}") for name, key in KEYS.items()}
    if arrays["memberships"] is None:
        arrays["memberships"] = np.full(len(arrays["labels"]), np.inf)
    if arrays["gate_logits"] is None:
        arrays["gate_logits"] = np.zeros_like(arrays["distances"])
    return HeldOut(**arrays)


def _read_circles(stored: Any) -> tuple[Circle, ...]:
    rows = zip(stored["circles"].tolist(), stored["surrounds"].tolist(), stored["alone"].tolist())
    return tuple(
        Circle(**dict(zip(MEASURES, row)), surround=tuple(surround), alone=alone)
        for row, surround, alone in rows
    )


def _shrink(values: np.ndarray) -> np.ndarray:
    """Floats in single precision, which is all that the evidence is good for."""
    return values.astype(np.float32) if values.dtype.kind == "f" else values
