"""Crops of the simulated currency and of foreign things, found and cut by the machine's own code."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from coinsorter.simulator import coins, currency
from coinsorter.simulator.simulated_camera import Optics
from coinsorter.simulator.still_scenes import render_stills
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.samples.crop_store import CropStore
from coinsorter.training.samples.samples import FOREIGN_LABEL, Progress, Samples, make_empty_samples
from coinsorter.vision import crop
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.detect import Search, compute_search_radii, find_coins

# The simulated machine's camera, as config.yaml has it.
OPTICS = Optics(640, 480, 4.0, 0.375)
#: The smallest and largest diameter of the simulated denominations, mm.
DIAMETERS_MM = (18.0, 27.5)
CHUNK = 500
FIRST_SIMULATED_GROUP = 1 << 20  # group of the first drawn thing: beyond those of photographs


def simulate_samples(
    kind: str,
    count: int,
    spec: CropSpec,
    motifs: tuple[str, ...],
    seed: list[int],
    progress: Progress,
) -> Samples:
    """`count` simulated things of one kind ("coin": genuine ones, each denomination as often), photographed, found and cut."""
    if not count:
        return make_empty_samples(spec)
    jobs = [
        (kind, min(CHUNK, count - start), start // CHUNK, spec, motifs, seed)
        for start in range(0, count, CHUNK)
    ]
    parts, shelf = [], CropStore(spec.size_px)
    with multiprocessing.get_context("spawn").Pool() as pool:
        for part in pool.imap(_simulated_chunk, jobs):
            for picture in part.crops:
                shelf.add(picture)
            parts.append(replace(part, crops=np.empty((len(part), 0))))
            progress(min(count, CHUNK * len(parts)))
    return replace(Samples.concatenate(parts), crops=shelf.finish())


def _simulated_chunk(job: tuple[str, int, int, CropSpec, tuple[str, ...], list[int]]) -> Samples:
    kind, count, chunk, spec, motifs, seed = job
    rng = np.random.default_rng([*seed, chunk])
    things = _things(kind, count, motifs, rng)
    names = [coin.label for coin in currency.DENOMINATIONS]
    scale_range = (OPTICS.px_per_mm, OPTICS.px_per_mm)
    smallest, largest = compute_search_radii(DIAMETERS_MM, scale_range)
    search = Search(smallest, largest, **LENIENT_SEARCH)
    crops, labels, circles, diameters = [], [], [], []
    for still in render_stills(things, OPTICS, rng):
        seen = find_coins(still.pixels, search)
        for thing, x_px, y_px in still.items:
            near = [c for c in seen if np.hypot(c.x_px - x_px, c.y_px - y_px) < 0.3 * c.radius_px]
            if near:
                diameters.append(2 * near[0].radius_px / OPTICS.px_per_mm)
                crops.append(crop.cut_crop(still.pixels, near[0], diameters[-1], spec))
                labels.append(names.index(thing.label) if thing.label else FOREIGN_LABEL)
                circles.append(near[0])
    shaped = np.array(crops, np.uint8).reshape(-1, spec.size_px, spec.size_px, 3)
    return Samples(
        shaped,
        np.array(labels, int),
        tuple(circles),
        np.array(diameters),
        FIRST_SIMULATED_GROUP + chunk * CHUNK + np.arange(len(labels)),
    )


def _things(
    kind: str, count: int, motifs: tuple[str, ...], rng: np.random.Generator
) -> Iterator[coins.Item]:
    for number in range(count):
        if kind == coins.GENUINE:
            yield coins.make_genuine_coin(
                rng, currency.DENOMINATIONS[number % len(currency.DENOMINATIONS)].label
            )
        else:
            yield coins.make_foreign_object(rng, kind, motifs)
