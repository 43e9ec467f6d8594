"""coinsorter bench: what it prints."""

import json

import pytest

from tests.conftest import CROWNS


def test_bench_prints_every_figure(command):
    status, out, _ = command("bench", "--bundle", CROWNS, "--json")
    figures = json.loads(out)
    assert status == 0
    assert set(figures["stages"]) == {
        "segment",
        "track",
        "crop",
        "classifier",
        "autoencoder",
        "decide",
        "ledger",
    }
    assert all(0 < stage["median_ms"] <= stage["p99_ms"] for stage in figures["stages"].values())
    assert figures["kernel_ratio"] == pytest.approx(
        figures["whole_ms"] / figures["kernels_ms"], abs=0.01
    )
    assert figures["coins_per_s"] > 0 and figures["ready_s"] > 0 and figures["rss_mb"] > 10
    assert figures["runtime"] in figures["versions"]
