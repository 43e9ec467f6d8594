"""The benchmark's figures."""

import io
import os

import cv2
import pytest
from rich.console import Console

from coinsorter.recognition import runtime
from coinsorter.tools.benchmark import measure_performance, print_figures, use_one_core

STAGES = ("segment", "track", "crop", "classifier", "autoencoder", "decide", "ledger")


@pytest.fixture(scope="module")
def figures(crowns):
    return measure_performance(crowns, runtime.pick_runtime("auto"), 4)


def test_every_stage_is_timed(figures):
    assert tuple(figures["stages"]) == STAGES
    assert all(0 < stage["median_ms"] <= stage["p99_ms"] for stage in figures["stages"].values())


def test_the_whole_is_compared_with_its_kernels(figures):
    assert figures["kernels_ms"] > 0
    ratio = figures["whole_ms"] / figures["kernels_ms"]
    assert figures["kernel_ratio"] == pytest.approx(ratio, abs=0.001)
    assert figures["coins_per_s"] == pytest.approx(1000 / figures["whole_ms"], abs=0.1)


def test_what_was_measured_is_named(figures, crowns):
    assert figures["bundle_hash"] == crowns.digest and figures["turns_per_picture"] == 4
    assert {"python", "opencv", figures["runtime"]} <= set(figures["versions"])


def test_the_process_may_use_its_cores_and_threads_again():
    cores, threads = os.sched_getaffinity(0), cv2.getNumThreads()
    with use_one_core() as core:
        assert os.sched_getaffinity(0) == {core} and cv2.getNumThreads() == 1
    assert os.sched_getaffinity(0) == cores and cv2.getNumThreads() == threads


def test_the_figures_are_printed(figures):
    console = Console(file=io.StringIO(), width=160)
    print_figures(figures, console)
    text = console.file.getvalue()
    for words in (*STAGES, "a frame to a decision", "its kernels alone", "resident memory"):
        assert words in text
