"""How fast this computer sorts: every stage timed, and the whole against the bare kernels that no code of ours can do without."""

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from coinsorter.config.schema import BinSettings, Config, FlapSettings
from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.hardware.clock import MonotonicClock
from coinsorter.images import list_images
from coinsorter.recognition import bundle as bundles
from coinsorter.recognition import classifier, relief, runtime
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Circle, Decision, Event, Frame, Verdict
from coinsorter.sorting.acceptance import Rules, decide
from coinsorter.sorting.assembly import assemble_machine, build_search
from coinsorter.sorting.ledger import Ledger, RunRecord
from coinsorter.vision import contour, crop, detect, track

PICTURES = 40
ROUNDS = 8
SPEED_MM_S, FRAME_S = 250.0, 1 / 60


def measure_performance(bundle: Bundle, runtime_name: str, turns: int) -> dict[str, Any]:
    """Every figure of `coinsorter bench`; times in milliseconds, on one core. One picture a coin, judged in `turns` quarter turns."""
    with _one_core() as core, tempfile.TemporaryDirectory(prefix="coinsorter-bench-") as folder:
        frames = _frames(bundle)
        line = _Line(bundle, runtime_name, turns)
        stages = _stages(line, frames, Path(folder))
        whole_ms, kernels_ms = _against_kernels(line, frames)
        start_up = _start_up(bundle, runtime_name, turns, frames, Path(folder))
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
        "versions": _versions(runtime_name),
        "bundle": str(bundle.path),
        "bundle_hash": bundle.digest,
    }


def print_figures(figures: dict[str, Any], console: Console) -> None:
    """The figures as a person reads them."""
    table = Table(
        "stage",
        "median ms",
        "99 % ms",
        title=f"{figures['bundle']} on {figures['runtime']}, one core",
        title_justify="left",
    )
    for name, spread in figures["stages"].items():
        table.add_row(name, f"{spread['median_ms']:.3f}", f"{spread['p99_ms']:.3f}")
    console.print(table)
    console.print(
        f"a picture to a decision: {figures['whole_ms']:.3f} ms, that is {figures['coins_per_s']:.0f} coins a second, one picture a coin"
    )
    console.print(
        f"its bare kernels: {figures['kernels_ms']:.3f} ms; the whole is {figures['kernel_ratio']:.2f} times that"
    )
    console.print(
        f"ready after {figures['ready_s']:.2f} s; resident memory at most {figures['rss_mb']:.0f} MB"
    )
    console.print(", ".join(f"{name} {version}" for name, version in figures["versions"].items()))


class _Line:
    """The vision path from a frame to a decision, a stage at a time."""

    def __init__(self, bundle: Bundle, runtime_name: str, turns: int) -> None:
        self.plane = bundle.view
        self.search = build_search(bundle, self.plane)
        self.cut = partial(crop.cut_crop, spec=bundle.crop)
        self.classifier = Classifier(bundle, runtime_name, turns=turns)
        self.rules = Rules(bundle.thresholds, {name: name for name in bundle.labels}, "reject")

    def decide(self, frame: Frame) -> tuple[Verdict, Decision]:
        circles = detect.find_circles(frame.pixels, self.search)
        coin = track.measure_still_coin(frame, circles, self.plane, self.cut)
        if coin is None:
            raise AssertionError("the bench's own pictures show one coin each")
        verdict = self.classifier.classify(coin)
        return verdict, decide(coin, verdict, self.rules)


def _frames(bundle: Bundle) -> list[Frame]:
    """Simulated coins, one in each picture, as the bundle's own camera would show them; from a fixed seed."""
    from coinsorter.simulator.coins import make_genuine_coin
    from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera

    rng = np.random.default_rng(1)
    view = bundle.view
    camera = SimulatedCamera(
        Optics(view.width_px, view.height_px, view.px_per_mm, SPEED_MM_S * 0.0015), rng
    )
    reach_x, reach_y = (
        0.5 * size / view.px_per_mm - 20 for size in (view.width_px, view.height_px)
    )
    places = (
        (rng.uniform(-reach_x, reach_x), rng.uniform(-reach_y, reach_y)) for _ in range(PICTURES)
    )
    return [
        Frame(
            camera.render_frame([(camera.draw_item(make_genuine_coin(rng)), x, y)], 30.0 * i),
            i,
            i * FRAME_S,
        )
        for i, (x, y) in enumerate(places)
    ]


def _stages(line: _Line, frames: list[Frame], folder: Path) -> dict[str, dict[str, float]]:
    circles = [detect.find_circles(frame.pixels, line.search)[0] for frame in frames]
    crops = [
        line.cut(frame.pixels, circle, line.plane.measure_diameter_mm(circle))
        for frame, circle in zip(frames, circles)
    ]
    coins = [
        track.measure_still_coin(frame, [circle], line.plane, line.cut)
        for frame, circle in zip(frames, circles)
    ]
    judged = [
        (line.classifier.gather_evidence(c), coin.diameter_mm)
        for c, coin in zip(crops, coins)
        if coin
    ]
    events = [
        Event(
            0,
            0.0,
            d,
            SPEED_MM_S,
            line.classifier.make_verdict(told, d),
            None,
            Decision("reject", "unsure"),
        )
        for told, d in judged
    ]
    ledger = Ledger(folder / "bench.db", RunRecord("bench", "", ""))
    numbers = iter(range(1, 10**9))
    stages = {
        "segment": _times(lambda frame: detect.find_circles(frame.pixels, line.search), frames),
        "track": _times(*_tracking(line, frames[0], circles[0])),
        "crop": _times(
            lambda pair: line.cut(pair[0].pixels, pair[1], line.plane.measure_diameter_mm(pair[1])),
            list(zip(frames, circles)),
        ),
        **{name: _times(ask, crops) for name, ask in line.classifier.parts.items()},
        "decide": _times(
            lambda i: decide(coins[i], line.classifier.make_verdict(*judged[i]), line.rules),
            range(len(judged)),
        ),  # type: ignore[arg-type]
        "ledger": _times(lambda event: ledger.record(_renumbered(event, next(numbers))), events),
    }
    ledger.close()
    return {name: _spread(times) for name, times in stages.items()}


def _renumbered(event: Event, number: int) -> Event:
    return Event(
        number, *(getattr(event, name) for name in Event.__dataclass_fields__ if name != "coin")
    )


def _tracking(
    line: _Line, frame: Frame, circle: Circle
) -> tuple[Callable[[tuple[Frame, list[Circle]]], Any], list]:
    """A coin that crosses the view over and over, as the tracker sees it."""
    tracker = track.BeltTracker(line.plane, SPEED_MM_S, FRAME_S, line.cut)
    step_px = SPEED_MM_S * FRAME_S * line.plane.px_per_mm
    across = int((line.plane.width_px - 4 * circle.radius_px) / step_px)
    moved = []
    for number in range(PICTURES * 4):
        x_px = 2 * circle.radius_px + number % across * step_px
        fields = {name: getattr(circle, name) for name in Circle.__dataclass_fields__} | {
            "x_px": x_px
        }
        # each crossing starts when the coin before it has long left
        taken_s = number * FRAME_S + number // across * 2.0
        moved.append((Frame(frame.pixels, number, taken_s), [Circle(**fields)]))
    return lambda pair: tracker.update(*pair), moved


def _times(work: Callable[[Any], Any], inputs: Any) -> list[float]:
    """Milliseconds of each call, the first few left out."""
    inputs = list(inputs)
    for value in inputs[:3]:
        work(value)
    times = []
    for value in inputs[3:] * (ROUNDS if len(inputs) <= PICTURES else 1):
        times.append(_milliseconds(partial(work, value)))
    return times


def _spread(times: list[float]) -> dict[str, float]:
    return {
        "median_ms": round(float(np.median(times)), 4),
        "p99_ms": round(float(np.percentile(times, 99)), 4),
    }


def _against_kernels(line: _Line, frames: list[Frame]) -> tuple[float, float]:
    """The median frame's whole way to a decision, and the same OpenCV calls and interpreter invocations in an empty loop, in ms.

    The calls are recorded while the line runs and repeated with the same inputs. Line and loop take turns at the whole row of frames, so
    that both see the same machine, and both come to each frame when it is no longer in the processor's cache.
    """
    whole, bare = [], []
    recorded = [_recorded_calls(line, frame) for frame in frames]
    for _ in range(ROUNDS):
        whole += [_milliseconds(partial(line.decide, frame)) for frame in frames]
        bare += [_milliseconds(partial(_repeat, calls)) for calls in recorded]
    return round(float(np.median(whole)), 4), round(float(np.median(bare)), 4)


def _milliseconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _repeat(calls: list[tuple[Callable, tuple, dict]]) -> None:
    for call, arguments, options in calls:
        call(*arguments, **options)


class _Recorder:
    """Stands in for the cv2 module and remembers every call."""

    def __init__(self, calls: list) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(cv2, name)
        if not callable(real):
            return real

        def call(*arguments: Any, **options: Any) -> Any:
            self._calls.append((real, arguments, options))
            return real(*arguments, **options)

        return call


def _recorded_calls(line: _Line, frame: Frame) -> list[tuple[Callable, tuple, dict]]:
    calls: list[tuple[Callable, tuple, dict]] = []
    users = (detect, contour, crop, classifier, relief)
    try:
        for module in users:
            module.cv2 = _Recorder(calls)  # type: ignore[attr-defined]
        line.decide(frame)
    finally:
        for module in users:
            module.cv2 = cv2  # type: ignore[attr-defined]
    return calls + [(invoke, (), {}) for invoke in line.classifier.invocations]


def _start_up(
    bundle: Bundle, runtime_name: str, turns: int, frames: list[Frame], folder: Path
) -> dict[str, float]:
    """Seconds from the start of a fresh process until it could sort, and its resident memory after it has sorted some pictures."""
    pictures = folder / "pictures"
    pictures.mkdir()
    for frame in frames:
        cv2.imwrite(str(pictures / f"{frame.number:04d}.png"), frame.pixels[..., ::-1])
    program = "import sys; from coinsorter.tools import benchmark; benchmark.measure_fresh_process(*sys.argv[1:])"
    started = time.time()
    command = [
        sys.executable,
        "-c",
        program,
        str(bundle.path.resolve()),
        runtime_name,
        str(turns),
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return {"ready_s": round(told["ready_at"] - started, 3), "rss_mb": told["rss_mb"]}


def measure_fresh_process(bundle_path: str, runtime_name: str, turns: str, folder: str) -> None:
    """What `_start_up` runs: a machine put together with mock pins, then pictures through its eyes; prints JSON."""
    from gpiozero.pins.mock import MockFactory, MockPWMPin

    from coinsorter.hardware.flaps import Flaps
    from coinsorter.hardware.servos.mock import MockServos

    bundle = bundles.load_bundle(Path(bundle_path))
    settings = Config(
        bins=[
            BinSettings(
                name="all", labels=list(bundle.labels), flap=FlapSettings(pin=5, distance_mm=300.0)
            )
        ]
    )
    settings = settings.model_copy(
        update={"runtime": settings.runtime.model_copy(update={"turns_per_crop": int(turns)})}
    )
    camera = FolderCamera(list_images(Path(folder) / "pictures"), FRAME_S)
    ledger = Ledger(
        Path(folder) / "fresh.db", RunRecord(str(bundle.path), bundle.digest, runtime_name)
    )
    flaps = Flaps(settings, MockServos(MockFactory(pin_class=MockPWMPin)))
    machine = assemble_machine(
        settings, bundle, runtime_name, camera, flaps, ledger, MonotonicClock()
    )
    machine.classifier.check_golden_crops()
    machine.start()
    ready_at = time.time()
    line = _Line(bundle, runtime_name, int(turns))
    while frame := camera.next_frame():
        line.decide(frame)
    machine.close()
    print(json.dumps({"ready_at": ready_at, "rss_mb": _resident_mb()}))


def _resident_mb() -> float:
    """Most memory this process ever held, MB of a million bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)


@contextlib.contextmanager
def _one_core() -> Iterator[int | None]:
    """Keeps this process, and what it starts, on one processor core; tells which, or None where the system cannot."""
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


def _versions(runtime_name: str) -> dict[str, str]:
    return {
        "coinsorter": importlib.metadata.version("coinsorter"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        runtime_name: runtime.read_version(runtime_name),
        "machine": f"{platform.machine()} {platform.system()} {platform.release()}",
    }
