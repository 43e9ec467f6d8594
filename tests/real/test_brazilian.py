"""Real frames of Brazilian coins, taken on another day than those that models/brl was trained on."""

import json

import pytest

from coinsorter import cli, runtime
from tests.conftest import BRL

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=[runtime.LITERT, runtime.TFLITE_RUNTIME])
def replayed(request, data, tmp_path_factory):
    if request.param not in runtime.available():
        pytest.skip(f"{request.param} is not installed for this Python")
    events = tmp_path_factory.mktemp("brl") / f"{request.param}.jsonl"
    status = cli.main(["replay", str(data / "brl-frames" / "day2"), "--bundle", str(BRL), "--interpreter", request.param, "--events", str(events), "--json"])
    assert status == 0
    return request.param, [json.loads(line) for line in events.read_text().splitlines()]


def test_nearly_every_frame_shows_one_coin_that_is_accepted_and_right(replayed):
    name, rows = replayed
    assert len(rows) == 932
    accepted = [row for row in rows if row["accepted"]]
    wrong = [row for row in accepted if row["predicted"] != row["label"]]
    print(f"{name}: {len(accepted)} of 932 accepted, {len(wrong)} wrong")
    assert sum(row["reason"] == "no-coin" for row in rows) <= 0.005 * 932
    assert len(accepted) >= 0.95 * 932
    assert len(wrong) <= 0.005 * len(accepted)


SEEN: dict[str, list] = {}


def test_both_runtimes_decide_alike(replayed):
    name, rows = replayed
    SEEN[name] = [(row["predicted"], row["accepted"]) for row in rows]
    if len(SEEN) < 2:
        pytest.skip("only one runtime has run so far")
    different = sum(a != b for a, b in zip(*SEEN.values()))
    print(f"{different} of 932 decisions differ")
    assert different <= 0.005 * 932
