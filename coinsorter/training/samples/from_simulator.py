"""Crops of the simulated currency and of foreign objects, cut out by the machine's own code."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import joblib
import numpy as np
from numpy.random import Generator

from coinsorter.records import Circle
from coinsorter.simulator import coins, currency, foreign_objects
from coinsorter.simulator.simulated_camera import Optics
from coinsorter.simulator.still_scenes import render_stills
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.parallel import Workers
from coinsorter.training.progress import ReportStep
from coinsorter.training.samples.crop_store import Crops, CropStore
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples, make_empty_samples
from coinsorter.vision.crop import CropSpec, cut_crop
from coinsorter.vision.detect import Search, compute_search_radii, find_coins

#: The simulated machine's camera, as config.yaml has it: 640 x 480 px, 4 px/mm.
OPTICS = Optics(640, 480, 4.0, 0.375)

#: Items that one process renders at a time. Another number is another random sequence.
CHUNK_ITEMS = 500

#: Group of the first simulated item; the groups of photographs are below.
FIRST_SIMULATED_GROUP = 1 << 20

#: Smallest and largest diameter that is searched for, mm: those of the simulated currency.
SEARCHED_DIAMETERS_MM = (18.0, 27.5)

#: How far a circle's centre may be from where its item was rendered, in radii.
MAX_OFFSET_RADII = 0.3


@dataclass(frozen=True)
class _Chunk:
    """Some of the items to render; each chunk has its own random sequence."""

    kind: str
    count: int
    number: int
    spec: CropSpec
    motifs: tuple[str, ...]
    seed: list[int]


def simulate_samples(
    kind: str,
    count: int,
    spec: CropSpec,
    motifs: tuple[str, ...],
    seed: list[int],
    report: ReportStep,
) -> Samples:
    """`count` simulated items of one kind, photographed, found and cut out.

    kind: `coins.GENUINE` for genuine coins, each denomination as often; else a kind of foreign
    object. motifs: what foreign coins may show.
    """
    if not count:
        return make_empty_samples(spec)
    chunks = [
        _Chunk(kind, min(CHUNK_ITEMS, count - start), start // CHUNK_ITEMS, spec, motifs, seed)
        for start in range(0, count, CHUNK_ITEMS)
    ]
    parts = []
    store = CropStore(spec.size_px)
    for part in Workers(joblib.cpu_count()).run(_simulate_chunk, chunks):
        for crop in part.crops:
            store.add(crop)
        parts.append(_without_crops(part))
        report(min(count, CHUNK_ITEMS * len(parts)))
    return replace(Samples.concatenate(parts), crops=store.finish())


def _without_crops(samples: Samples) -> Samples:
    return replace(samples, crops=Crops.wrap(np.empty((len(samples), 0))))


def _simulate_chunk(chunk: _Chunk) -> Samples:
    rng = np.random.default_rng([*chunk.seed, chunk.number])
    labels: list[int] = []
    circles: list[Circle] = []
    diameters_mm: list[float] = []
    crops: list[np.ndarray] = []
    for still in render_stills(_make_items(chunk, rng), OPTICS, rng):
        candidates = _find_candidates(still.pixels)
        for item, x_px, y_px in still.items:
            circle = _find_near(candidates, x_px, y_px)
            if circle is None:
                continue
            diameter_mm = 2 * circle.radius_px / OPTICS.px_per_mm
            crops.append(cut_crop(still.pixels, circle, diameter_mm, chunk.spec))
            labels.append(_number_label(item.label))
            circles.append(circle)
            diameters_mm.append(diameter_mm)
    size_px = chunk.spec.size_px
    stacked = np.array(crops, np.uint8).reshape(-1, size_px, size_px, 3)
    first_group = FIRST_SIMULATED_GROUP + chunk.number * CHUNK_ITEMS
    return Samples(
        crops=Crops.wrap(stacked),
        labels=np.array(labels, int),
        circles=tuple(circles),
        diameters_mm=np.array(diameters_mm),
        groups=first_group + np.arange(len(labels)),
    )


def _make_items(chunk: _Chunk, rng: Generator) -> Iterator[coins.Item]:
    for number in range(chunk.count):
        if chunk.kind == coins.GENUINE:
            denomination = currency.DENOMINATIONS[number % len(currency.DENOMINATIONS)]
            yield coins.make_genuine_coin(rng, denomination.label)
        else:
            yield foreign_objects.make_foreign_object(rng, chunk.kind, chunk.motifs)


def _find_candidates(pixels: np.ndarray) -> list[Circle]:
    """The coins in an image."""
    scale_range = (OPTICS.px_per_mm, OPTICS.px_per_mm)
    low_px, high_px = compute_search_radii(SEARCHED_DIAMETERS_MM, scale_range)
    return find_coins(pixels, Search(low_px, high_px, **LENIENT_SEARCH))


def _find_near(circles: list[Circle], x_px: float, y_px: float) -> Circle | None:
    for circle in circles:
        offset_px = np.hypot(circle.x_px - x_px, circle.y_px - y_px)
        if offset_px < MAX_OFFSET_RADII * circle.radius_px:
            return circle
    return None


def _number_label(label: str | None) -> int:
    names = [denomination.label for denomination in currency.DENOMINATIONS]
    return names.index(label) if label else FOREIGN_LABEL
