"""Memory of a long run: `python -m benchmarks.resident --coins 20000` sorts that many items.

The simulated machine runs with its ledger in a temporary folder. Every so many items the memory
that is resident is printed, in MB of 1024 * 1024 bytes. With `--no-collector` Python's cyclic
garbage collector is off, so that all that is freed is freed by reference counting. 20,000 items
take about an hour on one core.
"""

import argparse
import gc
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from coinsorter.config.load import load_config
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.simulator.simulation_report import ContactSheet

ROOT = Path(__file__).parents[1]
BYTES_PER_MB = 1024 * 1024


@dataclass
class MemoryLog:
    """The memory that is resident, MB, by the number of items that have landed.

    every: items between two samples.
    """

    every: int
    samples: dict[int, float] = field(default_factory=dict)

    def __call__(self, landed: int) -> None:
        step = landed // self.every * self.every
        if step not in self.samples:
            self.samples[step] = read_resident_mb()
            print(f"{step:6} items: {self.samples[step]:.1f} MB", flush=True)


def main(arguments: list[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    if options.no_collector:
        gc.disable()
    samples = list(measure_run(options.coins, options.every).values())
    warm = samples[1:] or samples
    print(f"from {warm[0]:.1f} to {warm[-1]:.1f} MB; at most {max(warm):.1f} MB")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.resident", description=__doc__)
    parser.add_argument("--coins", type=int, default=200, metavar="N", help="items (default: 200)")
    parser.add_argument(
        "--every", type=int, default=50, metavar="N", help="items between samples (default: 50)"
    )
    parser.add_argument("--no-collector", action="store_true", help="without cyclic collection")
    return parser


def measure_run(coins: int, every: int) -> dict[int, float]:
    """Resident memory, MB, by the number of items that have landed."""
    settings = load_config(ROOT / "config.yaml")
    bundle = load_bundle(ROOT / settings.runtime.bundle)
    interpreter = pick_runtime("auto")
    memory = MemoryLog(every)
    with tempfile.TemporaryDirectory() as folder:
        ledger_path = Path(folder) / "ledger.db"
        simulated = SimulatedMachine(settings, bundle, ledger_path, coins, 1, interpreter)
        simulated.run(memory, ContactSheet("a long run"))
    return memory.samples


def read_resident_mb() -> float:
    """What this process holds in memory now, MB. Source: proc(5), statm."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / BYTES_PER_MB


if __name__ == "__main__":
    main()
