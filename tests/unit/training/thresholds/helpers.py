"""Held-out coins of two labels, invented."""

from dataclasses import replace

import numpy as np

from coinsorter.recognition.bundle import AnomalyScale, Fusion, Label
from coinsorter.training.thresholds.anomaly_fit import fit_anomaly
from coinsorter.training.thresholds.fusion_fit import fit_fusion
from coinsorter.training.thresholds.heldout import HeldOut

LABELS = [
    Label(name="a", value=1, currency="X", diameter_mm=20.0),
    Label(name="b", value=2, currency="X", diameter_mm=25.0),
]


def make_heldout(count: int, wrong: int, seed: int = 0) -> HeldOut:
    """Coins that images name surely, but for the first `wrong`, which look like the other label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    looks = labels.copy()
    looks[:wrong] = 1 - looks[:wrong]
    logits = np.full((count, 3), -6.0, np.float32)
    logits[np.arange(count), looks] = rng.uniform(4, 9, count)
    nominal_mm = np.where(looks == 0, 20.0, 25.0)
    return HeldOut(
        labels=labels,
        logits=logits,
        similarities=np.zeros((count, 2)),
        reconstruction_errors=rng.lognormal(5, 0.2, count),
        defect_logits=np.zeros(count),
        distances=np.zeros((count, 2)),
        gate_logits=np.zeros((count, 2)),
        diameters_mm=nominal_mm * rng.normal(1, 0.002, count),
        scale_sems=np.zeros(count),
        memberships=np.full(count, np.inf),
    )


def make_full_heldout(count: int) -> HeldOut:
    """Coins with every part of the anomaly score."""
    rng = np.random.default_rng(2)
    return replace(
        make_heldout(count, wrong=0),
        similarities=rng.normal(0.8, 0.02, (count, 2)),
        defect_logits=rng.normal(-2, 1, count),
        distances=rng.lognormal(2, 0.2, (count, 2)),
    )


def fit_all(held: HeldOut) -> tuple[dict[str, AnomalyScale], Fusion]:
    """Anomaly scales and fusion of some coins; 1 % may lie beyond a part's reach."""
    return fit_anomaly(held, LABELS, fit_fusion(held, LABELS), 0.01)
