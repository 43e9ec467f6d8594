"""A belt with real coins on it, as frames for the emulated Pi's camera.

The coins are cut out of photographs of brl-frames/day2; their ride is synthetic. Every photograph
is brought to the scale of one flat view by the plane that the photographs' own bundle brings, and
blended into plain paper. Some foreign coins of krw-crops ride along; they have no label, and their
size is invented.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from coinsorter.images.image_io import list_images, read_image
from coinsorter.recognition.bundle import Bundle
from coinsorter.sorting.assembly import build_search
from coinsorter.vision.detect import find_circles
from tests.conftest import CONFIG

WIDTH_PX, HEIGHT_PX = 640, 480
PX_PER_MM = 3.2
FRAMES_PER_S = 4  # which a slow computer can still show: the image says what rides by, not the time
STEP_MM, SPACING_MM = 10.0, 110.0  # from picture to picture, from coin to coin
PAPER = 175.0
AROUND = 1.5  # of a coin's radius: how much paper is cut out with it
PINS = {"005": 5, "010": 6, "025": 13, "050": 16, "100": 19}  # of each label's flap
DISTANCES_MM = [180, 220, 260, 300, 340]
FOREIGN = "foreign"
FOREIGN_MM = 28.5  # wider than any coin of the bundle


@dataclass(frozen=True)
class CoinPatch:
    """A coin that is cut out.

    label: its folder's name, FOREIGN for one of another currency.
    pixels: float32 (n, n, 3) RGB at PX_PER_MM, on paper of PAPER.
    """

    label: str
    pixels: np.ndarray


def coins(data: Path, bundle: Bundle, count: int, foreign: int, seed: int = 1) -> list[CoinPatch]:
    """So many coins, some of them foreign, in a random order; of the labels in equal parts."""
    rng = np.random.default_rng(seed)
    known: list[CoinPatch] = []
    folders = [list_images(data / "brl-frames" / "day2" / label) for label in bundle.labels]
    while len(known) < count - foreign:
        path = str(rng.choice([str(path) for path in folders[len(known) % len(folders)]]))
        known += _cut_out(Path(path), bundle)
    foreign_paths = rng.choice(
        [str(path) for path in list_images(data / "krw-crops" / "test")], foreign, replace=False
    )
    everything = known + [_foreign(Path(path)) for path in foreign_paths]
    return [everything[i] for i in rng.permutation(len(everything))]


def write_frames(patches: list[CoinPatch], folder: Path) -> int:
    """Writes 0.jpg, 1.jpg, ...: the belt with all coins; returns how many frames there are.

    After the last frame comes the first again: the belt is a loop, the coins equally far apart.
    """
    rng = np.random.default_rng(0)
    paper = PAPER + rng.normal(0, 2.0, (HEIGHT_PX, WIDTH_PX, 3)).astype(np.float32)
    step_px = STEP_MM * PX_PER_MM
    gap_px = SPACING_MM * PX_PER_MM
    loop_px = gap_px * len(patches)
    unseen_px = (loop_px - WIDTH_PX) / 2
    count = round(loop_px / step_px)
    for number in range(count):
        frame = np.roll(paper, round(number * step_px), axis=1)
        for place, coin in enumerate(patches):
            ridden_px = number * step_px - gap_px * (place + 1)
            x = (ridden_px + unseen_px) % loop_px - unseen_px
            _lay(frame, coin, x, HEIGHT_PX / 2 + 60 * np.sin(2.4 * place))
        if not cv2.imwrite(
            str(folder / f"{number}.jpg"),
            frame.clip(0, 255).astype(np.uint8)[..., ::-1],
            [cv2.IMWRITE_JPEG_QUALITY, 95],
        ):
            raise OSError(f"{folder}: a frame cannot be written")
    return count


def settings() -> str:
    """config.yaml of a machine that looks at such a belt, with a bin for each Brazilian coin."""
    text, servo = (
        CONFIG.read_text(),
        "rest_deg: 20, open_deg: 160",
    )  # far apart, as the emulated Pi's pulses jitter
    bins = [
        f"  - {{name: bin_{label}, labels: ['{label}'], "
        f"flap: {{pin: {pin}, {servo}, distance_mm: {distance}, travel_ms: 80}}}}\n"
        for (label, pin), distance in zip(PINS.items(), DISTANCES_MM)
    ]
    before, rest = text.split("\nbins:\n")
    text = before + "\nbins:\n" + "".join(bins) + "\n" + rest[rest.index("reject_bin:") :]
    for old, new in {
        "frames_per_s: 60": f"frames_per_s: {FRAMES_PER_S}",
        "speed_mm_s: 250": f"speed_mm_s: {FRAMES_PER_S * STEP_MM:g}",
        "speed_tolerance_percent: 1.5": "speed_tolerance_percent: 2",
        "px_per_mm: 4.0": f"px_per_mm: {PX_PER_MM}",
        "path: var/ledger.db": "path: /var/lib/coinsorter/ledger.db",
        "bundle: models/crowns": "bundle: /opt/coinsorter/current/models/brl",
    }.items():
        assert text.count(f"  {old} ") == 1, old
        text = text.replace(f"  {old} ", f"  {new} ")
    return text


def _cut_out(path: Path, bundle: Bundle) -> list[CoinPatch]:
    """The coin of a photograph; none where it does not lie alone and whole on paper."""
    pixels, view = read_image(path), bundle.manifest.view
    circles = [
        circle for circle in find_circles(pixels, build_search(bundle, view)) if circle.quality
    ]
    if len(circles) != 1 or not circles[0].alone:
        return []
    circle = circles[0]
    reach = AROUND * circle.radius_px
    if not (
        reach <= circle.x_px < view.width_px - reach
        and reach <= circle.y_px < view.height_px - reach
    ):
        return []
    patch = _patch(
        pixels.astype(np.float32),
        circle.x_px,
        circle.y_px,
        reach,
        PX_PER_MM / view.px_per_mm_at(circle.x_px, circle.y_px),
    )
    return [CoinPatch(path.parent.name, patch)]


def _foreign(path: Path) -> CoinPatch:
    """A crop is filled by its coin, about."""
    pixels = read_image(path).astype(np.float32)
    size = pixels.shape[0]
    scale = FOREIGN_MM * PX_PER_MM / size
    patch = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    radius, whole = len(patch) / 2, int(2 * AROUND * len(patch) / 2) + 1
    laid = np.full((whole, whole, 3), PAPER, np.float32)
    _blend(laid, patch, whole / 2 - radius, whole / 2 - radius, _disc(len(patch), radius - 1, 1.0))
    return CoinPatch(FOREIGN, laid)


def _patch(pixels: np.ndarray, x: float, y: float, reach: float, scale: float) -> np.ndarray:
    """A square about (x, y), at another scale, its paper as light as PAPER."""
    size = round(2 * reach * scale)
    turn = np.array([[scale, 0, size / 2 - scale * x], [0, scale, size / 2 - scale * y]])
    patch = cv2.warpAffine(
        pixels,
        turn,
        (size, size),
        flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    rim = np.hypot(*(np.mgrid[:size, :size] - size / 2)) > 0.48 * size
    return patch * (PAPER / np.median(patch[rim], axis=0))


def _lay(frame: np.ndarray, coin: CoinPatch, x: float, y: float) -> None:
    size = len(coin.pixels)
    if -size < x < WIDTH_PX + size:
        _blend(
            frame, coin.pixels, x - size / 2, y - size / 2, _disc(size, 0.45 * size, 0.04 * size)
        )


def _disc(size: int, radius: float, soft: float) -> np.ndarray:
    """How much of what is laid down shows: 1 within the radius, 0 beyond, softly."""
    distance = np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2))
    return np.clip((radius - distance) / soft + 0.5, 0, 1).astype(np.float32)[..., None]


def _blend(
    frame: np.ndarray, patch: np.ndarray, left: float, top: float, cover: np.ndarray
) -> None:
    """Lays a patch onto a frame, to a fraction of a pixel; the frame's border cuts it off."""
    x, y = int(np.floor(left)), int(np.floor(top))
    shift = np.array([[1, 0, left - x], [0, 1, top - y]], np.float32)
    size = (patch.shape[1] + 1, patch.shape[0] + 1)
    moved = cv2.warpAffine(patch, shift, size, borderMode=cv2.BORDER_REPLICATE)
    opacity = cv2.warpAffine(cover, shift, size)[..., None]
    x0, y0, x1, y1 = (
        max(x, 0),
        max(y, 0),
        min(x + size[0], frame.shape[1]),
        min(y + size[1], frame.shape[0]),
    )
    if x0 < x1 and y0 < y1:
        part = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
        frame[y0:y1, x0:x1] += opacity[part] * (moved[part] - frame[y0:y1, x0:x1])
