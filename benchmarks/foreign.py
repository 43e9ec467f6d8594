"""How many foreign objects models/crowns would accept: `python -m benchmarks.foreign [COUNT]`.

Of every kind COUNT objects are drawn (tokens with motifs that training never saw), found,
classified from one image each, and decided on as the machine would. Their seeds are neither those
of training nor those of the demonstration. Printed are each kind's accepted share with its 95 %
bound (Clopper and Pearson, 1934), and the same for genuine coins, where accepted is what they
should be. A second argument names another bundle.
"""

import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.inputs import load_classifier
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Circle, Coin, Frame
from coinsorter.robust import clopper_pearson_upper
from coinsorter.simulator import coins, foreign_objects
from coinsorter.simulator.simulated_camera import Optics
from coinsorter.simulator.simulated_machine import UNSEEN_MOTIFS
from coinsorter.simulator.still_scenes import StillScene, render_stills
from coinsorter.sorting.acceptance import Rules, decide
from coinsorter.sorting.assembly import build_search
from coinsorter.vision.crop import cut_crop
from coinsorter.vision.detect import find_circles
from coinsorter.vision.track import measure_still_coin
from tests.conftest import CROWNS

SEED = 777
#: Stands for genuine coins in a seed, where foreign kinds have their index.
GENUINE_SEED = 99
#: Objects that one process draws at a time.
CHUNK = 500
#: Room for each object in a still image, mm; objects of two coins need more.
CELL_MM = 50.0
PAIR_CELL_MM = 79.0
PAIRS = ("touching", "overlapping")
#: A circle belongs to an object up to this distance of their middles, px.
REACH_PX = 40.0

#: Bundle, kind of object, how many, and the number of the chunk.
Job = tuple[Path, str, int, int]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else CROWNS
    with multiprocessing.get_context("spawn").Pool() as pool:
        for kind in (coins.GENUINE, *foreign_objects.FOREIGN_KINDS):
            reasons = sum(pool.map(decide_on_objects, list_jobs(path, kind, count)), Counter())
            print(f"{kind:<12} {summarize(reasons)}", flush=True)


def list_jobs(path: Path, kind: str, count: int) -> list[Job]:
    return [
        (path, kind, min(CHUNK, count - start), start // CHUNK) for start in range(0, count, CHUNK)
    ]


def summarize(reasons: Counter[str]) -> str:
    total = reasons.total()
    accepted = reasons.pop("sorted", 0)
    bound = clopper_pearson_upper(accepted, total, 0.95)
    rejected = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
    return (
        f"{total} classified, {accepted} accepted (at most {100 * bound:.3f} % at 95 %); {rejected}"
    )


def decide_on_objects(job: Job) -> Counter[str]:
    """How often each reason is that of a decision; runs in a process of its own."""
    path, kind, count, chunk = job
    classifier = load_classifier(path)
    bundle = classifier.bundle
    rules = Rules(bundle.thresholds, {name: name for name in bundle.labels}, "reject")
    reasons: Counter[str] = Counter()
    for coin in measure_objects(bundle, kind, count, chunk):
        reasons[find_reason(coin, classifier, rules)] += 1
    return reasons


def find_reason(coin: Coin | None, classifier: Classifier, rules: Rules) -> str:
    if coin is None:
        return "no-coin"
    return decide(coin, classifier.classify(coin), rules).reason


def measure_objects(bundle: Bundle, kind: str, count: int, chunk: int) -> list[Coin | None]:
    """Each object as it is measured; None where no circle is found."""
    view = bundle.view
    search = build_search(bundle, view)
    cut = partial(cut_crop, spec=bundle.crop)
    measured = []
    for still in render_objects(bundle, kind, count, chunk):
        circles = find_circles(still.pixels, search)
        frame = Frame(still.pixels, 0, 0.0)
        for item, x_px, y_px in still.items:
            reach_px = max(REACH_PX, 4 * item.half_length_mm)
            own = select_near(circles, x_px, y_px, reach_px)
            measured.append(measure_still_coin(frame, own, view, cut))
    return measured


def render_objects(bundle: Bundle, kind: str, count: int, chunk: int) -> Iterator[StillScene]:
    is_foreign = kind in foreign_objects.FOREIGN_KINDS
    kind_seed = foreign_objects.FOREIGN_KINDS.index(kind) if is_foreign else GENUINE_SEED
    rng = np.random.default_rng([SEED, kind_seed, chunk])
    optics = Optics(bundle.view.width_px, bundle.view.height_px, 4.0, 0.375)
    cell_mm = PAIR_CELL_MM if kind in PAIRS else CELL_MM
    make_item = choose_maker(kind)
    items = (make_item(rng) for _ in range(count))
    return render_stills(items, optics, rng, cell_mm)


def choose_maker(kind: str) -> Callable[[np.random.Generator], coins.Item]:
    if kind == coins.GENUINE:
        return coins.make_genuine_coin
    return lambda rng: foreign_objects.make_foreign_object(rng, kind, UNSEEN_MOTIFS)


def select_near(circles: list[Circle], x_px: float, y_px: float, reach_px: float) -> list[Circle]:
    return [
        circle for circle in circles if np.hypot(circle.x_px - x_px, circle.y_px - y_px) < reach_px
    ]


if __name__ == "__main__":
    main()
