"""How fast this computer sorts: each stage timed, and all of it against the kernels alone.

The kernels are the OpenCV calls and interpreter invocations that no code of ours can do without.
"""

import contextlib
import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.recognition import runtime
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Evidence
from coinsorter.records import Circle, Coin, Decision, Event, Frame
from coinsorter.sorting.acceptance import decide
from coinsorter.tools.benchmark_frames import FRAME_S, FRAMES, SPEED_MM_S, render_frames
from coinsorter.tools.benchmark_pipeline import Pipeline
from coinsorter.tools.benchmark_startup import measure_start_up
from coinsorter.tools.kernel_recorder import KernelRecorder
from coinsorter.vision.track import BeltTracker

#: How often every input of a stage is timed.
ROUNDS = 5
#: Inputs that are run before anything is timed, to warm up.
WARM_UP = 3
#: Time from one crossing coin to the next, s: by then the tracker has long dropped the first.
CROSSING_GAP_S = 2.0

T = TypeVar("T")
#: Times of the stages by name; each has its median and 99th percentile in ms.
Stages = dict[str, dict[str, float]]


def measure_performance(bundle: Bundle, runtime_name: str, turns: int) -> dict[str, Any]:
    """Every figure of `coinsorter bench`; times in ms, on one core.

    There is one frame of each coin, and its crop is classified in `turns` quarter turns.
    """
    with use_one_core() as core, _make_folder() as folder:
        frames = render_frames(bundle)
        pipeline = Pipeline(bundle, runtime_name, turns)
        stages = _time_stages(pipeline, frames, folder)
        whole_ms, kernels_ms = _compare_with_kernels(pipeline, frames)
        start_up = measure_start_up(bundle, runtime_name, turns, frames, folder)
    return {
        "stages": stages,
        "whole_ms": whole_ms,
        "kernels_ms": kernels_ms,
        "kernel_ratio": round(whole_ms / kernels_ms, 3),
        "coins_per_s": round(1000 / whole_ms, 1),
        "pictures_per_coin": 1,
        "turns_per_picture": turns,
        **start_up,
        "runtime": runtime_name,
        "core": core,
        "versions": _list_versions(runtime_name),
        "bundle": str(bundle.path),
        "bundle_hash": bundle.digest,
    }


@contextlib.contextmanager
def _make_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="coinsorter-bench-") as folder:
        yield Path(folder)


def _time_stages(pipeline: Pipeline, frames: list[Frame], folder: Path) -> Stages:
    """Each stage by itself, on what the stages before it made of the frames."""
    circles = [pipeline.find(frame)[0] for frame in frames]
    pairs = list(zip(frames, circles))
    crops = [pipeline.crop(frame, circle) for frame, circle in pairs]
    coins = [pipeline.measure(frame, [circle]) for frame, circle in pairs]
    evidence = [pipeline.classifier.gather_evidence(crop) for crop in crops]
    findings = list(zip(coins, evidence))
    stages = {
        "segment": _time_calls(pipeline.find, frames),
        "track": _time_tracker(pipeline, frames[0], circles[0]),
        "crop": _time_calls(lambda pair: pipeline.crop(*pair), pairs),
    }
    for name, run_part in pipeline.classifier.parts.items():
        stages[name] = _time_calls(run_part, crops)
    stages["decide"] = _time_calls(partial(_decide, pipeline), findings)
    stages["ledger"] = _time_ledger(pipeline, findings, folder)
    return {name: _summarize(times_ms) for name, times_ms in stages.items()}


def _decide(pipeline: Pipeline, finding: tuple[Coin, Evidence]) -> Decision:
    coin, evidence = finding
    verdict = pipeline.classifier.make_verdict(evidence, coin.diameter_mm)
    return decide(coin, verdict, pipeline.rules)


def _time_tracker(pipeline: Pipeline, frame: Frame, circle: Circle) -> list[float]:
    """A coin that crosses the view over and over, as the tracker sees it."""
    tracker = BeltTracker(pipeline.plane, SPEED_MM_S, FRAME_S, pipeline.cut)
    sightings = [_move_coin(pipeline, frame, circle, number) for number in range(FRAMES * 4)]
    return _time_calls(lambda sighting: tracker.update(*sighting), sightings)


def _move_coin(
    pipeline: Pipeline,
    frame: Frame,
    circle: Circle,
    number: int,
) -> tuple[Frame, list[Circle]]:
    """The frame with this number, and the circle where the coin is in it."""
    step_px = SPEED_MM_S * FRAME_S * pipeline.plane.px_per_mm
    way_px = pipeline.plane.width_px - 4 * circle.radius_px
    steps = int(way_px / step_px)
    crossing, step = divmod(number, steps)
    x_px = 2 * circle.radius_px + step * step_px
    taken_s = number * FRAME_S + crossing * CROSSING_GAP_S
    moved = replace(circle, x_px=x_px)
    return Frame(frame.pixels, number, taken_s), [moved]


def _time_ledger(
    pipeline: Pipeline,
    findings: list[tuple[Coin, Evidence]],
    folder: Path,
) -> list[float]:
    """Rows of coins, each on the disk before the next is written."""
    events = []
    for number in range(1, ROUNDS * len(findings) + 1):
        coin, evidence = findings[number % len(findings)]
        events.append(_make_event(pipeline, number, coin, evidence))
    ledger = Ledger(folder / "bench.db", RunRecord("bench", "", ""))
    times_ms = _time_calls(ledger.record, events)
    ledger.close()
    return times_ms


def _make_event(
    pipeline: Pipeline,
    number: int,
    coin: Coin,
    evidence: Evidence,
) -> Event:
    return Event(
        coin=number,
        seen_s=0.0,
        diameter_mm=coin.diameter_mm,
        speed_mm_s=SPEED_MM_S,
        verdict=pipeline.classifier.make_verdict(evidence, coin.diameter_mm),
        thresholds=None,
        decision=Decision("reject", "unsure"),
    )


def _time_calls(work: Callable[[T], Any], inputs: Sequence[T]) -> list[float]:
    """Milliseconds of each call, the first few left out; few inputs are taken ROUNDS times."""
    inputs = list(inputs)
    for value in inputs[:WARM_UP]:
        work(value)
    rounds = ROUNDS if len(inputs) <= FRAMES else 1
    timed_inputs = inputs[WARM_UP:] * rounds
    return [_time_ms(partial(work, value)) for value in timed_inputs]


def _time_ms(work: Callable[[], Any]) -> float:
    start_s = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start_s)


def _summarize(times_ms: list[float]) -> dict[str, float]:
    median_ms = float(np.median(times_ms))
    p99_ms = float(np.percentile(times_ms, 99))
    return {"median_ms": round(median_ms, 4), "p99_ms": round(p99_ms, 4)}


def _compare_with_kernels(pipeline: Pipeline, frames: list[Frame]) -> tuple[float, float]:
    """The median frame's whole way to a decision, and its kernels in an empty loop, in ms.

    The calls are recorded while the pipeline runs and repeated with the same inputs. Pipeline and
    loop take turns at all frames, so that both see the same computer, and both come to each frame
    when it is no longer in the processor's cache.
    """
    recorders = [_record_kernels(pipeline, frame) for frame in frames]
    whole_ms = []
    kernels_ms = []
    for _ in range(ROUNDS):
        whole_ms += [_time_ms(partial(pipeline.decide, frame)) for frame in frames]
        kernels_ms += [_time_ms(recorder.repeat) for recorder in recorders]
    whole_median_ms = float(np.median(whole_ms))
    kernels_median_ms = float(np.median(kernels_ms))
    return round(whole_median_ms, 4), round(kernels_median_ms, 4)


def _record_kernels(pipeline: Pipeline, frame: Frame) -> KernelRecorder:
    recorder = KernelRecorder()
    with recorder.record():
        pipeline.decide(frame)
    recorder.calls += pipeline.classifier.invocations
    return recorder


@contextlib.contextmanager
def use_one_core() -> Iterator[int | None]:
    """Keep this process, and what it starts, on one core: yields which; None if it cannot be."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    core = max(allowed) if allowed else None
    try:
        if core is not None:
            os.sched_setaffinity(0, {core})
        yield core
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)
        cv2.setNumThreads(threads)


def _list_versions(runtime_name: str) -> dict[str, str]:
    return {
        "coinsorter": importlib.metadata.version("coinsorter"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        runtime_name: runtime.read_version(runtime_name),
        "machine": f"{platform.machine()} {platform.system()} {platform.release()}",
    }


def print_figures(figures: dict[str, Any], console: Console) -> None:
    """Print the figures as a person reads them."""
    console.print(_build_table(figures))
    console.print(
        f"a frame to a decision: {figures['whole_ms']:.3f} ms, "
        f"that is {figures['coins_per_s']:.0f} coins a second, one frame a coin"
    )
    console.print(
        f"its kernels alone: {figures['kernels_ms']:.3f} ms; "
        f"the whole is {figures['kernel_ratio']:.2f} times that"
    )
    console.print(
        f"ready after {figures['ready_s']:.2f} s; "
        f"resident memory at most {figures['rss_mb']:.0f} MB"
    )
    versions = [f"{name} {version}" for name, version in figures["versions"].items()]
    console.print(", ".join(versions))


def _build_table(figures: dict[str, Any]) -> Table:
    table = Table(
        "stage",
        "median ms",
        "99 % ms",
        title=f"{figures['bundle']} on {figures['runtime']}, one core",
        title_justify="left",
    )
    for name, stage in figures["stages"].items():
        median_ms = f"{stage['median_ms']:.3f}"
        p99_ms = f"{stage['p99_ms']:.3f}"
        table.add_row(name, median_ms, p99_ms)
    return table
