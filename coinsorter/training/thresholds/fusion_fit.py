"""Held-out coins -> weights of classifier, gate, relief and diameter, by maximum likelihood."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from coinsorter.recognition.bundle import Fusion, Label
from coinsorter.robust import mad_std
from coinsorter.training.thresholds.heldout import HeldOut, fuse_heldout

#: Degrees of freedom of the Student-t distribution of diameters: few, so that outliers are allowed.
DEGREES_OF_FREEDOM = 4.0
#: Relative standard deviation of diameters is never taken for less, however near the held-out coins
#: lie: another day's lamp and camera are not the training's.
MIN_DIAMETER_STD = 0.004
#: The most that a bundle may have: beyond, diameters were not measured but guessed.
MAX_DIAMETER_STD = 0.2
#: Bound of the diameter's weight: a diameter is always evidence.
MIN_DIAMETER_WEIGHT = 0.3
#: Relief weight of 1 in the fit: a cosine of 0.01 says about as much as a logit of 1.
RELIEF_UNIT = 100.0

#: Start and bounds of the logarithm of the temperature. A network without a held-out mistake would
#: be trusted ever more; it is never trusted more than its own logits say.
LOG_TEMPERATURE = (0.5, (0.0, 2.0))
#: Start and bounds of the diameter's weight.
DIAMETER_WEIGHT = (0.8, (MIN_DIAMETER_WEIGHT, 1.0))
#: Start and bounds of the relief's weight, in RELIEF_UNIT.
RELIEF_WEIGHT = (1.0, (0.0, 4.0))
#: Start and bounds of the gate's weight.
GATE_WEIGHT = (0.5, (0.0, 4.0))


def fit_fusion(
    held: HeldOut, labels: Sequence[Label], expected_std: float = MIN_DIAMETER_STD
) -> Fusion:
    """Temperature (Guo et al., 2017), weights of diameter, relief and gate, the diameters' scatter.

    held: logits of the classifier alone.
    expected_std: relative, of diameters on the machine where the held-out coins have none; then
    diameters have full weight.
    """
    has_diameters = not np.isnan(held.diameters_mm).any()
    diameter_std = _measure_diameter_std(held, labels) if has_diameters else expected_std
    parameters = {"log_temperature": LOG_TEMPERATURE}
    if has_diameters:
        parameters["diameter_weight"] = DIAMETER_WEIGHT
    if held.similarities.any():
        parameters["relief_weight"] = RELIEF_WEIGHT
    if held.gate_logits.any():
        parameters["gate_weight"] = GATE_WEIGHT

    def build(values: np.ndarray) -> Fusion:
        return _build_fusion(diameter_std, **dict(zip(parameters, values)))

    def loss(values: np.ndarray) -> float:
        return _compute_loss(held, labels, build(values))

    starts = [start for start, _ in parameters.values()]
    bounds = [bound for _, bound in parameters.values()]
    best = minimize(loss, starts, bounds=bounds, method="Nelder-Mead")
    return build(best.x)


def _measure_diameter_std(held: HeldOut, labels: Sequence[Label]) -> float:
    nominal_mm = np.array([label.diameter_mm for label in labels])
    errors = held.diameters_mm / nominal_mm[held.labels] - 1
    return min(max(MIN_DIAMETER_STD, mad_std(errors, center=0.0)), MAX_DIAMETER_STD)


def _build_fusion(
    diameter_std: float,
    log_temperature: float,
    diameter_weight: float = 1.0,
    relief_weight: float = 0.0,
    gate_weight: float = 0.0,
) -> Fusion:
    temperature = float(np.exp(log_temperature))
    return Fusion(
        temperature=round(temperature, 4),
        diameter_std=round(diameter_std, 5),
        degrees_of_freedom=DEGREES_OF_FREEDOM,
        diameter_weight=round(float(diameter_weight), 3),
        relief_weight=round(float(relief_weight) * RELIEF_UNIT, 2),
        gate_weight=round(float(gate_weight), 3),
    )


def _compute_loss(held: HeldOut, labels: Sequence[Label], fusion: Fusion) -> float:
    """Mean negative log likelihood of the true labels."""
    weighed = held.combine(fusion)
    log_posteriors = fuse_heldout(weighed, labels, fusion)
    rows = np.arange(len(held))
    log_likelihoods = log_posteriors[rows, held.labels]
    return -float(np.mean(log_likelihoods))
