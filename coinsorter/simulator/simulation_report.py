"""What a simulated run looked like: a table for people, and a contact sheet of its last coins."""

from collections import deque
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from coinsorter.escape import as_markup
from coinsorter.files.ownership import Claim
from coinsorter.images.image_io import write_image
from coinsorter.records import SORTED
from coinsorter.simulator.simulation_result import SimulationResult
from coinsorter.sorting.machine import SortedCoin
from coinsorter.vision.crop import FILL

#: By this mark an earlier contact sheet is known.
MAKER = "contact-sheet"
#: Side of a coin's tile, height of its caption and of the sheet's title, px.
TILE_PX = 150
CAPTION_PX = 46
TITLE_PX = 40
#: Width of the border around a crop in its tile, px.
BORDER_PX = 8
#: Tiles side by side.
COLUMNS = 8
#: Coins on a sheet: the last ones.
MAX_COINS = 40
#: Colours of the sheet, RGB.
PAPER_RGB = (250, 249, 246)
INK_RGB = (40, 40, 44)
GOOD_RGB = (36, 124, 60)
BAD_RGB = (176, 52, 44)


def print_result(
    result: SimulationResult,
    reject_bin: str,
    console: Console,
    sheet_path: Path | None,
    ledger_path: Path,
    interpreter: str,
) -> None:
    """Print the run as a person reads it."""
    console.print(
        f"Where {result.objects} simulated items really landed (seed {result.seed}):",
    )
    console.print(_build_table(result, reject_bin))
    console.print(_describe_genuine(result))
    console.print(_describe_foreign(result))
    console.print(f"rejected, by reason: {as_markup(_join_counts(result.rejected))}")
    console.print(f"ledger and truth: {_describe_ledger(result)} ({as_markup(ledger_path)})")
    console.print(f"speed: {_describe_speed(result, interpreter)}")
    if result.fault:
        console.print(f"[red]fault: {as_markup(result.fault)}[/red]")
    if sheet_path:
        console.print(f"contact sheet of the last coins: {as_markup(sheet_path)}")


def _build_table(
    result: SimulationResult,
    reject_bin: str,
) -> Table:
    """Per bin: what landed there, and how much of it was wrong."""
    table = Table()
    table.add_column("bin")
    table.add_column("items", justify="right")
    table.add_column("wrong", justify="right")
    for name, (count, wrong) in result.bins.items():
        is_reject_bin = name == reject_bin
        table.add_row(as_markup(name), str(count), _mark_wrong(wrong, is_reject_bin))
    return table


def _mark_wrong(
    wrong: int,
    is_reject_bin: bool,
) -> str:
    """A count in colour; in the reject bin it counts good coins, which does less harm."""
    if not wrong:
        return "[green]0[/green]"
    if is_reject_bin:
        return f"[yellow]{wrong}[/yellow] good"
    return f"[red]{wrong}[/red]"


def _describe_genuine(result: SimulationResult) -> str:
    correct = str(result.correct)
    if result.genuine_alone:
        percent = 100 * result.correct / result.genuine_alone
        correct += f" ({percent:.1f} %)"
    return (
        f"genuine coins lying alone: {result.genuine_alone}, in their own bin {correct}, "
        f"in a wrong bin {result.wrong}"
    )


def _describe_foreign(result: SimulationResult) -> str:
    by_name = dict(sorted(result.foreign_kinds.items()))
    kinds = _join_counts(by_name)
    return (
        f"foreign, damaged or touching: {result.foreign} ({kinds}), "
        f"in a coin's bin {result.foreign_accepted}"
    )


def _join_counts(counts: dict[str, int]) -> str:
    words = [f"{name} {count}" for name, count in counts.items()]
    return ", ".join(words) or "none"


def _describe_ledger(result: SimulationResult) -> str:
    if result.ledger_matches:
        return "the same in every bin"
    return "[red]not the same[/red]"


def _describe_speed(
    result: SimulationResult,
    interpreter: str,
) -> str:
    speed = f"{result.belt_coins_per_s:.2f} a second of belt time ({result.belt_s:.0f} s)"
    if result.cpu_ms_per_coin:
        per_s = 1000 / result.cpu_ms_per_coin
        speed += f"; {per_s:.0f} a second of processor time ({interpreter}), drawing left out"
    return speed


class ContactSheet:
    """Remembers the last coins and draws them with their verdicts. Call it with every coin."""

    def __init__(
        self,
        title: str,
        coins: int = MAX_COINS,
    ) -> None:
        self._title = title
        self._last: deque[SortedCoin] = deque(maxlen=coins)

    def __call__(self, coin: SortedCoin) -> None:
        """Remember a coin; the oldest is forgotten where there are too many."""
        self._last.append(coin)

    def write(self, path: Path, claim: Claim) -> bool:
        """Write the sheet as a PNG, the whole file or none; False where there is no coin.

        claim: what it may take the place of. Raises InputError.
        """
        if not self._last:
            return False
        write_image(path, self._draw(), claim, MAKER)
        return True

    def _draw(self) -> np.ndarray:
        tiles = [_draw_tile(coin) for coin in self._last]
        empty = np.full_like(tiles[0], PAPER_RGB)
        missing = -len(tiles) % COLUMNS
        tiles += [empty] * missing
        rows = []
        for start in range(0, len(tiles), COLUMNS):
            row = np.hstack(tiles[start : start + COLUMNS])
            rows.append(row)
        title = self._draw_title(rows[0].shape[1])
        return np.vstack([title, *rows])

    def _draw_title(self, width: int) -> np.ndarray:
        title = np.full((TITLE_PX, width, 3), PAPER_RGB, np.uint8)
        _write_text(title, f"coinsorter: {self._title}", TITLE_PX - 14, INK_RGB, 0.6)
        return title


def _draw_tile(coin: SortedCoin) -> np.ndarray:
    """One coin's sharpest crop, framed green or red, above its caption."""
    tile = np.empty((TILE_PX + CAPTION_PX, TILE_PX, 3), np.uint8)
    tile[:] = PAPER_RGB
    colour = GOOD_RGB if coin.decision.reason == SORTED else BAD_RGB
    if coin.coin.crops:
        _lay_crop(tile, coin.coin.crops[0])
    corner = BORDER_PX - 1
    opposite = TILE_PX - BORDER_PX
    cv2.rectangle(tile, (corner, corner), (opposite, opposite), colour, 2)
    _write_caption(tile, coin, colour)
    return tile


def _lay_crop(
    tile: np.ndarray,
    crop: np.ndarray,
) -> None:
    size = TILE_PX - 2 * BORDER_PX
    end = BORDER_PX + size
    cleaned = crop.copy()
    is_fill = (cleaned == FILL).all(axis=2)
    cleaned[is_fill] = PAPER_RGB
    enlarged = cv2.resize(cleaned, (size, size), interpolation=cv2.INTER_CUBIC)
    tile[BORDER_PX:end, BORDER_PX:end] = enlarged


def _write_caption(
    tile: np.ndarray,
    coin: SortedCoin,
    colour: tuple[int, int, int],
) -> None:
    """Three lines: where the coin went, what it is, and the evidence."""
    verdict = coin.verdict
    reason = coin.decision.reason
    target = coin.decision.bin if reason == SORTED else f"rejected: {reason}"
    label = f"{verdict.label} {100 * verdict.confidence:.1f} %"
    evidence = f"{coin.coin.diameter_mm:.2f} mm  anomaly {verdict.anomaly:.1f}"
    _write_text(tile, target, TILE_PX + 8, colour, 0.42)
    _write_text(tile, label, TILE_PX + 22, INK_RGB, 0.36)
    _write_text(tile, evidence, TILE_PX + 36, INK_RGB, 0.34)


def _write_text(
    image: np.ndarray,
    text: str,
    y: int,
    colour: tuple[int, int, int],
    size: float,
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, (BORDER_PX, y), font, size, colour, 1, cv2.LINE_AA)
