"""What a simulated run looked like: a table for people, and a contact sheet of its last coins."""

from collections import deque
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from coinsorter.records import SORTED
from coinsorter.simulator.simulated_machine import SimulationResult
from coinsorter.sorting.machine import SortedCoin
from coinsorter.vision.crop import FILL

TILE_PX = 150
CAPTION_PX = 46
HEAD_PX = 40
COLUMNS = 8
PAPER, INK, GOOD, BAD = (250, 249, 246), (40, 40, 44), (36, 124, 60), (176, 52, 44)


def print_result(
    truth: SimulationResult,
    reject: str,
    console: Console,
    picture: Path | None,
    ledger: Path,
    interpreter: str,
) -> None:
    """The run as a person reads it."""
    console.print(f"Where {truth.objects} simulated things really landed (seed {truth.seed}):")
    console.print(_table(truth, reject))
    reasons = ", ".join(f"{reason} {count}" for reason, count in truth.rejected.items()) or "none"
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(truth.foreign_kinds.items()))
    share = f" ({100 * truth.correct / truth.genuine_alone:.1f} %)" if truth.genuine_alone else ""
    console.print(
        f"genuine coins lying alone: {truth.genuine_alone}, in their own bin {truth.correct}{share}, in a wrong bin {truth.wrong}"
    )
    console.print(
        f"foreign, damaged or touching: {truth.foreign} ({kinds or 'none'}), in a coin's bin {truth.foreign_accepted}"
    )
    console.print(f"rejected, by reason: {reasons}")
    console.print(
        f"ledger and truth: {'the same in every bin' if truth.ledger_matches else '[red]not the same[/red]'} ({ledger})"
    )
    speed = f"{truth.belt_coins_per_s:.2f} a second of belt time ({truth.belt_s:.0f} s)"
    if truth.cpu_ms_per_coin:
        speed += f"; {1000 / truth.cpu_ms_per_coin:.0f} a second of processor time ({interpreter}), drawing left out"
    console.print(f"speed: {speed}")
    if truth.fault:
        console.print(f"[red]fault: {truth.fault}[/red]")
    if picture:
        console.print(f"contact sheet of the last coins: {picture}")


def _table(truth: SimulationResult, reject: str) -> Table:
    """Per bin: what landed there, and how much of it was wrong."""
    table = Table()
    table.add_column("bin")
    table.add_column("things", justify="right")
    table.add_column("wrong", justify="right")
    for name, (count, wrong) in truth.bins.items():
        colour = "red" if wrong and name != reject else "yellow" if wrong else "green"
        table.add_row(
            name,
            str(count),
            f"[{colour}]{wrong}[/{colour}]" + (" good" if wrong and name == reject else ""),
        )
    return table


class ContactSheet:
    """Remembers the last coins and draws them with what was thought of them."""

    def __init__(self, title: str, coins: int = 40) -> None:
        self._title = title
        self._last: deque[SortedCoin] = deque(maxlen=coins)

    def __call__(self, judged: SortedCoin) -> None:
        self._last.append(judged)

    def write(self, path: Path) -> bool:
        """Writes the sheet as a PNG, whole or not at all; False where there was no coin to show."""
        if not self._last:
            return False
        tiles = [_tile(judged) for judged in self._last]
        tiles += [np.full_like(tiles[0], PAPER) for _ in range(-len(tiles) % COLUMNS)]
        rows = [
            np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)
        ]
        head = np.full((HEAD_PX, rows[0].shape[1], 3), PAPER, np.uint8)
        _write(head, f"coinsorter: {self._title}", HEAD_PX - 14, INK, 0.6)
        sheet = np.vstack([head, *rows])
        partial = path.with_suffix(".part")
        partial.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
        partial.replace(path)
        return True


def _tile(judged: SortedCoin) -> np.ndarray:
    """One coin's sharpest crop, framed green or red, above three lines: where it went, what it is, and the evidence."""
    tile = np.empty((TILE_PX + CAPTION_PX, TILE_PX, 3), np.uint8)
    tile[:] = PAPER
    accepted = judged.decision.reason == SORTED
    colour = GOOD if accepted else BAD
    if judged.coin.crops:
        size, crop = TILE_PX - 16, judged.coin.crops[0].copy()
        crop[(crop == FILL).all(axis=2)] = PAPER
        tile[8 : 8 + size, 8 : 8 + size] = cv2.resize(
            crop, (size, size), interpolation=cv2.INTER_CUBIC
        )
    cv2.rectangle(tile, (7, 7), (TILE_PX - 8, TILE_PX - 8), colour, 2)
    verdict = judged.verdict
    went = judged.decision.bin if accepted else f"rejected: {judged.decision.reason}"
    _write(tile, went, TILE_PX + 8, colour, 0.42)
    _write(tile, f"{verdict.label} {100 * verdict.confidence:.1f} %", TILE_PX + 22, INK, 0.36)
    _write(
        tile,
        f"{judged.coin.diameter_mm:.2f} mm  anomaly {verdict.anomaly:.1f}",
        TILE_PX + 36,
        INK,
        0.34,
    )
    return tile


def _write(tile: np.ndarray, text: str, y: int, colour: tuple[int, int, int], size: float) -> None:
    cv2.putText(tile, text, (8, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
