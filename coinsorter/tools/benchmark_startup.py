"""How long a fresh process takes until it can sort, and how much memory it needs then.

The module is also the program of that process.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.config.schema import BinSettings, Config, FlapSettings, RuntimeSettings
from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.hardware.clock import MonotonicClock
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.images.image_io import encode_image, list_images
from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.recognition.bundle import Bundle, load_bundle
from coinsorter.records import Frame
from coinsorter.sorting.assembly import assemble_machine
from coinsorter.sorting.machine import Machine
from coinsorter.tools.benchmark_pipeline import Pipeline

#: The one flap of the process's machine: any pin and place will do, for its pins are mock ones.
FLAP = FlapSettings(pin=5, distance_mm=300.0)
#: Frames that the process sorts: after the first its memory hardly grows any more.
FRAMES = 8


def measure_start_up(
    bundle: Bundle,
    runtime: str,
    turns: int,
    frames: list[Frame],
    folder: Path,
) -> dict[str, float]:
    """ready_s: from a process's start until it can sort; rss_mb: its memory after some frames.

    folder: an empty one for the frames and the process's ledger.
    """
    images = folder / "images"
    images.mkdir()
    for frame in frames[:FRAMES]:
        path = images / f"{frame.number:04d}.png"
        path.write_bytes(encode_image(frame.pixels, ".png"))
    arguments = [str(bundle.path.resolve()), runtime, str(turns), str(folder)]
    command = [sys.executable, "-m", __name__, *arguments]
    started_at = time.time()
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(process.stdout)
    ready_s = round(answer["ready_at"] - started_at, 3)
    return {"ready_s": ready_s, "rss_mb": answer["rss_mb"]}


def run_fresh_process(
    bundle_path: Path,
    runtime: str,
    turns: int,
    folder: Path,
) -> None:
    """Assemble a machine with mock pins, sort the frames in the folder, and print JSON."""
    bundle = load_bundle(bundle_path)
    camera = FolderCamera(list_images(folder / "images"), frame_s=1.0)
    machine = _assemble_machine(bundle, runtime, turns, camera, folder)
    machine.classifier.check_golden_crops()
    machine.start()
    ready_at = time.time()
    pipeline = Pipeline(bundle, runtime, turns)
    while frame := camera.next_frame():
        pipeline.decide(frame)
    machine.close()
    print(json.dumps({"ready_at": ready_at, "rss_mb": _measure_peak_mb()}))


def _assemble_machine(
    bundle: Bundle,
    runtime: str,
    turns: int,
    camera: FolderCamera,
    folder: Path,
) -> Machine:
    """A machine with one bin for all labels, mock pins and a ledger in the folder."""
    bin_ = BinSettings(name="all", labels=list(bundle.labels), flap=FLAP)
    runtime_settings = RuntimeSettings.model_validate({"turns_per_crop": turns})
    settings = Config(bins=[bin_], runtime=runtime_settings)
    pins = MockFactory(pin_class=MockPWMPin)
    run = RunRecord(str(bundle.path), bundle.digest, runtime)
    return assemble_machine(
        settings,
        bundle,
        runtime,
        camera=camera,
        flaps=Flaps(settings, MockServos(pins)),
        ledger=Ledger(folder / "fresh.db", run),
        clock=MonotonicClock(),
    )


def _measure_peak_mb() -> float:
    """The most memory that this process ever held, MB of a million bytes.

    Linux counts the memory of whoever started a process in its `ru_maxrss`, but not in VmHWM.
    """
    if sys.platform == "darwin":
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)
    status = Path("/proc/self/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    return round(peak_kib * 1024 / 1e6, 1)


if __name__ == "__main__":
    bundle_argument, runtime_argument, turns_argument, folder_argument = sys.argv[1:]
    run_fresh_process(
        Path(bundle_argument),
        runtime_argument,
        int(turns_argument),
        Path(folder_argument),
    )
