"""kill -9 at random instants of the ledger: `python -m benchmarks.ledger_kills`.

A process writes rows through the machine's own ledger as fast as the disk takes them, and says of
each when it is durable. It is killed at a random instant, start, migration and end included. Then
no row that was called durable may be missing, none may be there twice or have another coin's
thresholds, and `ledger verify` must find no mistake. The next process goes on with the same ledger.
Blocks of rows are small here, so that their counts are written often, and thresholds change after
every few coins. Last, some runs of `coinsorter run --simulate` are killed.
Exits with 1 where anything is lost.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.ledger_wear import make_event
from coinsorter.errors import InputError
from coinsorter.ledger import blocks, ledger
from coinsorter.ledger.background_ledger import BackgroundLedger
from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.ledger.queries import read_rows
from coinsorter.ledger.verification import verify_ledger
from coinsorter.records import Event
from tests.conftest import ROOT
from tests.unit.ledger.ledger_files import write_format_1, write_format_2

#: Kills of one ledger, before a new one is begun.
KILLS_A_LEDGER = 25
#: Rows of a block in the process that is killed.
BLOCK_ROWS = 32
#: Rows that are on their way to the disk at once.
IN_FLIGHT = 8
#: Coins that a process may write, so that its coins' numbers are its own.
COINS_A_PROCESS = 1_000_000
#: Rows of an old ledger that is migrated by the process which is killed.
OLD_ROWS = 500
#: Coins after which thresholds change, as by a reload of the settings.
STRICTER_AFTER = 8
#: How the ledgers begin, in turn: new, or of an older format.
BEGINNINGS = (None, write_format_1, None, write_format_2)
#: Latest instant of a kill, seconds after the process was started.
MAX_LIFE_S = 0.12
MAX_WAIT_S = 60.0
#: A simulated run is killed within so many seconds from its ledger's first appearance.
SIMULATED_S = 6.0


@dataclass
class KillOutcome:
    """What the kills have shown.

    acknowledged: rows that were called durable. lost, twice: of these. mistakes: lines of verify.
    """

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    mistakes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.twice or self.mistakes)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="default: 200; in full 2000")
    parser.add_argument(
        "--simulated", type=int, default=3, help="kills of simulated runs (default: 3)"
    )
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--folder", type=Path, help="where the ledgers are")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        outcome = kill_writers(Path(folder), options.kills, rng)
        print_outcome("the ledger", outcome)
        simulated = kill_simulated_runs(Path(folder), options.simulated, rng)
        print_outcome("simulated runs", simulated)
    sys.exit(0 if outcome.is_clean and simulated.is_clean else 1)


def kill_writers(folder: Path, kills: int, rng: random.Random) -> KillOutcome:
    """Kills so many processes that write ledgers in a folder; see BEGINNINGS."""
    outcome, path, durable = KillOutcome(), folder, set[int]()
    for number in range(kills):
        if number % KILLS_A_LEDGER == 0:
            path, durable = folder / f"{number}" / "ledger.db", set()
            path.parent.mkdir()
            write_old = BEGINNINGS[number // KILLS_A_LEDGER % len(BEGINNINGS)]
            if write_old:
                write_old(path, OLD_ROWS)
                durable = {row["coin"] for row in read_rows(path)}
        new = write_until_killed(path, number * COINS_A_PROCESS, rng.uniform(0, MAX_LIFE_S))
        durable |= new
        outcome.kills += 1
        outcome.acknowledged += len(new)
        check(path, durable, outcome)
        outcome.mistakes += find_wrong_thresholds(path)
    return outcome


def write_until_killed(path: Path, first: int, life_s: float) -> set[int]:
    """Coins whose rows a process has called durable before it was killed."""
    read_end, write_end = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(read_end)
        write_rows(path, first, write_end)
    os.close(write_end)
    time.sleep(life_s)
    os.kill(process, signal.SIGKILL)
    with os.fdopen(read_end, "rb") as pipe:
        lines = pipe.read().split(b"\n")[:-1]
    os.waitpid(process, 0)
    return {int(line) for line in lines}


def write_rows(path: Path, first: int, output: int) -> None:
    """Writes rows until the process is killed, and the number of each coin when it is durable."""
    ledger.BLOCK_ROWS = blocks.BLOCK_ROWS = BLOCK_ROWS
    book = BackgroundLedger(lambda: Ledger(path, RunRecord("models/crowns", "0" * 64, "litert")))
    waiting = deque(
        book.record(make_strict_event(coin)) for coin in range(first, first + IN_FLIGHT)
    )
    for coin in range(first, first + COINS_A_PROCESS - IN_FLIGHT):
        if not waiting.popleft().wait(MAX_WAIT_S):
            os._exit(1)
        os.write(output, b"%d\n" % coin)
        if coin % 7:
            book.complete(coin, make_event(coin).decision.bin)
        waiting.append(book.record(make_strict_event(coin + IN_FLIGHT)))
    os._exit(1)


def make_strict_event(coin: int) -> Event:
    """A coin with thresholds of its own time."""
    event = make_event(coin)
    thresholds = event.thresholds and replace(event.thresholds, max_anomaly=max_anomaly_of(coin))
    return replace(event, thresholds=thresholds)


def max_anomaly_of(coin: int) -> float:
    """The threshold in force when a coin came."""
    return 1 + coin // STRICTER_AFTER / 1024


def check(path: Path, durable: set[int], outcome: KillOutcome) -> None:
    """Counts what a killed process has lost, and adds what `ledger verify` finds."""
    try:
        report = verify_ledger(path)
    except InputError:  # killed before the ledger was begun
        outcome.lost += len(durable)
        return
    outcome.mistakes += report.mistakes
    coins = [row["coin"] for row in read_rows(path)]
    outcome.lost += len(durable - set(coins))
    outcome.twice += len(coins) - len(set(coins))


def find_wrong_thresholds(path: Path) -> list[str]:
    """A line for each coin that has another's thresholds; rows of an old ledger have no margin."""
    return [
        f"coin {row['coin']} has the thresholds of another"
        for row in read_rows_if_any(path)
        if row.get("margin") is not None and row["max_anomaly"] != max_anomaly_of(row["coin"])
    ]


def kill_simulated_runs(folder: Path, kills: int, rng: random.Random) -> KillOutcome:
    """Kills simulated machines at random instants; the ledger of each must be sound."""
    outcome = KillOutcome()
    for number in range(kills):
        out = folder / f"simulated-{number}"
        run_until_killed(out, rng.uniform(0, SIMULATED_S))
        outcome.kills += 1
        if (out / "ledger.db").exists():
            durable = {row["coin"] for row in read_rows_if_any(out / "ledger.db")}
            outcome.acknowledged += len(durable)
            with closing(Ledger(out / "ledger.db", RunRecord("b", "h", "r"))):
                pass  # the next start
            check(out / "ledger.db", durable, outcome)
    return outcome


def read_rows_if_any(path: Path) -> list[dict[str, Any]]:
    try:
        return read_rows(path)
    except InputError:
        return []


def run_until_killed(out: Path, life_s: float) -> None:
    words = ["run", "--simulate", "--coins", "200", "--out", str(out)]
    with subprocess.Popen(
        [sys.executable, "-m", "coinsorter", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not (out / "ledger.db").exists():
            time.sleep(0.05)
        time.sleep(life_s)
        process.kill()


def print_outcome(what: str, outcome: KillOutcome) -> None:
    print(
        f"{what}: {outcome.kills} kills, {outcome.acknowledged} rows acknowledged, "
        f"{outcome.lost} lost, {outcome.twice} counted twice, {len(outcome.mistakes)} mistakes",
        flush=True,
    )
    for line in outcome.mistakes[:10]:
        print(f"  {line}")


if __name__ == "__main__":
    main()
