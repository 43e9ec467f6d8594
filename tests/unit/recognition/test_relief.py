"""relief: coins are known again by what is struck on them, in any light and however they lie."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.recognition import relief
from coinsorter.recognition.relief import ReliefMatcher, compute_relief_logits
from coinsorter.simulator import coins, currency
from coinsorter.vision.crop import FILL, CropSpec, mask_coin
from tests.conftest import needs_training

needs_training()

from coinsorter.training.export import relief_gallery
from coinsorter.training.samples import from_simulator
from coinsorter.training.samples.samples import Samples

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
LABELS = len(currency.DENOMINATIONS)


@pytest.fixture(scope="module")
def struck() -> Samples:
    """Simulated coins of every denomination, their colours taken away and their sizes unknown."""
    found = from_simulator.simulate_samples(coins.GENUINE, 480, SPEC, (), [5], lambda done: None)
    return replace(
        found,
        crops=np.repeat(found.crops[:].mean(axis=3, keepdims=True).astype(np.uint8), 3, axis=3),
    )


@pytest.fixture(scope="module")
def known(struck) -> relief.Reliefs:
    return relief_gallery.build_gallery(struck.select(np.arange(len(struck)) < 360), SPEC, 40, 1)


@pytest.fixture(scope="module")
def matcher(known) -> ReliefMatcher:
    return ReliefMatcher(known, SPEC, LABELS)


@pytest.fixture(scope="module")
def others(struck) -> Samples:
    return struck.select(np.arange(len(struck)) >= 360)


def named(matcher: ReliefMatcher, crops) -> np.ndarray:
    return np.array([matcher.compare(crop).argmax() for crop in crops])


def test_coins_it_never_saw_are_named_without_colour_or_size(matcher, others):
    assert (named(matcher, others.crops) == others.labels).mean() >= 0.97


def turned(crop: np.ndarray, angle: float) -> np.ndarray:
    place = cv2.getRotationMatrix2D((31.5, 31.5), angle, 1)
    return cv2.warpAffine(crop, place, (64, 64), borderValue=(FILL,) * 3)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 100), angle=st.floats(0, 360))
def test_a_turned_coin_is_as_like(matcher, others, number, angle):
    crop = others.crops[number]
    as_is, then = (
        compute_relief_logits(matcher.compare(crop)),
        compute_relief_logits(matcher.compare(turned(crop, angle))),
    )
    assert then == pytest.approx(as_is, abs=0.35 * float(as_is.max()))


@pytest.mark.parametrize(
    "light",
    [
        lambda crop: crop * 0.5,
        lambda crop: np.minimum(crop * 1.3, 255),
        lambda crop: 255 - crop,  # lit from the other side, hollows shine where rims did
        lambda crop: 255 * (crop / 255) ** 0.7,
        lambda crop: crop * np.linspace(0.6, 1.2, 64)[:, None, None],
    ],
    ids=["dark", "bright", "inverted", "gamma", "sloping"],
)
def test_another_light_changes_little(matcher, others, light):
    crops = np.clip(light(others.crops[:].astype(np.float32)), 0, 255).astype(np.uint8)
    assert (named(matcher, crops) == others.labels).mean() >= 0.93


def test_the_gamma_of_crops_is_taken_out_again(known, matcher, others):
    lifted = np.round(255 * (others.crops[0] / 255) ** 0.5).astype(np.uint8)
    found = compute_relief_logits(
        ReliefMatcher(known, replace(SPEC, gamma=0.5), LABELS).compare(lifted)
    )
    assert found == pytest.approx(compute_relief_logits(matcher.compare(others.crops[0])), abs=0.01)


@pytest.mark.parametrize("grey", [0, FILL, 255])
def test_a_coin_with_nothing_on_it_is_like_none_more_than_another(matcher, others, grey):
    blank = np.where(mask_coin(SPEC)[..., None] > 0, np.uint8(grey), np.uint8(FILL)).repeat(
        3, axis=2
    )
    scores = compute_relief_logits(matcher.compare(blank))
    assert np.abs(scores).max() < 0.3 * np.median(
        [compute_relief_logits(matcher.compare(crop)).max() for crop in others.crops]
    )


def test_foreign_coins_are_less_like_any_label(matcher, others):
    tokens = from_simulator.simulate_samples(
        "token", 60, SPEC, ("gear", "cross", "letters"), [6], lambda done: None
    )
    best = [compute_relief_logits(matcher.compare(crop)).max() for crop in others.crops]
    assert np.median(
        [compute_relief_logits(matcher.compare(crop)).max() for crop in tokens.crops]
    ) < np.quantile(best, 0.1)


def test_a_label_without_known_coins_and_one_with_a_single_one(struck, others):
    few = struck.select(
        (struck.labels == 0) | (np.arange(len(struck)) == np.flatnonzero(struck.labels == 1)[0])
    )
    scores = compute_relief_logits(
        ReliefMatcher(relief_gallery.build_gallery(few, SPEC, 40, 1), SPEC, 3).compare(
            others.crops[0]
        )
    )
    assert scores.shape == (4,) and np.isfinite(scores).all() and scores[2] < max(scores[:2])
