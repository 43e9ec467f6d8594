"""How much the ledger writes to the card for a coin: `python -m benchmarks.ledger_wear`.

Coins go through the machine's own ledger: each row is on the disk before the next coin comes, and
a coin's end is written with a later coin's row. Counted are the process's own writes
(/proc/self/io, write_bytes: whole pages of memory that go to a disk) and, where the folder's file
system is a block device of its own, all that the kernel wrote to it, the file system's journal
included. In a folder in memory the figures mean nothing.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from coinsorter.ledger.background_ledger import BackgroundLedger
from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.records import Decision, Event, Thresholds, Verdict

#: Coins on the belt between the camera and their bins.
ON_THE_WAY = 4
#: Coins a second of a machine that never rests.
COINS_PER_S = 2.0
DAY_S = 86_400
#: A durable write changes at least one block of the file system, KB of 1000 bytes.
FLOOR_KB = 4.096
#: Bytes of a sector in /sys/block/*/stat (Linux, Documentation/block/stat.rst).
SECTOR = 512
MAX_WAIT_S = 60.0
LABELS = ("bit_10", "bit_50", "crown_1", "crown_2", "crown_5")
#: Thresholds of each label, as a bundle with a gate has them.
THRESHOLDS = {
    label: Thresholds(0.9123, 4.0567, 18.0 + 1.25 * number, 0.412, 2.3026, -1.4567)
    for number, label in enumerate(LABELS)
}


@dataclass(frozen=True)
class Wear:
    """What was written for so many coins.

    process, device: bytes by the process's own counter and to the block device; device is None
    where the folder shares it with others. file: these coins' part of the ledger's size when it is
    closed.
    """

    coins: int
    process: int
    device: int | None
    file: int
    seconds: float


def main() -> None:
    options = read_options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        wear = measure_wear(Path(folder), options.coins, options.pace, options.warm_up)
    print_wear(wear, options)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_wear", description=__doc__)
    parser.add_argument("--coins", type=int, default=1000, help="default: 1000; in full 20000")
    parser.add_argument("--pace", type=float, help="coins a second (default: as fast as it goes)")
    parser.add_argument(
        "--warm-up",
        type=int,
        default=0,
        metavar="N",
        help="coins before those that count: the log grows to its size meanwhile (default: 0)",
    )
    parser.add_argument("--folder", type=Path, help="where the ledger is (default: for temporary)")
    parser.add_argument("--card-gb", type=float, default=32, help="the card's size (default: 32)")
    parser.add_argument(
        "--cycles", type=float, default=500, help="times a cell can be written (default: 500)"
    )
    parser.add_argument(
        "--amplification",
        type=float,
        default=10,
        help="bytes that the card writes for each byte that comes (default: 10)",
    )
    return parser.parse_args()


def measure_wear(folder: Path, coins: int, pace: float | None = None, warm_up: int = 0) -> Wear:
    """Sorts so many coins into a new ledger; what that wrote.

    pace: coins a second; None for as fast as the disk takes them. warm_up: coins before those that
    count, as fast as it goes.
    """
    path = folder / "ledger.db"
    ledger = BackgroundLedger(lambda: Ledger(path, RunRecord("models/crowns", "0" * 64, "litert")))
    for coin in range(1, warm_up + 1):
        sort(ledger, coin)
    os.sync()
    process, device = read_process_bytes(), read_device_bytes(folder)
    start_s = time.monotonic()
    for number in range(1, coins + 1):
        if pace:
            time.sleep(max(0.0, start_s + number / pace - time.monotonic()))
        sort(ledger, warm_up + number)
    seconds = time.monotonic() - start_s
    process = read_process_bytes() - process
    os.sync()
    device_end = read_device_bytes(folder)
    ledger.close()
    written = None if device is None or device_end is None else device_end - device
    file = path.stat().st_size * coins // (warm_up + coins)
    return Wear(coins, process, written, file, seconds)


def sort(ledger: BackgroundLedger, coin: int) -> None:
    """Writes a coin's row, waits until its flap may move, and closes an earlier coin's."""
    if not ledger.record(make_event(coin)).wait(MAX_WAIT_S):
        raise SystemExit(f"coin {coin}: not on the disk after {MAX_WAIT_S:.0f} s")
    if coin > ON_THE_WAY:
        landed = make_event(coin - ON_THE_WAY).decision.bin
        ledger.complete(coin - ON_THE_WAY, landed)


def make_event(coin: int) -> Event:
    """A coin whose numbers are as long as those that were measured; one in ten is rejected."""
    label, runner_up = LABELS[coin % 5], LABELS[(coin + 1) % 5]
    noise = (coin * 0.6180339887) % 1
    confidence, image_confidence = 0.99 + noise / 100, 0.98 + noise / 100
    verdict = Verdict(
        label,
        confidence,
        image_confidence,
        runner_up,
        anomaly=4 * noise,
        diameter_mm=23.0,
        margin=4 + 3 * noise,
        membership=2 + 5 * noise,
    )
    is_sorted = coin % 10 > 0
    return Event(
        coin=coin,
        seen_s=coin / COINS_PER_S + noise / 10,
        diameter_mm=23.0 + noise / 10,
        speed_mm_s=250.0 + noise,
        verdict=verdict,
        thresholds=THRESHOLDS[label],
        decision=Decision(label, "sorted") if is_sorted else Decision("reject", "unsure"),
        value=2.0,
        currency="CRN",
    )


def read_process_bytes() -> int:
    """Bytes that this process has made the kernel write to disks."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def read_device_bytes(folder: Path) -> int | None:
    """Bytes written to the block device of a folder; None where it is that of the whole system."""
    number = folder.stat().st_dev
    if number == Path("/").stat().st_dev:
        return None
    stat = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
    return int(stat.read_text(encoding="ascii").split()[6]) * SECTOR if stat.exists() else None


def print_wear(wear: Wear, options: argparse.Namespace) -> None:
    per_coin_kb = wear.process / wear.coins / 1000
    print(f"{wear.coins} coins, {1000 * wear.seconds / wear.coins:.1f} ms each")
    print(f"written by the process: {per_coin_kb:.2f} KB a coin (floor: {FLOOR_KB:.2f} KB)")
    print_life("  ", per_coin_kb, options)
    if wear.device is not None:
        device_kb = wear.device / wear.coins / 1000
        print(f"written to the device, with the file system's journal: {device_kb:.2f} KB a coin")
        print_life("  ", device_kb, options)
    print(f"the ledger's file: {wear.file / wear.coins / 1000:.2f} KB a coin")


def print_life(indent: str, per_coin_kb: float, options: argparse.Namespace) -> None:
    """How long a card lasts on which nothing else is written."""
    day_gb = per_coin_kb * COINS_PER_S * DAY_S / 1e6
    life_gb = options.card_gb * options.cycles / options.amplification
    print(
        f"{indent}{day_gb:.2f} GB a day at {COINS_PER_S:g} coins/s; "
        f"a card of {options.card_gb:g} GB that takes {life_gb:.0f} GB "
        f"({options.cycles:g} cycles, {options.amplification:g}-fold writing) "
        f"lasts {life_gb / day_gb / 365:.1f} years"
    )


if __name__ == "__main__":
    main()
