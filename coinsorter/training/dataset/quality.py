"""One image -> the coin in it, or why it is left out; and the perceptual hash of a coin's face."""

from dataclasses import dataclass, replace
from math import ceil, hypot
from typing import Any, Self

import cv2
import imagehash
import numpy as np
from PIL import Image

from coinsorter.errors import ImageError
from coinsorter.images.image_decoding import decode_page
from coinsorter.records import Circle
from coinsorter.vision.detect import PATCH_CONTRAST, Search, compute_search_radii, find_coins

#: Why an image is left out; the order is that in which images are checked.
REASONS = {
    "unreadable": "no image that can be read, or a damaged one",
    "no-label": "nothing says which coin it shows",
    "tiny": "the image, or the coin in it, has too few pixels",
    "blank": "nothing stands out in it",
    "no-coin": "nothing round in it, as the machine sees it",
    "several-coins": "more than one coin: which one is meant?",
    "blurred": "out of focus, or moved",
    "duplicate": "the same image as another one, pixel by pixel",
    "near-duplicate": "nearly the same image as another one of its label",
    "one-side": "the coin's other face is missing",
}

#: A coin's radius over an image's shorter edge, where no size is given. With it exactly one coin is
#: found in all 605 frames of brl-frames/day1 (where coins have 0.07 to 0.09) and in 96 % of
#: euro-crops/train (0.3 to 0.48).
FRAME_RADII = 0.04, 0.48
#: Pixels; smaller circles are found anywhere.
MIN_SEARCHED_PX = 8.0
#: Coins are found as leniently as makes sense: training measures how a lone coin's outline is.
LENIENT_SEARCH: dict[str, Any] = {"min_roundness": 0.5, "min_quality": 0.5, "max_off_patch": 0.5}

#: The coin of a ready crop has a radius within this range, over the shorter edge ...
CROP_RADII = 0.3, 0.55
#: ... and its centre is within this distance of the middle, over the shorter edge.
CROP_OFF = 0.1
#: Radius of the coin in a ready crop where none can be measured, over the shorter edge.
INSCRIBED = 0.48
#: Edge of the squares in the corners that show the surround, over the shorter edge.
CORNER = 0.12
#: Corners that are all of one such grey were painted over and show no belt.
MASKS = ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))

#: Pixels of an image's shorter edge.
MIN_SIDE_PX = 32
#: Pixels; a smaller coin would be enlarged almost threefold for a crop of 64 pixels.
MIN_RADIUS_PX = 12.0
#: Half the edge of the square that is kept, in radii: as far as the detector looks around a coin,
#: and as far as a recipe's crop may reach.
HALF_EDGE = 1.5

#: Sharpness is the variance of the Laplacian over the variance of the grey levels, on the coin's
#: face shrunk to this width in pixels. As a share of one it depends on neither lamp nor contrast.
FACE_PX = 48
#: Of the coin's radius: the rim is sharp on a worn coin too, and against any belt.
FACE_RADIUS = 0.84
#: Below it are 2 of 605 images in brl-frames/day1, 3 of 2,830 in euro-crops and 9 of 800 in
#: euro-crops-64/train; once blurred by a Gaussian of 6 % of the radius, 95 % of each.
MIN_SHARPNESS = 0.4

#: Perceptual hash: 16 x 16 bits of the face's cosine transform (imagehash.phash).
HASH_EDGE = 16
#: Pixels; the width of the face that is hashed.
HASH_FACE_PX = 96


@dataclass(frozen=True)
class Rejection:
    """Why an image is left out: one of REASONS, and a word on it."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class ExpectedCoins:
    """What coins look like in the images at hand.

    crops: the images are ready crops with a coin each.
    radii_px: the smallest and largest radius in frames, or None where no size is given.
    """

    crops: bool = False
    radii_px: tuple[float, float] | None = None

    @classmethod
    def from_scale(
        cls, crops: bool, px_per_mm: float | None, diameters_mm: tuple[float, float] | None
    ) -> Self:
        """Radii from a scale and the smallest and largest diameter; none without either."""
        if px_per_mm is None or diameters_mm is None:
            return cls(crops)
        return cls(crops, compute_search_radii(diameters_mm, (px_per_mm, px_per_mm)))


@dataclass(frozen=True, eq=False)
class CoinImage:
    """An image that is fit to train on.

    pixels: uint8, shape (h, w, 3), RGB. circle: the coin in it.
    x_px, y_px: the coin's centre in the original image.
    """

    pixels: np.ndarray
    circle: Circle
    x_px: float
    y_px: float


def decode_or_reject(content: bytes, page: int = 0) -> np.ndarray | Rejection:
    """An image file's content as uint8 (h, w, 3) RGB, whatever its depth and orientation.

    page: which of its images, from 0. Returns what is wrong where it is not read.
    """
    try:
        return decode_page(content, page)
    except ImageError as error:
        return Rejection("unreadable", str(error))


def extract_coin(pixels: np.ndarray, expected: ExpectedCoins) -> CoinImage | Rejection:
    """The coin of an image, uint8 (h, w, 3) RGB, cut out of it; or what is wrong."""
    if rejection := _reject_image(pixels):
        return rejection
    circle = locate_in_crop(pixels) if expected.crops else _locate_in_frame(pixels, expected)
    if isinstance(circle, Rejection):
        return circle
    if circle.radius_px < MIN_RADIUS_PX:
        size = f"a coin of {circle.radius_px:.0f} pixels radius"
        return Rejection("tiny", f"{size}; at least {MIN_RADIUS_PX:g} are needed")
    if expected.crops:
        coin = CoinImage(pixels, circle, circle.x_px, circle.y_px)
    else:
        coin = _cut_square(pixels, circle)
    return _reject_blurred(coin) or coin


def _reject_image(pixels: np.ndarray) -> Rejection | None:
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        return Rejection("tiny", f"{width} x {height} pixels; at least {MIN_SIDE_PX} are needed")
    contrast = measure_contrast(pixels)
    if contrast < PATCH_CONTRAST:
        return Rejection("blank", f"{contrast:.0f} grey levels of contrast")
    return None


def _reject_blurred(coin: CoinImage) -> Rejection | None:
    sharpness = measure_sharpness(coin.pixels, coin.circle)
    if sharpness >= MIN_SHARPNESS:
        return None
    detail = f"sharpness {sharpness:.2f}, at least {MIN_SHARPNESS:g} is needed"
    return Rejection("blurred", detail)


def measure_contrast(pixels: np.ndarray) -> float:
    """Grey levels between an image's darkest and brightest parts, in the channel with most.

    Specks and noise do not count.
    """
    size = (MIN_SIDE_PX, MIN_SIDE_PX)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).reshape(-1, 3)
    dark_and_bright = np.percentile(small, (1, 99), axis=0)
    return float(np.ptp(dark_and_bright, axis=0).max())


def _locate_in_frame(pixels: np.ndarray, expected: ExpectedCoins) -> Circle | Rejection:
    shorter = min(pixels.shape[:2])
    smallest = max(FRAME_RADII[0] * shorter, MIN_SEARCHED_PX)
    low, high = expected.radii_px or (smallest, FRAME_RADII[1] * shorter)
    circles = _find_circles(pixels, low, high) if low <= shorter / 2 else []
    if not circles:
        return Rejection("no-coin", f"none of {low:.0f} to {high:.0f} pixels radius")
    if len(circles) > 1:
        return Rejection("several-coins", f"{len(circles)} coins")
    return circles[0]


def _find_circles(pixels: np.ndarray, low: float, high: float) -> list[Circle]:
    return find_coins(pixels, Search(low, high, **LENIENT_SEARCH))


def locate_in_crop(
    pixels: np.ndarray, surround: tuple[float, float, float] | None = None
) -> Circle:
    """The coin that fills a ready crop, uint8 (h, w, 3) RGB.

    It is the measured circle where exactly one fills the crop, else the inscribed one with
    quality 0. surround: what the belt is taken to look like where the crop's corners were painted
    over.
    """
    corners = _measure_corners(pixels)
    is_painted = surround is not None and corners in MASKS
    belt = surround if is_painted and surround is not None else corners
    circles = _find_filling_circles(pixels)
    if len(circles) != 1:
        return _inscribe(pixels, belt)
    return replace(circles[0], surround=belt) if is_painted else circles[0]


def _find_filling_circles(pixels: np.ndarray) -> list[Circle]:
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    low, high = (share * shorter for share in CROP_RADII)
    return [
        circle
        for circle in _find_circles(pixels, low, high)
        if hypot(circle.x_px - middle_x, circle.y_px - middle_y) <= CROP_OFF * shorter
    ]


def _inscribe(pixels: np.ndarray, surround: tuple[float, float, float]) -> Circle:
    height, width = pixels.shape[:2]
    return Circle(
        x_px=(width - 1) / 2,
        y_px=(height - 1) / 2,
        radius_px=INSCRIBED * min(height, width),
        quality=0.0,
        roundness=1.0,
        sharpness=0.0,
        surround=surround,
        alone=True,
    )


def _measure_corners(pixels: np.ndarray) -> tuple[float, float, float]:
    """Median RGB of an image's four corners."""
    edge = max(1, round(CORNER * min(pixels.shape[:2])))
    first, last = slice(edge), slice(-edge, None)
    places = [(first, first), (first, last), (last, first), (last, last)]
    corners = [pixels[rows, columns].reshape(-1, 3) for rows, columns in places]
    red, green, blue = np.median(np.concatenate(corners), axis=0).tolist()
    return red, green, blue


def _cut_square(pixels: np.ndarray, circle: Circle) -> CoinImage:
    """The coin with what is around it, at native resolution.

    Beyond the image's border its edge is repeated.
    """
    half = ceil(HALF_EDGE * circle.radius_px)
    left, top = round(circle.x_px) - half, round(circle.y_px) - half
    edge = 2 * half + 1
    height, width = pixels.shape[:2]
    beyond = (
        max(0, -top),
        max(0, top + edge - height),
        max(0, -left),
        max(0, left + edge - width),
    )
    inner = pixels[max(0, top) : top + edge, max(0, left) : left + edge]
    square = cv2.copyMakeBorder(inner, *beyond, cv2.BORDER_REPLICATE)
    moved = replace(circle, x_px=circle.x_px - left, y_px=circle.y_px - top)
    return CoinImage(square, moved, circle.x_px, circle.y_px)


def measure_sharpness(pixels: np.ndarray, circle: Circle) -> float:
    """How sharp a coin's face is: variance of the Laplacian over that of the grey levels.

    Noise counts as sharp, a plain face as blurred.
    """
    edge = min(FACE_PX, round(2 * circle.radius_px))
    grey = cut_face(pixels, circle, edge).astype(np.float32)
    steps = np.arange(edge) - (edge - 1) / 2
    on_face = np.hypot(*np.meshgrid(steps, steps)) <= FACE_RADIUS * edge / 2
    laplacian_variance = cv2.Laplacian(grey, cv2.CV_32F)[on_face].var()
    return float(laplacian_variance / max(float(grey[on_face].var()), 1.0))


def cut_face(pixels: np.ndarray, circle: Circle, edge_px: int) -> np.ndarray:
    """The square around a coin in grey levels, scaled to uint8 (edge_px, edge_px)."""
    edge = 2 * ceil(circle.radius_px) + 1
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    tight = cv2.getRectSubPix(grey, (edge, edge), (circle.x_px, circle.y_px))
    return cv2.resize(tight, (edge_px, edge_px), interpolation=cv2.INTER_AREA)


def hash_face(pixels: np.ndarray, circle: Circle) -> str:
    """256 bits of what a coin's face looks like, as 64 hexadecimal digits; turned faces differ."""
    face = Image.fromarray(cut_face(pixels, circle, HASH_FACE_PX))
    return str(imagehash.phash(face, hash_size=HASH_EDGE))
