"""One picture -> the coin in it, or why it is left out; and how alike two pictures are."""

import io
import warnings
from dataclasses import dataclass, replace
from math import ceil, hypot
from typing import Self

import cv2
import imagehash
import numpy as np
from PIL import Image

from coinsorter.hardware.camera.open_camera import decode
from coinsorter.records import Circle
from coinsorter.sorting.assembly import SEARCH_MARGIN
from coinsorter.vision.detect import PATCH_CONTRAST, Search, find_things

# Why a picture is left out; the order is that in which pictures are looked at.
REASONS = {
    "unreadable": "no picture that can be read, or a damaged one",
    "no-label": "nothing says which coin it shows",
    "tiny": "the picture, or the coin in it, has too few pixels",
    "blank": "nothing stands out in it",
    "no-coin": "nothing round in it, as the machine sees it",
    "several-coins": "more than one coin: which one is meant?",
    "blurred": "out of focus, or moved",
    "duplicate": "the same picture as another one, pixel by pixel",
    "near-duplicate": "nearly the same picture as another one of its label",
    "one-side": "the coin's other face is missing",
}
# A coin's radius over a picture's shorter edge, where nobody says how large coins are. With it exactly one coin is found in all 605 of
# brl-frames/day1 (where coins have 0.07 to 0.09) and in 96 % of euro-crops/train (0.3 to 0.48).
FRAME_RADII = 0.04, 0.48
MIN_SEARCHED_PX = 8.0  # smaller circles are found anywhere
# Coins are found as leniently as makes sense: what a lone coin's outline is like is measured in training, not assumed.
LENIENT_SEARCH = {"min_roundness": 0.5, "min_quality": 0.5, "max_off_patch": 0.5}

# The coin of a ready crop: about as large, and with its centre within this of the middle, over the shorter edge.
CROP_RADII = 0.3, 0.55
CROP_OFF = 0.1
INSCRIBED = 0.48  # radius of the coin in a ready crop where none can be measured
CORNER = 0.12  # of the shorter edge: the squares that tell its surround
MASKS = (
    (0.0,) * 3,
    (255.0,) * 3,
)  # corners that are all of one such grey were painted over and show no belt

MIN_SIDE_PX = 32
MIN_RADIUS_PX = 12.0  # a smaller coin would be blown up almost threefold for a crop of 64 pixels
HALF_EDGE = 1.5  # of the square that is kept, in radii: as far as segment.py looks, and as a recipe's crop may reach

# Sharpness: variance of the Laplacian over the variance of the grey levels, on the coin's face shrunk to this width (a share of one: lamp
# and contrast fall out). Below the limit are 2 of 605 pictures in brl-frames/day1, 3 of 2,830 in euro-crops and 9 of 800 in
# euro-crops-64/train; once blurred by a Gaussian of 6 % of the radius, 95 % of each.
FACE_PX = 48
FACE_RADIUS = 0.84  # of the coin's: the rim is sharp on a worn coin too, and against any belt
MIN_SHARPNESS = 0.4

# Perceptual hash: 256 bits of the face's cosine transform (imagehash.phash). Copies saved again, made smaller or brighter differ by 2 to 24
# bits; the nearest pictures of different labels by 36 in brl-frames/day1, 34 in euro-crops, 28 in krw-crops. With 64 bits it was 2 to 6.
HASH_EDGE = 16
HASH_FACE_PX = 96
NEAR_BITS = 20


@dataclass(frozen=True)
class Rejection:
    """Why a picture is left out: one of REASONS, and a word on it."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class ExpectedCoins:
    """What coins look like in the pictures at hand.

    crops: they are ready crops with a coin each. radii_px: the smallest and largest in frames, or None where nobody said.
    """

    crops: bool = False
    radii_px: tuple[float, float] | None = None

    @classmethod
    def of(
        cls, crops: bool, px_per_mm: float | None, diameters_mm: tuple[float, float] | None
    ) -> Self:
        if px_per_mm is None or diameters_mm is None:
            return cls(crops)
        low, high = (
            margin * diameter / 2 * px_per_mm
            for margin, diameter in zip(SEARCH_MARGIN, diameters_mm)
        )
        return cls(crops, (low, high))


@dataclass(frozen=True, eq=False)
class CoinImage:
    """A picture fit to train on. pixels: uint8 (h, w, 3) RGB. circle: the coin in it. x_px, y_px: its centre in the original."""

    pixels: np.ndarray
    circle: Circle
    x_px: float
    y_px: float


def read(content: bytes) -> np.ndarray | Rejection:
    """A picture file's content as uint8 (h, w, 3) RGB, whatever its depth, colours and orientation; or what is wrong."""
    if not content:
        return Rejection("unreadable", "an empty file")
    try:
        with warnings.catch_warnings(action="ignore"):
            Image.open(io.BytesIO(content)).close()
    except Image.DecompressionBombError:
        return Rejection(
            "unreadable", f"more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} megapixels"
        )
    except (
        OSError,
        ValueError,
        OverflowError,
    ):  # OpenCV reads some kinds of TIFF that Pillow does not, and judges what is damaged
        pass
    pixels = decode(content)
    return Rejection("unreadable", "no picture, or a damaged one") if pixels is None else pixels


def look(pixels: np.ndarray, looks: ExpectedCoins) -> CoinImage | Rejection:
    """The coin of a picture, uint8 (h, w, 3) RGB, cut out of it; or what is wrong."""
    shorter = min(pixels.shape[:2])
    if shorter < MIN_SIDE_PX:
        return Rejection(
            "tiny",
            f"{pixels.shape[1]} x {pixels.shape[0]} pixels; at least {MIN_SIDE_PX} are needed",
        )
    if contrast(pixels) < PATCH_CONTRAST:
        return Rejection("blank", f"{contrast(pixels):.0f} grey levels of contrast")
    circle = locate_in_crop(pixels) if looks.crops else _in_frame(pixels, looks)
    if isinstance(circle, Rejection):
        return circle
    if circle.radius_px < MIN_RADIUS_PX:
        return Rejection(
            "tiny",
            f"a coin of {circle.radius_px:.0f} pixels radius; at least {MIN_RADIUS_PX:g} are needed",
        )
    kept = (
        CoinImage(pixels, circle, circle.x_px, circle.y_px)
        if looks.crops
        else _square(pixels, circle)
    )
    sharp = sharpness(kept.pixels, kept.circle)
    return (
        kept
        if sharp >= MIN_SHARPNESS
        else Rejection("blurred", f"sharpness {sharp:.2f}, at least {MIN_SHARPNESS:g} is needed")
    )


def contrast(pixels: np.ndarray) -> float:
    """Grey levels between a picture's darkest and brightest parts, in the channel where it is most; specks and noise do not count."""
    small = cv2.resize(pixels, (MIN_SIDE_PX, MIN_SIDE_PX), interpolation=cv2.INTER_AREA).reshape(
        -1, 3
    )
    return float(np.ptp(np.percentile(small, (1, 99), axis=0), axis=0).max())


def _in_frame(pixels: np.ndarray, looks: ExpectedCoins) -> Circle | Rejection:
    shorter = min(pixels.shape[:2])
    low, high = looks.radii_px or (
        max(FRAME_RADII[0] * shorter, MIN_SEARCHED_PX),
        FRAME_RADII[1] * shorter,
    )
    circles = _circles(pixels, low, high) if low <= shorter / 2 else []
    if not circles:
        return Rejection("no-coin", f"none of {low:.0f} to {high:.0f} pixels radius")
    return circles[0] if len(circles) == 1 else Rejection("several-coins", f"{len(circles)} coins")


def _circles(pixels: np.ndarray, low: float, high: float) -> list[Circle]:
    return [
        circle
        for circle in find_things(pixels, Search(low, high, **LENIENT_SEARCH))
        if circle.quality
    ]


def locate_in_crop(
    pixels: np.ndarray, surround: tuple[float, float, float] | None = None
) -> Circle:
    """The coin that fills a ready crop: as measured where exactly one does, else the inscribed circle.

    surround: what the belt is taken to look like where the crop's corners were painted over.
    """
    height, width = pixels.shape[:2]
    shorter, middle = min(height, width), ((width - 1) / 2, (height - 1) / 2)
    circles = _circles(pixels, *(share * shorter for share in CROP_RADII))
    filling = [
        circle
        for circle in circles
        if hypot(circle.x_px - middle[0], circle.y_px - middle[1]) <= CROP_OFF * shorter
    ]
    corners = _corners(pixels)
    painted = surround is not None and corners in MASKS
    if len(filling) == 1:
        return replace(filling[0], surround=surround) if painted else filling[0]
    return Circle(
        *middle,
        INSCRIBED * shorter,
        quality=0.0,
        roundness=1.0,
        sharpness=0.0,
        surround=surround if painted else corners,
        alone=True,
    )


def _corners(pixels: np.ndarray) -> tuple[float, float, float]:
    edge = max(1, round(CORNER * min(pixels.shape[:2])))
    corners = [
        pixels[rows, columns].reshape(-1, 3)
        for rows in (slice(edge), slice(-edge, None))
        for columns in (slice(edge), slice(-edge, None))
    ]
    red, green, blue = np.median(np.concatenate(corners), axis=0).tolist()
    return red, green, blue


def _square(pixels: np.ndarray, circle: Circle) -> CoinImage:
    """The coin with what is around it, at native resolution; beyond the picture's border its edge is repeated."""
    half = ceil(HALF_EDGE * circle.radius_px)
    left, top = round(circle.x_px) - half, round(circle.y_px) - half
    edge, (height, width) = 2 * half + 1, pixels.shape[:2]
    beyond = [max(0, -top), max(0, top + edge - height), max(0, -left), max(0, left + edge - width)]
    inner = pixels[max(0, top) : top + edge, max(0, left) : left + edge]
    square = cv2.copyMakeBorder(inner, *beyond, cv2.BORDER_REPLICATE)
    return CoinImage(square, _moved(circle, -left, -top), circle.x_px, circle.y_px)


def _moved(circle: Circle, x: float, y: float) -> Circle:
    return replace(circle, x_px=circle.x_px + x, y_px=circle.y_px + y)


def sharpness(pixels: np.ndarray, circle: Circle) -> float:
    """How sharp a coin's face is: variance of the Laplacian over that of the grey levels. Noise counts as sharp, a plain face as blurred."""
    edge = min(FACE_PX, round(2 * circle.radius_px))
    grey = face(pixels, circle, edge).astype(np.float32)
    steps = np.arange(edge) - (edge - 1) / 2
    on_face = np.hypot(*np.meshgrid(steps, steps)) <= FACE_RADIUS * edge / 2
    return float(
        cv2.Laplacian(grey, cv2.CV_32F)[on_face].var() / max(float(grey[on_face].var()), 1.0)
    )


def face(pixels: np.ndarray, circle: Circle, edge_px: int) -> np.ndarray:
    """The square around a coin in grey levels, shrunk or enlarged: uint8 (edge_px, edge_px)."""
    half = ceil(circle.radius_px)
    tight = cv2.getRectSubPix(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (2 * half + 1,) * 2, (circle.x_px, circle.y_px)
    )
    return cv2.resize(tight, (edge_px, edge_px), interpolation=cv2.INTER_AREA)


def hash_face(pixels: np.ndarray, circle: Circle) -> str:
    """256 bits of what a coin's face looks like, as 64 hexadecimal digits; turned faces differ."""
    return str(
        imagehash.phash(Image.fromarray(face(pixels, circle, HASH_FACE_PX)), hash_size=HASH_EDGE)
    )
