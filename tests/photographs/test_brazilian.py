"""Real frames of Brazilian coins, of another day than those that models/brl was trained on."""

import json

import pytest

from coinsorter import cli
from coinsorter.recognition import runtime
from tests.conftest import BRL

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def replays(data, tmp_path_factory):
    """The events of a replay of day2, by runtime, for every runtime that is installed."""
    folder, rows = tmp_path_factory.mktemp("brl"), {}
    for name in runtime.list_runtimes():
        events = folder / f"{name}.jsonl"
        status = cli.main(
            [
                "replay",
                str(data / "brl-frames" / "day2"),
                "--bundle",
                str(BRL),
                "--interpreter",
                name,
                "--events",
                str(events),
                "--json",
            ]
        )
        assert status == 0
        rows[name] = [json.loads(line) for line in events.read_text().splitlines()]
    return rows


@pytest.mark.parametrize("name", [runtime.LITERT, runtime.TFLITE_RUNTIME])
def test_nearly_every_frame_shows_one_coin_that_is_accepted_and_right(replays, name):
    if name not in replays:
        pytest.skip(f"{name} is not installed for this Python")
    rows = replays[name]
    assert len(rows) == 932
    accepted = [row for row in rows if row["accepted"]]
    wrong = [row for row in accepted if row["predicted"] != row["label"]]
    print(f"{name}: {len(accepted)} of 932 accepted, {len(wrong)} wrong")
    assert sum(row["reason"] == "no-coin" for row in rows) <= 0.005 * 932
    assert len(accepted) >= 0.95 * 932
    assert len(wrong) <= 0.005 * len(accepted)


def test_both_runtimes_decide_alike(replays):
    if len(replays) < 2:
        pytest.skip(f"only {', '.join(replays)} is installed for this Python")
    one, other = (
        [(row["predicted"], row["accepted"]) for row in rows] for rows in replays.values()
    )
    different = sum(a != b for a, b in zip(one, other))
    print(f"{different} of 932 decisions differ")
    assert different <= 0.005 * 932
