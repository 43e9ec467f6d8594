"""Time and memory of reading a large ledger: `python -m benchmarks.ledger_size`.

A ledger is filled as a machine at 2 coins/s would in months, then `coinsorter ledger totals`,
`totals --by-day`, `export` and `verify` read it, each in a process of its own. Printed are the
seconds of the whole command, those of reading alone, those on the processor, and the most memory
that was resident.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coinsorter.ledger.blocks import seal_blocks, to_ms
from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.ledger.references import find_name, find_thresholds
from coinsorter.records import Thresholds

#: When the first coin came.
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: Milliseconds between two coins.
PERIOD_MS = 500
#: Coins of a run.
RUN_COINS = 500_000
LABELS = ("bit_10", "bit_50", "crown_1", "crown_2", "crown_5", "crown_10", "crown_20", "crown_50")
REASONS = ("unsure", "anomaly", "diameter", "not-alone", "late")
_FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :coins)
INSERT INTO coin_rows
SELECT n, 1 + (n - 1) / :run_coins, 1 + (n - 1) % :run_coins, :begin + n * :period, n * 0.5,
    :label + n % 8, 0.999 - (n % 97) / 1e5, 0.99 - (n % 89) / 1e5, :label + (n + 1) % 8,
    (n % 83) / 21.0, 4.0 + (n % 71) / 13.0, 3.0 + (n % 67) / 17.0, 23.0 + (n % 79) / 1e3,
    250.0 + (n % 73) / 1e2, :thresholds + n % 8,
    CASE n % 10 WHEN 0 THEN NULL ELSE 2000000 END, CASE n % 10 WHEN 0 THEN NULL ELSE :currency END,
    CASE n % 10 WHEN 0 THEN :reject ELSE :label + n % 8 END,
    CASE n % 10 WHEN 0 THEN :reason + n / 10 % 5 ELSE :sorted END,
    CASE n % 10 WHEN 0 THEN :reject ELSE :label + n % 8 END
FROM numbers
"""
PROGRAM = """
import json, sys, time
from benchmarks.measured import read_peak_mb
from coinsorter.cli import main
start_s = time.monotonic()
cpu_s = time.process_time()
status = main(sys.argv[1:])
read_s = time.monotonic() - start_s
cpu_s = time.process_time() - cpu_s
peak_mb = read_peak_mb() * 2**20 / 1e6
print(json.dumps([status, read_s, cpu_s, peak_mb]), file=sys.stderr)
"""


@dataclass(frozen=True)
class Reading:
    """A command that has read a ledger.

    seconds, read_s: of the whole process, and without its start. cpu_s: of these, on a processor:
    what a quiet machine would take. peak_mb: most memory resident, MB
    of 1,000,000 bytes.
    """

    command: str
    seconds: float
    read_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_size", description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=200_000, help="default: 200000; in full 10000000"
    )
    parser.add_argument("--folder", type=Path, help="where the ledger is (default: for temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "ledger.db"
        start_s = time.monotonic()
        fill_ledger(path, options.rows)
        os.sync()  # else what follows waits for this ledger to be written
        print(f"{options.rows} rows, {path.stat().st_size / 1e6:.0f} MB, in ", end="")
        print(f"{time.monotonic() - start_s:.0f} s", flush=True)
        for command in ("totals", "totals --run 1", "totals --by-day", "export", "verify"):
            print_reading(read(path, command))


def fill_ledger(path: Path, coins: int) -> None:
    """Writes a ledger of so many coins that have passed."""
    runs = 1 + (coins - 1) // RUN_COINS
    for _ in range(runs):
        Ledger(path, RunRecord("models/crowns", "0" * 64, "litert")).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        with connection:
            connection.execute("BEGIN")
            connection.execute(_FILL, {"coins": coins, **_constants(connection)})
            seal_blocks(connection)


def _constants(connection: sqlite3.Connection) -> dict[str, int | None]:
    """Ids of names and thresholds: those of labels and reasons one after another, and the rest."""
    labels = [find_name(connection, name) for name in LABELS]
    reasons = [find_name(connection, name) for name in REASONS]
    names = {name: find_name(connection, name) for name in ("sorted", "reject")}
    thresholds = [
        find_thresholds(connection, Thresholds(0.9, 4.1, 23.0 + n, 0.5, 2.5, -1.5))
        for n in range(len(LABELS))
    ]
    return {
        "label": labels[0],
        "reason": reasons[0],
        "thresholds": thresholds[0],
        "currency": find_name(connection, "CRN"),
        "begin": to_ms(BEGIN),
        "period": PERIOD_MS,
        "run_coins": RUN_COINS,
        **names,
    }


def read(path: Path, command: str) -> Reading:
    """Runs an action of `coinsorter ledger` on a ledger. Raises CalledProcessError."""
    words = ["ledger", *command.split(), "--ledger", str(path)]
    start_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.monotonic() - start_s
    status, read_s, cpu_s, peak_mb = json.loads(done.stderr.splitlines()[-1])
    if status:
        raise SystemExit(f"{command}: status {status}: {done.stderr}")
    return Reading(command, seconds, read_s, cpu_s, peak_mb)


def print_reading(reading: Reading) -> None:
    print(
        f"{reading.command}: {reading.seconds:.2f} s, of which reading {reading.read_s:.2f} s "
        f"({reading.cpu_s:.2f} s on the processor); "
        f"at most {reading.peak_mb:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
