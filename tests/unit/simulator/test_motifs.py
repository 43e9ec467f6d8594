"""The motifs of coins and of tokens."""

import numpy as np
import pytest

from coinsorter.simulator.currency import DENOMINATIONS
from coinsorter.simulator.masks import measure_radii
from coinsorter.simulator.motifs import FOREIGN_MOTIFS, MOTIFS
from tests.unit.simulator.conftest import make_rng


def test_every_denomination_has_a_motif_of_its_own():
    assert {coin.motif for coin in DENOMINATIONS} == set(MOTIFS)
    assert len(DENOMINATIONS) == len(MOTIFS)


@pytest.mark.parametrize("name", MOTIFS)
def test_a_motif_stays_inside_of_the_legend(name):
    mask = MOTIFS[name]()
    assert 2000 < np.count_nonzero(mask) < 30_000
    assert measure_radii()[mask > 127].max() < 0.7


@pytest.mark.parametrize("name", FOREIGN_MOTIFS)
def test_a_foreign_motif_depends_on_the_random_state_alone(name):
    draw = FOREIGN_MOTIFS[name]
    assert np.array_equal(draw(make_rng(1)), draw(make_rng(1)))
    assert any(not np.array_equal(draw(make_rng(1)), draw(make_rng(seed))) for seed in (2, 3, 4))


@pytest.mark.parametrize("name", FOREIGN_MOTIFS)
@pytest.mark.parametrize("seed", range(3))
def test_a_foreign_motif_is_no_coins(name, seed):
    mask = FOREIGN_MOTIFS[name](make_rng(seed))
    assert mask.any()
    assert all(np.abs(mask.astype(int) - own()).mean() > 2 for own in MOTIFS.values())
