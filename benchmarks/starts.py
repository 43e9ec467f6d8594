"""Signals at random instants of the machine as a service: `python -m benchmarks.starts`.

Real processes with mock servos and a recorded belt, from the start on and while they sort. SIGTERM
and SIGINT have to end each within 2 s, without a traceback and with a status that is documented.
A SIGINT in the first hundredths of a second may meet Python itself, before it has opened a file of
the program; its own traceback is counted apart. After kill -9 the next start has to have its flaps
at rest within 1 s. Ends with 1 where one is missed.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2

from benchmarks.measured import heed_signals
from coinsorter.config.load import load_config
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.simulator.simulated_machine import SimulatedMachine
from tests.conftest import CONFIG, CROWNS, ROOT

#: The bars, seconds.
STOP_BAR_S = 2.0
REST_BAR_S = 1.0
#: What a machine may end with that is stopped: 0 where it sorted, else the signal's own status.
#: Before the program's first line the signal itself ends it, which a shell reports as that status.
STATUSES = {signal.SIGTERM: (0, 143, -15), signal.SIGINT: (0, 130, -2)}
#: What the log says when the flaps have been brought to rest.
AT_REST = "flaps at rest"
#: Seconds after which a process is given up.
HANGS_S = 60.0


@dataclass(frozen=True)
class Ending:
    """How a process ended that was sent a signal so long after its start."""

    number: signal.Signals
    after_s: float
    took_s: float
    status: int
    log: str

    @property
    def is_right(self) -> bool:
        """Whether it ended without a traceback and with a documented status."""
        is_quiet = "Traceback" not in self.log and "Exception ignored" not in self.log
        return is_quiet and self.status in STATUSES[self.number]

    @property
    def is_before_program(self) -> bool:
        """Whether it ended in Python's own start: no line of the traceback is in a file."""
        lines = self.log.splitlines()
        places = [line.strip() for line in lines if line.startswith("  File ")]
        is_own = bool(places) and all(place.startswith('File "<frozen ') for place in places)
        return is_own and lines[0].startswith("Traceback") and self.status == -signal.SIGINT


def main() -> int:
    options = _read_options()
    random_numbers = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        config = record_machine(Path(place))
        endings = []
        for _ in range(options.stops):
            number = random_numbers.choice((signal.SIGTERM, signal.SIGINT))
            after_s = random_numbers.uniform(0, options.within_s)
            endings.append(stop_machine(config, number, after_s))
        instants_s = [random_numbers.uniform(0, options.within_s) for _ in range(options.kills)]
        rests_s = [kill_machine(config, after_s) for after_s in instants_s]
    return _report(endings, rests_s)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.starts", description=__doc__)
    parser.add_argument("--stops", type=int, default=200, help="SIGTERM or SIGINT (default: 200)")
    parser.add_argument("--kills", type=int, default=20, help="kill -9 (default: 20)")
    parser.add_argument("--within-s", type=float, default=4.0, help="the latest instant, seconds")
    parser.add_argument("--seed", type=int, default=1, help="of the random instants (default: 1)")
    return parser.parse_args()


def record_machine(folder: Path) -> Path:
    """Records a simulated belt; the path of settings that sort it with mock servos."""
    settings, bundle = load_config(CONFIG), load_bundle(CROWNS)
    simulated = SimulatedMachine(settings, bundle, folder / "s.db", 10, 3, pick_runtime("auto"))
    (folder / "frames").mkdir()
    while frame := simulated.camera.next_frame():
        cv2.imwrite(str(folder / "frames" / f"{frame.number:05}.jpg"), frame.pixels[..., ::-1])
    text = CONFIG.read_text().replace("models/crowns", str(CROWNS))
    text = text.replace("driver: gpio ", "driver: mock ").replace("source: pi ", "source: folder ")
    path = folder / "config.yaml"
    path.write_text(text.replace("folder: null ", "folder: frames "))
    return path


def stop_machine(config: Path, number: signal.Signals, after_s: float) -> Ending:
    """Starts the machine, sends it a signal and waits for its end."""
    with (config.parent / "log").open("w+") as log:
        process = _start(config, log.fileno())
        time.sleep(after_s)
        sent_s = time.monotonic()
        process.send_signal(number)
        try:
            status = process.wait(HANGS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        took_s = time.monotonic() - sent_s
        log.seek(0)
        return Ending(number, after_s, took_s, status, log.read())


def kill_machine(config: Path, after_s: float) -> float:
    """Kills the machine, starts it again and returns how long its flaps were not at rest, s."""
    process = _start(config, subprocess.DEVNULL)
    time.sleep(after_s)
    process.kill()
    process.wait()
    started_s = time.monotonic()
    with _start(config, subprocess.PIPE) as again:
        assert again.stderr is not None
        for line in again.stderr:
            if AT_REST in line:
                break
        rest_s = time.monotonic() - started_s
        again.kill()
    return rest_s


def _start(config: Path, log: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "coinsorter", "run", "--config", str(config)]
    return subprocess.Popen(
        words,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=log,
        text=True,
        preexec_fn=heed_signals,
    )


def _report(endings: list[Ending], rests_s: list[float]) -> int:
    missed = [ending for ending in endings if not ending.is_right]
    wrong = [ending for ending in missed if not ending.is_before_program]
    for ending in wrong:
        name = ending.number.name
        print(f"{name} after {ending.after_s:.3f} s: status {ending.status}: {ending.log[-600:]}")
    slowest_s = max((ending.took_s for ending in endings), default=0.0)
    before = len(missed) - len(wrong)
    print(f"{len(endings)} stops: {len(wrong)} wrong, slowest {slowest_s:.2f} s (bar {STOP_BAR_S})")
    print(f"{before} SIGINT before the program's first line, with Python's own traceback")
    rest_s = max(rests_s, default=0.0)
    print(f"{len(rests_s)} kills: flaps at rest after {rest_s:.2f} s at most (bar {REST_BAR_S})")
    return 1 if wrong or slowest_s > STOP_BAR_S or rest_s > REST_BAR_S else 0


if __name__ == "__main__":
    sys.exit(main())
