"""The invented currency."""

from itertools import pairwise

import numpy as np
import pytest

from coinsorter.simulator import currency
from tests.unit.simulator.conftest import MOTIFS, make_rng

FACES = ("obverse", "reverse")


def test_the_currency_of_the_shipped_bundle_is_the_simulators(crowns):
    assert {name: label.diameter_mm for name, label in crowns.labels.items()} == {
        coin.label: coin.diameter_mm for coin in currency.DENOMINATIONS
    }


def test_labels_are_listed_with_the_keys_of_a_recipe():
    labels = currency.list_labels()
    assert [label["name"] for label in labels] == list(currency.DENOMINATION_BY_LABEL)
    assert labels[0] == {
        "name": "bit_10",
        "value": 0.1,
        "currency": "CRN",
        "diameter_mm": 18.0,
        "details": "copper, a leaf",
    }


def test_there_are_eight_denominations_with_two_different_faces_each():
    faces = [
        currency.draw_face(coin.label, face) for coin in currency.DENOMINATIONS for face in FACES
    ]
    assert len(faces) == 16
    assert all(
        np.abs(face - other).mean() > 0.005
        for number, face in enumerate(faces)
        for other in faces[:number]
    )


def test_some_coins_of_nearly_one_size_differ_in_metal():
    by_size = sorted(currency.DENOMINATIONS, key=lambda coin: coin.diameter_mm)
    assert any(
        larger.diameter_mm - smaller.diameter_mm <= 0.5 and smaller.alloy != larger.alloy
        for smaller, larger in pairwise(by_size)
    )


def test_some_coins_of_one_metal_differ_in_size_alone():
    metals = [(coin.alloy, coin.core) for coin in currency.DENOMINATIONS]
    assert len(set(metals)) < len(metals)


@pytest.mark.parametrize("label", currency.DENOMINATION_BY_LABEL)
@pytest.mark.parametrize("face", FACES)
def test_a_relief_is_a_height_from_0_to_1(label, face):
    relief = currency.draw_face(label, face)
    assert relief.dtype == np.float32 and relief.shape == (288, 288)
    assert relief.min() >= 0 and 0.5 < relief.max() <= 1


def test_a_blank_has_a_rim_and_nothing_else():
    blank = currency.draw_blank()
    assert blank[144, 144] == 0 and blank.max() > 0.5
    assert blank[144, 20:268].max() < 0.01


def test_a_plain_disc_is_flat_up_to_its_edge():
    disc = currency.draw_plain_disc()
    assert np.ptp(disc[144, 30:258]) < 1e-6 and disc[144, 144] == pytest.approx(0.2)


def test_tokens_of_different_random_states_differ():
    tokens = [currency.draw_token(make_rng(seed), MOTIFS) for seed in (1, 2)]
    assert np.abs(tokens[0] - tokens[1]).mean() > 0.005


def test_a_bimetal_coin_has_the_core_in_its_middle():
    reflectance = currency.make_reflectance_map("nickel", "brass", 0.68)
    assert reflectance[144, 144] == pytest.approx(currency.ALLOYS["brass"])
    assert reflectance[144, 20] == pytest.approx(currency.ALLOYS["nickel"])
