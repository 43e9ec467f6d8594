"""The simulated machine from end to end."""

import pytest

from coinsorter.recognition import runtime
from coinsorter.simulator.simulated_machine import UNSEEN_MOTIFS, SimulatedMachine
from tests.conftest import ROOT, needs_training


@pytest.fixture
def simulated(config, crowns, tmp_path):
    return SimulatedMachine(
        config, crowns, tmp_path / "ledger.db", 6, 3, runtime.pick_runtime("auto")
    )


def test_tokens_on_the_belt_bear_motifs_that_the_shipped_recipes_never_show():
    needs_training()
    from coinsorter.training import recipe

    for path in (ROOT / "models").glob("*.yaml"):
        assert not set(recipe.load_recipe(path).motifs) & set(UNSEEN_MOTIFS)


def test_servos_are_somewhat_faster_than_configured(simulated):
    fractions = [servo.travel_fraction for servo in simulated.belt.servos.values()]
    assert all(0.7 <= fraction <= 1 for fraction in fractions)
    assert set(simulated.belt.servos) == {bin_.name for bin_ in simulated.config.bins}


def test_a_run_sorts_every_item_and_tells_of_each(simulated):
    landed, sorted_coins = [], []
    result = simulated.run(landed.append, sorted_coins.append)
    assert landed[-1] == len(sorted_coins) == result.objects == 6
    assert result.ledger_matches and result.fault is None
    assert result.wrong == result.foreign_accepted == 0
    assert result.cpu_ms_per_coin > 0 and result.belt_s > 1
