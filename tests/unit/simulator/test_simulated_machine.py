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


def test_the_camera_delivers_frames_until_everything_has_landed(simulated):
    frames = []
    while frame := simulated.camera.next_frame():
        frames.append(frame)
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert frames[1].taken_s == pytest.approx(1 / simulated.config.camera.frames_per_s)
    assert simulated.camera.landed == 6
    assert {rider.landed for rider in simulated.belt.riders} == {"reject"}
    assert simulated.clock.now_s() == simulated.camera.heartbeat_s > frames[-1].taken_s


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
