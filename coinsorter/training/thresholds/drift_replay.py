"""Held-out coins -> their diameters as a machine would have measured them that follows its scale.

The camera may be touched between days. So thresholds are set on several days: the one on which the
coins were taken, and others made of its bursts.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from coinsorter.recognition.bundle import Fusion, Label
from coinsorter.recognition.fusion import compute_log_posteriors
from coinsorter.records import Circle
from coinsorter.training.thresholds.heldout import HeldOut
from coinsorter.vision.scale import PRIOR, ScaleFollower, ScalePlane, names_coin

#: Days on which the same coins come in other orders.
OTHER_DAYS = 12
#: Stream of random numbers for the other days.
DAYS_STREAM = 6


def replay_days(
    held: HeldOut,
    circles: Sequence[Circle],
    groups: np.ndarray,
    plane: ScalePlane,
    labels: Sequence[Label],
    fusion: Fusion,
    seed: int,
) -> list[HeldOut]:
    """The coins as measured on the day they were taken, then on OTHER_DAYS made of its bursts.

    held: with the reliefs' share in the logits. circles, groups: outline and burst of each coin, in
    the order taken. On the other days the bursts come in another order, before a camera whose scale
    is as far off the plane as a follower expects at first.
    """
    rng = np.random.default_rng([seed, DAYS_STREAM])
    days = [replay_day(held, circles, plane, labels, fusion)]
    for _ in range(OTHER_DAYS):
        order = _shuffle_bursts(groups, rng)
        moved = _move_camera(plane, fusion.diameter_std, rng)
        moved_circles = [circles[place] for place in order]
        days.append(replay_day(held.select(order), moved_circles, moved, labels, fusion))
    return days


def replay_day(
    held: HeldOut,
    circles: Sequence[Circle],
    plane: ScalePlane,
    labels: Sequence[Label],
    fusion: Fusion,
) -> HeldOut:
    """The same coins with diameters and scale errors as a machine has them that follows its scale.

    The machine starts with the plane, and does not know the labels.
    held: with the reliefs' share in the logits. circles: of the coins, in the order taken.
    """
    follower = ScaleFollower(plane, fusion.diameter_std)
    nominal_mm = [label.diameter_mm for label in labels]
    measures = []
    for circle, logits in zip(circles, held.logits.tolist()):
        diameter_mm = follower.plane.measure_diameter_mm(circle)
        scale_sem = follower.plane.scale_sem_at(circle.x_px, circle.y_px)
        measures.append((diameter_mm, scale_sem))
        posteriors = compute_log_posteriors(logits, diameter_mm, scale_sem, nominal_mm, fusion)
        probabilities = np.exp(np.array(posteriors.fused[:-1]))
        image_confidence = np.exp(posteriors.image[probabilities.argmax()])
        if names_coin(image_confidence):
            follower.follow(circle, nominal_mm, probabilities)
    diameters_mm, scale_sems = np.array(measures).T
    return replace(held, diameters_mm=diameters_mm, scale_sems=scale_sems)


def _shuffle_bursts(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The coins' places with their bursts in a random order: int (n,)."""
    shuffled = rng.permutation(np.unique(groups))
    return np.concatenate([np.flatnonzero(groups == group) for group in shuffled])


def _move_camera(plane: ScalePlane, diameter_std: float, rng: np.random.Generator) -> ScalePlane:
    scale, along, across = rng.normal(0, np.array(PRIOR) * diameter_std)
    return replace(
        plane,
        px_per_mm=plane.px_per_mm * (1 + scale),
        tilt_along=plane.tilt_along + along,
        tilt_across=plane.tilt_across + across,
    )
