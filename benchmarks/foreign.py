"""How many foreign things the limits of models/crowns would let through: `python -m benchmarks.foreign [COUNT]`, simulated.

Of every kind COUNT things are drawn (tokens with motifs that training never saw), found, judged from one picture each, and decided on as
the machine would; their seeds are neither the training's nor the demonstration's. Prints each kind's accepted share with its 95 % bound
(Clopper and Pearson, 1934), and the same for genuine coins, where accepted is what they should be.
"""

import multiprocessing
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Frame
from coinsorter.robust import clopper_pearson_upper
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics
from coinsorter.simulator.simulated_machine import UNSEEN_MOTIFS
from coinsorter.simulator.still_scenes import render_stills
from coinsorter.sorting.acceptance import Rules, decide
from coinsorter.sorting.assembly import build_search
from coinsorter.vision import crop, track
from coinsorter.vision.detect import find_circles
from tests.conftest import CROWNS

SEED = 777
CHUNK = 500


def judge_some(job: tuple[Path, str, int, int]) -> Counter:
    """Reasons of the decisions on some things of one kind."""
    path, kind, count, chunk = job
    models = bundle.load_bundle(path)
    judge = Classifier(models, runtime.pick_runtime("auto"))
    rules = Rules(models.thresholds, {name: name for name in models.labels}, "reject")
    view, search = models.view, build_search(models, models.view)
    cut = partial(crop.cut_crop, spec=models.crop)
    rng = np.random.default_rng(
        [SEED, coins.FOREIGN_KINDS.index(kind) if kind in coins.FOREIGN_KINDS else 99, chunk]
    )
    make = (
        coins.make_genuine_coin
        if kind == coins.GENUINE
        else lambda rng: coins.make_foreign_object(rng, kind, UNSEEN_MOTIFS)
    )
    reasons: Counter = Counter()
    pair = kind in ("touching", "overlapping")
    optics, cell_mm = Optics(view.width_px, view.height_px, 4.0, 0.375), 79.0 if pair else 50.0
    for still in render_stills((make(rng) for _ in range(count)), optics, rng, cell_mm):
        circles = find_circles(still.pixels, search)
        for thing, x_px, y_px in still.items:
            own = [
                c
                for c in circles
                if np.hypot(c.x_px - x_px, c.y_px - y_px) < max(40, 4 * thing.half_length_mm)
            ]
            coin = track.measure_still_coin(Frame(still.pixels, 0, 0.0), own, view, cut)
            verdict = judge.classify(coin) if coin else None
            reasons[decide(coin, verdict, rules).reason if coin and verdict else "no-coin"] += 1
    return reasons


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else CROWNS
    with multiprocessing.get_context("spawn").Pool() as pool:
        for kind in (coins.GENUINE, *coins.FOREIGN_KINDS):
            jobs = [
                (path, kind, min(CHUNK, count - start), start // CHUNK)
                for start in range(0, count, CHUNK)
            ]
            reasons = sum(pool.map(judge_some, jobs), Counter())
            accepted, total = reasons.pop("sorted", 0), sum(reasons.values()) + reasons["sorted"]
            total += accepted
            bound = clopper_pearson_upper(accepted, total, 0.95)
            rest = ", ".join(
                f"{reason} {number}" for reason, number in sorted(reasons.items()) if number
            )
            print(
                f"{kind:<12} {total} judged, {accepted} accepted (at most {100 * bound:.3f} % at 95 %); {rest}",
                flush=True,
            )


if __name__ == "__main__":
    main()
