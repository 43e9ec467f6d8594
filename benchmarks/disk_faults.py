"""What the machine does when the ledger's disk fails: `python -m benchmarks.disk_faults`.

First many simulated machines sort over a disk with random faults, each of which passes: no row may
be missing or there twice, and no flap may open for a coin without a row. Then, with --real,
`coinsorter run` sorts in a process of its own while its disk hangs, fails or is locked; printed is
after how long it noticed, after how long it went on, and how long SIGTERM took meanwhile.
"""

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2

from coinsorter.config.load import load_config
from coinsorter.errors import InputError
from coinsorter.ledger.queries import read_rows, read_totals
from coinsorter.recognition.bundle import Bundle, load_bundle
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.simulator.simulated_disk import DiskFault
from coinsorter.simulator.simulated_machine import SimulatedMachine
from tests.conftest import CONFIG, CROWNS, ROOT
from tests.unit.ledger.stepped_ledger import give_disk
from tests.unit.sorting.conftest import run_empty_belt, see_the_truth

PASSING = [fault for fault in DiskFault if fault is not DiskFault.DAMAGED]
#: Seconds that a fault lasts, and that the disk is sound before the next one.
FAULT_S = (0.01, 3.0)
SOUND_S = (0.5, 6.0)
#: Part of the faults in which the disk hangs and reports nothing.
HANGING_PART = 0.2
#: Seconds after which a scenario has failed.
PATIENCE_S = 90.0

#: Put before the program: a file named `fault` says what the disk does from now on.
INJECTION = """
import pathlib, sqlite3, time
place = pathlib.Path(__file__).with_name("fault")
CODES = {"full": ("database or disk is full", 13), "io": ("disk I/O error", 10),
    "read-only": ("attempt to write a readonly database", 8)}
def meet(when):
    fault = place.read_text() if place.exists() else ""
    while when == "commit" and fault == "hangs" and place.exists():
        time.sleep(0.02)
    if when == "commit" and fault.startswith("takes "):
        time.sleep(float(fault.split()[1]))
    if when == "begin" and fault in CODES:
        error = sqlite3.OperationalError(CODES[fault][0])
        error.sqlite_errorcode = CODES[fault][1]
        raise error
class Connection(sqlite3.Connection):
    def execute(self, sql, *rest):
        if sql.startswith("BEGIN"):
            meet("begin")
        return super().execute(sql, *rest)
    def __exit__(self, *error):
        if not error[0]:
            meet("commit")
        return super().__exit__(*error)
connect = sqlite3.connect
def connect_faulty(*words, factory=Connection, **named):
    return connect(*words, factory=Connection, **named)
sqlite3.connect = connect_faulty
"""
LOCKING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@dataclass
class Figures:
    """What came of simulated machines over failing disks."""

    coins: int = 0
    faults: int = 0
    missing: int = 0
    twice: int = 0
    uncertain: int = 0
    unequal: int = 0
    openings: int = 0
    without_row: int = 0
    needs_person: int = 0


def main() -> None:
    options = read_options()
    logging.disable(logging.WARNING)
    figures = Figures()
    bundle = load_bundle(CROWNS)
    for seed in range(options.seeds):
        sort_over_faults(bundle, options.coins, seed, figures)
        print(f"\r{figures.coins} coins, {figures.faults} faults", end="", flush=True)
    print(
        f"\r{figures.coins} coins, {figures.faults} faults that passed: {figures.missing} rows "
        f"missing, {figures.twice} twice, {figures.uncertain} uncertain; {figures.openings} flaps "
        f"opened, {figures.without_row} without a row on the disk; {figures.needs_person} machines "
        f"that needed a person, {figures.unequal} whose seen is not bins + rejects + uncertain"
    )
    if options.real is not None:
        for name in [name for name in SCENARIOS if options.real in name]:
            print_scenario(name)
    bad = figures.missing + figures.twice + figures.without_row + figures.unequal
    sys.exit(1 if bad + figures.needs_person else 0)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disk_faults")
    parser.add_argument("--seeds", type=int, default=3, help="simulated machines (default: 3)")
    parser.add_argument("--coins", type=int, default=60, help="coins of each (default: 60)")
    parser.add_argument(
        "--real",
        nargs="?",
        const="",
        metavar="WORD",
        help="the program itself too, 6 minutes; or only with the faults whose name has a word",
    )
    return parser.parse_args()


# Simulated machines.


def sort_over_faults(bundle: Bundle, coins: int, seed: int, figures: Figures) -> None:
    """Sorts over a disk with random faults; adds to the figures."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "ledger.db"
        config = load_config(CONFIG)
        simulated = SimulatedMachine(config, bundle, path, coins, seed, pick_runtime("auto"))
        see_the_truth(simulated, bundle)
        drive(simulated, random.Random(seed), figures)
        count_rows(simulated, figures)


def drive(simulated: SimulatedMachine, dice: random.Random, figures: Figures) -> None:
    disk, ledger = give_disk(simulated)
    watch_flaps(simulated, figures)
    machine, change_s = simulated.machine, dice.uniform(*SOUND_S)
    machine.start()
    while machine.step():
        if simulated.clock.now_s() <= change_s:
            continue
        is_sound = disk.fault is None and not ledger.hangs
        figures.faults += is_sound
        ledger.hangs = is_sound and dice.random() < HANGING_PART
        disk.fault = dice.choice(PASSING) if is_sound and not ledger.hangs else None
        change_s += dice.uniform(*(FAULT_S if is_sound else SOUND_S))
    disk.fault, ledger.hangs = None, False
    run_empty_belt(simulated)
    figures.needs_person += machine.failure is not None


def watch_flaps(simulated: SimulatedMachine, figures: Figures) -> None:
    """Counts the openings, and those for a coin whose row no other connection sees."""
    machine = simulated.machine
    move = machine.flaps.move

    def move_and_look(bin: str, open: bool) -> None:
        if open:
            rows = {row["coin"] for row in read_rows(simulated.ledger_path)}
            rides = [ride for ride in machine.schedule._rides if ride.opened and ride.bin == bin]
            figures.openings += 1
            figures.without_row += not rides or any(ride.coin not in rows for ride in rides)
        move(bin, open)

    machine.flaps.move = move_and_look


def count_rows(simulated: SimulatedMachine, figures: Figures) -> None:
    counts = Counter(row["coin"] for row in read_rows(simulated.ledger_path))
    seen = simulated.machine.coins_seen
    totals = read_totals(simulated.ledger_path)
    figures.coins += seen
    figures.missing += seen - len(counts)
    figures.twice += sum(count > 1 for count in counts.values())
    figures.uncertain += totals["uncertain"]
    landed = sum(totals["bins"].values()) + totals["uncertain"]
    figures.unequal += totals["seen"] != landed or totals["open"] > 0


# The program itself.


class LoopDisk:
    """A small file system of its own, mounted where the ledger lies. Needs root.

    Its blocks are a file on another one, in memory: when that one is full, writes that need a new
    block fail as on a broken disk.
    """

    def __init__(self, folder: Path) -> None:
        self._mount, self._below = folder / "var", folder / "below"
        self._mount.mkdir()
        self._below.mkdir()
        call("mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", self._below)
        image = self._below / "image"
        call("truncate", "-s", "4M", image)
        call("mkfs.ext2", "-q", "-m", "0", image)
        self._device = call("losetup", "--find", "--show", image)
        self.mount()

    def mount(self) -> None:
        """Makes its files appear."""
        call("mount", "-t", "ext2", self._device, self._mount)

    def unmount(self) -> None:
        """Makes its files disappear, though they may be open."""
        call("umount", "--lazy", self._mount)

    def freeze(self) -> None:
        """Lets every write to it wait."""
        call("fsfreeze", "--freeze", self._mount)

    def thaw(self) -> None:
        """Lets the writes go on."""
        call("fsfreeze", "--unfreeze", self._mount)

    def fill(self) -> None:
        """Lets nothing more fit."""
        fill_up(self._mount / "filler")

    def empty(self) -> None:
        """Makes room again."""
        (self._mount / "filler").unlink()

    def fail(self) -> None:
        """Lets writes fail."""
        fill_up(self._below / "filler")

    def heal(self) -> None:
        """Lets writes succeed again."""
        (self._below / "filler").unlink()

    def close(self) -> None:
        """Unmounts it for good."""
        self.unmount()
        call("losetup", "--detach", self._device)
        call("umount", "--lazy", self._below)

    #: What begins and what ends each fault.
    FAULTS: ClassVar = {
        "frozen": (freeze, thaw),
        "filled": (fill, empty),
        "fails": (fail, heal),
        "unmounted": (unmount, mount),
    }


def fill_up(path: Path) -> None:
    """Writes a file until nothing more fits."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def call(*words: str | Path) -> str:
    """Runs a command; what it printed. Raises CalledProcessError where it fails."""
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class SortingProcess:
    """`coinsorter run` over a recorded belt, mock servos, and a disk that fails on request.

    folder: its config.yaml must be there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger_path = folder / "var" / "ledger.db"
        (folder / "sitecustomize.py").write_text(INJECTION)
        self._fault = folder / "fault"
        self._log = (folder / "log").open("w")
        program = [sys.executable, "-m", "coinsorter", "run"]
        self.process = subprocess.Popen(
            [*program, "--config", str(folder / "config.yaml")],
            env=os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"},
            stderr=self._log,
            stdout=self._log,
        )

    def set_fault(self, fault: str | None) -> None:
        """What the disk does from now on: a word of INJECTION, or None while it is sound."""
        if fault is None:
            self._fault.unlink(missing_ok=True)
            return
        part = self._fault.with_name("part-fault")
        part.write_text(fault)
        part.replace(self._fault)

    def wait_for(self, is_so: Callable[[], bool], what: str, may_end: bool = False) -> float:
        """Waits until something is so; returns for how long, seconds."""
        began_s = time.monotonic()
        while not is_so():
            waited_s = time.monotonic() - began_s
            has_ended = self.process.poll() is not None and not may_end
            if waited_s > PATIENCE_S or has_ended:
                raise SystemExit(f"no {what} after {waited_s:.0f} s: {self.read_log()}")
            time.sleep(0.01)
        return time.monotonic() - began_s

    def wait_for_log(self, words: str) -> float:
        """Waits until the log has some words; returns for how long, seconds."""
        return self.wait_for(lambda: words in self.read_log(), words)

    def wait_for_rows(self, more: int) -> None:
        """Waits until the ledger has so many more rows."""
        before = self.count_rows()
        self.wait_for(lambda: self.count_rows() >= before + more, f"{more} rows more")

    def has_said_its_end(self) -> bool:
        """Whether the program has ended, or has said why it does."""
        return self.process.poll() is not None or "coinsorter: " in self.read_log()

    def count_rows(self) -> int:
        """Coins in the ledger; 0 where there is none yet."""
        with suppress(InputError):
            return int(read_totals(self.ledger_path)["seen"])
        return 0

    def read_log(self) -> str:
        self._log.flush()
        return (self.folder / "log").read_text()

    def stop(self) -> tuple[int, float]:
        """Sends SIGTERM; the exit status, and after how many seconds it came."""
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S), time.monotonic() - began_s

    def close(self) -> None:
        """Ends it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._log.close()


#: Name, what the disk does, seconds. A lock is another process's.
SCENARIOS = {
    "locked by another program": ("locked", 9.0),
    "hangs": ("hangs", 10.0),
    "5 s a commit": ("takes 5", 12.0),
    "full": ("full", 5.0),
    "I/O error": ("io", 5.0),
    "read-only": ("read-only", 5.0),
    "folder deleted": ("deleted", 0.0),
    "file system frozen by fsfreeze": ("frozen", 10.0),
    "file system filled to its last block": ("filled", 5.0),
    "file system whose writes fail": ("fails", 5.0),
    "file system unmounted, then mounted again": ("unmounted", 5.0),
}


def print_scenario(name: str) -> None:
    fault, lasts_s = SCENARIOS[name]
    if fault in LoopDisk.FAULTS and os.geteuid():
        print(f"{name}: needs root")
        return
    with tempfile.TemporaryDirectory() as place, ExitStack() as parts:
        folder = Path(place)
        write_settings(folder)
        disk = None
        if fault in LoopDisk.FAULTS:
            disk = parts.enter_context(closing(LoopDisk(folder)))
        passed = run_scenario(folder, fault, lasts_s, disk)
        (folder / "fault").unlink(missing_ok=True)
        stopped = "" if fault == "deleted" else stop_meanwhile(folder, fault, disk)
    print(f"{name}: {passed}{stopped}", flush=True)


def run_scenario(folder: Path, fault: str, lasts_s: float, disk: LoopDisk | None) -> str:
    """Lets a fault pass while the program sorts; what came of it, in words."""
    sorting = SortingProcess(folder)
    try:
        sorting.wait_for_rows(3)
        end_fault = begin_fault(sorting, fault, disk)
        noticed_s = sorting.wait_for_log("waiting for the ledger, feeder off")
        time.sleep(max(0.0, lasts_s - noticed_s))
        end_fault()
        went_on_s = sorting.wait_for_log("going on")
        sorting.wait_for_rows(3)
        status, _ = sorting.stop()
        numbers = [row["coin"] for row in read_rows(sorting.ledger_path)]
        is_complete = numbers == list(range(1, len(numbers) + 1))
        rows = f"{len(numbers)} rows, {'none' if is_complete else 'SOME'} missing or twice"
        return (
            f"lasted {lasts_s:.0f} s, noticed after {noticed_s:.1f} s, "
            f"went on {went_on_s:.1f} s after its end; {rows}; exit {status}"
        )
    finally:
        sorting.close()


def begin_fault(sorting: SortingProcess, fault: str, disk: LoopDisk | None) -> Callable[[], None]:
    """Begins a fault; returns what ends it."""
    if disk:
        begin, end = LoopDisk.FAULTS[fault]
        begin(disk)
        return lambda: end(disk)
    if fault == "locked":
        other = subprocess.Popen(
            [sys.executable, "-c", LOCKING, str(sorting.ledger_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        other.stdout.readline()
        return lambda: other.communicate("") and None
    if fault == "deleted":
        for path in sorting.ledger_path.parent.iterdir():
            path.unlink()
        sorting.ledger_path.parent.rmdir()
        return lambda: None
    sorting.set_fault(fault)
    return lambda: sorting.set_fault(None)


def stop_meanwhile(folder: Path, fault: str, disk: LoopDisk | None) -> str:
    """Stops the program while its disk fails; what came of it, in words."""
    sorting = SortingProcess(folder)
    try:
        sorting.wait_for_rows(3)
        end_fault = begin_fault(sorting, fault, disk)
        sorting.wait_for_log("waiting for the ledger, feeder off")
        sorting.process.send_signal(signal.SIGTERM)
        took_s = sorting.wait_for(sorting.has_said_its_end, "end", may_end=True)
        end_fault()  # a process with a thread in a frozen file system cannot vanish before
        status = sorting.process.wait(PATIENCE_S)
        lost = sorting.read_log().splitlines()[-1]
        return f"\n    SIGTERM meanwhile: its last line after {took_s:.1f} s, exit {status}: {lost}"
    finally:
        sorting.close()


def write_settings(folder: Path) -> None:
    """config.yaml of a machine whose camera shows a recorded belt and whose servos are mock."""
    record_belt(folder / "frames")
    text = CONFIG.read_text().replace("models/crowns", str(CROWNS))
    text = text.replace("driver: gpio ", "driver: mock ").replace("source: pi ", "source: folder ")
    folder.joinpath("config.yaml").write_text(
        text.replace("folder: null ", f"folder: {folder / 'frames'} ")
    )


def record_belt(folder: Path) -> None:
    """The frames of a simulated belt on which ten things ride."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "ledger.db"
        config, bundle = load_config(CONFIG), load_bundle(CROWNS)
        simulated = SimulatedMachine(config, bundle, path, 10, 3, pick_runtime("auto"))
        while frame := simulated.camera.next_frame():
            cv2.imwrite(str(folder / f"{frame.number:05}.jpg"), frame.pixels[..., ::-1])
        simulated.machine.close()


if __name__ == "__main__":
    main()
