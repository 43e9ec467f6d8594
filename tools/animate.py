"""Draw the README's moving image: the simulated machine sorts, as an animated WebP.

    python tools/animate.py [--out docs/demo.webp] [--coins 14] [--seed 3]

The run is a real one of `coinsorter run --simulate`: the upper part is what the virtual camera
delivers, with the bounding circles that the detector finds; the lower part shows the truth, where
each thing rides, how far each flap is open, and where the thing lands. Needs Pillow, which the
extra `train` brings.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from coinsorter.config.load import load_config
from coinsorter.recognition import bundle, runtime
from coinsorter.records import SORTED, Circle, Frame
from coinsorter.simulator.belt import Rider
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.sorting.machine import SortedCoin
from coinsorter.vision.detect import find_circles

ROOT = Path(__file__).parents[1]
WIDTH_PX, HEIGHT_PX = 800, 486
VIEW_PX = (384, 288)  # the camera's frame on the sheet
STRIP_PX_PER_MM = 1.36
STRIP_START_MM = -84.0  # of the belt, from the middle of the camera's view
STRIP_TOP_PX, STRIP_PX = 330, 58
BIN_TOP_PX, BIN_PX = 412, 46
FALL_S = 0.35
FRAMES_PER_S = 10
PAPER, INK, FAINT = (250, 249, 246), (40, 40, 44), (150, 148, 142)
GOOD, BAD, FLAP = (36, 124, 60), (176, 52, 44), (38, 88, 148)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Moment:
    """What the camera and the detector saw at one time."""

    frame: Frame
    circles: list[Circle]
    last: SortedCoin | None


@dataclass(frozen=True)
class Ride:
    """A thing, what it looks like from afar, and where and when it left the belt."""

    rider: Rider
    thumbnail: np.ndarray
    end_s: float
    end_mm: float


def sort_and_watch(coins: int, seed: int, folder: Path) -> tuple[SimulatedMachine, list[Moment]]:
    """A whole simulated run, and what was seen in it FRAMES_PER_S times a second."""
    config = load_config(ROOT / "config.yaml")
    models = bundle.load_bundle(ROOT / "models" / "crowns")
    machine = SimulatedMachine(
        config, models, folder / "ledger.db", coins, seed, runtime.pick_runtime("auto")
    )
    moments: list[Moment] = []
    last: list[SortedCoin] = []
    every = round(config.camera.frames_per_s / FRAMES_PER_S)
    take = machine.camera.next_frame

    def next_frame() -> Frame | None:
        frame = take()
        if frame is not None and frame.number % every == 0:
            circles = find_circles(frame.pixels, machine.machine.search)
            moments.append(Moment(frame, circles, last[-1] if last else None))
        return frame

    machine.camera.next_frame = next_frame
    machine.run(on_sorted=last.append)
    return machine, moments


def plan_rides(machine: SimulatedMachine) -> list[Ride]:
    """Where and when each thing leaves the belt."""
    places = {b.name: b.flap.distance_mm for b in machine.config.bins}
    belt_end_mm = max(places.values()) + 48
    camera = SimulatedCamera(Optics(64, 64, STRIP_PX_PER_MM, 0.0), np.random.default_rng(0))
    rides = []
    for rider in machine.belt.riders:
        end_mm = places.get(rider.landed or "", belt_end_mm)
        end_s = machine.belt.drive.compute_time_s(rider.offset_mm + end_mm)
        thumbnail = camera.render_frame([(camera.draw_item(rider.item), 0.0, 0.0)], 0.0)
        rides.append(Ride(rider, thumbnail, end_s, end_mm))
    return rides


def draw_sheet(machine: SimulatedMachine, rides: list[Ride], moment: Moment) -> np.ndarray:
    """One image of the animation: uint8 (HEIGHT_PX, WIDTH_PX, 3), RGB."""
    sheet = np.full((HEIGHT_PX, WIDTH_PX, 3), PAPER, np.uint8)
    now_s = moment.frame.taken_s
    _draw_view(sheet, moment)
    _draw_verdict(sheet, moment.last)
    _draw_belt(sheet, machine, now_s)
    _draw_riders(sheet, machine, rides, now_s)
    _draw_flaps(sheet, machine, now_s)
    _draw_bins(sheet, machine, rides, now_s)
    return sheet


def _draw_view(sheet: np.ndarray, moment: Moment) -> None:
    view = moment.frame.pixels.copy()
    for circle in moment.circles:
        centre = (round(circle.x_px), round(circle.y_px))
        colour = GOOD if circle.alone else BAD
        cv2.circle(view, centre, round(circle.radius_px), colour, 3, cv2.LINE_AA)
    small = cv2.resize(view, VIEW_PX, interpolation=cv2.INTER_AREA)
    sheet[14 : 14 + VIEW_PX[1], 14 : 14 + VIEW_PX[0]] = small


def _draw_verdict(sheet: np.ndarray, last: SortedCoin | None) -> None:
    left = VIEW_PX[0] + 40
    _write(sheet, "coinsorter", (left, 44), INK, 0.9)
    _write(sheet, "a simulated machine sorts", (left, 68), FAINT, 0.5)
    if last is None:
        return
    verdict, decision = last.verdict, last.decision
    accepted = decision.reason == SORTED
    colour = GOOD if accepted else BAD
    if last.coin.crops:
        crop = cv2.resize(last.coin.crops[0], (120, 120), interpolation=cv2.INTER_CUBIC)
        sheet[92 : 92 + 120, left : left + 120] = crop
        cv2.rectangle(sheet, (left - 2, 90), (left + 121, 213), colour, 2)
    evidence = {
        "label": verdict.label,
        "confidence": f"{100 * verdict.confidence:.2f} %",
        "diameter": f"{last.coin.diameter_mm:.2f} mm",
        "anomaly": f"{verdict.anomaly:.1f}",
        "alone": "yes" if last.coin.alone else "no",
    }
    for number, (name, value) in enumerate(evidence.items()):
        y = 108 + 24 * number
        _write(sheet, name, (left + 138, y), FAINT, 0.5)
        _write(sheet, value, (left + 240, y), INK, 0.5)
    end = f"into bin {decision.bin}" if accepted else f"rejected: {decision.reason}"
    _write(sheet, end, (left, 246), colour, 0.7)


def _strip_x(place_mm: float) -> int:
    return round((place_mm - STRIP_START_MM) * STRIP_PX_PER_MM)


def _draw_belt(sheet: np.ndarray, machine: SimulatedMachine, now_s: float) -> None:
    belt = slice(STRIP_TOP_PX, STRIP_TOP_PX + STRIP_PX)
    sheet[belt] = (92, 98, 104)
    run = machine.belt.drive.compute_position_mm(now_s)
    for mark in range(-20, 40):
        x = _strip_x(mark * 30 + run % 30)
        cv2.line(sheet, (x, belt.start), (x, belt.stop - 1), (84, 90, 96), 2)
    half_mm = machine.config.camera.width_px / machine.config.belt.px_per_mm / 2
    corner, opposite = (_strip_x(-half_mm), belt.start - 6), (_strip_x(half_mm), belt.stop + 5)
    cv2.rectangle(sheet, corner, opposite, FAINT, 1)
    _write(sheet, "camera", (corner[0] + 2, opposite[1] + 14), FAINT, 0.4)


def _draw_riders(
    sheet: np.ndarray, machine: SimulatedMachine, rides: list[Ride], now_s: float
) -> None:
    run = machine.belt.drive.compute_position_mm(now_s)
    middle = STRIP_TOP_PX + STRIP_PX // 2
    for ride in rides:
        x_mm = run - ride.rider.offset_mm
        across = round(ride.rider.y_mm * STRIP_PX_PER_MM)
        fallen = (now_s - ride.end_s) / FALL_S
        if fallen > 1:
            continue
        if fallen > 0:
            depth = BIN_TOP_PX + BIN_PX // 2 - middle
            _paste(sheet, ride.thumbnail, _strip_x(ride.end_mm), middle + round(depth * fallen))
        elif _strip_x(x_mm) > -40:
            _paste(sheet, ride.thumbnail, _strip_x(x_mm), middle + across)


def _paste(sheet: np.ndarray, thumbnail: np.ndarray, x: int, y: int) -> None:
    """Lay what stands out of a thumbnail onto the sheet, as far as it is on the sheet."""
    size = thumbnail.shape[0]
    yy, xx = np.mgrid[:size, :size] - size // 2
    rows, columns = yy + y, xx + x
    inside = (rows >= 0) & (rows < HEIGHT_PX) & (columns >= 0) & (columns < WIDTH_PX)
    belt = np.median(thumbnail[:4].reshape(-1, 3), axis=0)
    differs = np.abs(thumbnail.astype(int) - belt).max(axis=2) > 24
    solid = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))
    shown = inside & (solid > 0)
    sheet[rows[shown], columns[shown]] = thumbnail[shown]


def _draw_flaps(sheet: np.ndarray, machine: SimulatedMachine, now_s: float) -> None:
    bottom = STRIP_TOP_PX + STRIP_PX
    for bin_ in machine.config.bins:
        x = _strip_x(bin_.flap.distance_mm)
        _, openness = machine.belt.servos[bin_.name].find_openness_range(now_s, now_s)
        turn = np.deg2rad(90 * float(np.clip(openness, 0, 1)))
        tip = (x + 4 - round(34 * np.cos(turn)), bottom - round(STRIP_PX * np.sin(turn)))
        cv2.line(sheet, (x + 18, bottom), (tip[0] + 14, tip[1]), FLAP, 5, cv2.LINE_AA)


def _draw_bins(
    sheet: np.ndarray, machine: SimulatedMachine, rides: list[Ride], now_s: float
) -> None:
    reject = machine.config.reject_bin
    places = {b.name: b.flap.distance_mm for b in machine.config.bins}
    places[reject] = max(places.values()) + 48
    for name, place_mm in places.items():
        x = _strip_x(place_mm)
        count = sum(ride.rider.landed == name and now_s >= ride.end_s + FALL_S for ride in rides)
        colour = BAD if name == reject else GOOD
        box = ((x - 25, BIN_TOP_PX), (x + 25, BIN_TOP_PX + BIN_PX))
        cv2.rectangle(sheet, *box, colour if count else FAINT, 2)
        if count:
            width = cv2.getTextSize(str(count), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 2)[0][0]
            _write(sheet, str(count), (x - width // 2, BIN_TOP_PX + 32), colour, 0.8)
        _write(sheet, name, (x - 26, BIN_TOP_PX + BIN_PX + 16), INK, 0.34)


def _write(
    sheet: np.ndarray, text: str, place: tuple[int, int], colour: Colour, size: float
) -> None:
    thickness = 2 if size > 0.6 else 1
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


def write_animation(sheets: list[np.ndarray], path: Path) -> None:
    """Write the sheets as an animated WebP that repeats."""
    images = [Image.fromarray(sheet) for sheet in sheets]
    first, *others = images
    first.save(
        path,
        format="WEBP",
        save_all=True,
        append_images=others,
        duration=1000 // FRAMES_PER_S,
        loop=0,
        quality=55,
        method=4,
    )


def main() -> None:
    """Run the simulated machine and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "demo.webp", metavar="FILE")
    parser.add_argument("--coins", type=int, default=14, metavar="N")
    parser.add_argument("--seed", type=int, default=3, metavar="S")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        machine, moments = sort_and_watch(options.coins, options.seed, Path(folder))
    rides = plan_rides(machine)
    sheets = [draw_sheet(machine, rides, moment) for moment in moments]
    write_animation(sheets, options.out)
    size_kib = options.out.stat().st_size // 1024
    print(f"{options.out}: {len(sheets)} images, {size_kib} KiB")


if __name__ == "__main__":
    main()
