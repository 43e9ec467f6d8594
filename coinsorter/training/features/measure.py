"""Pictures of coins -> measures that a person can read: shape, size, colour, texture and edges; a row per coin.

A measure's name begins with its family and ends with its unit, where it has one. All but sizes are taken from one standard crop, in which
every coin has the same radius and the belt the same colour, so that neither the camera's distance nor its light is measured.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log10, pi
from pathlib import Path

import cv2
import numpy as np
from skimage.color import rgb2hsv, rgb2lab
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.measure import label as labelled_parts
from skimage.measure import regionprops

from coinsorter.errors import InputError
from coinsorter.images import list_images, read_image
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle
from coinsorter.sorting.assembly import build_search
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.dataset.splits import number_bursts
from coinsorter.vision import crop
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.detect import MIN_SIDE_PX, Search, find_circles
from coinsorter.vision.scale import ScalePlane

STANDARD = CropSpec(
    96, 1.06, (110.0, 110.0, 110.0)
)  # with a bundle, the belt is as it is in the bundle's own crops
RADIUS_PX = STANDARD.size_px / 2 / STANDARD.margin  # of every coin in it
UNKNOWN_RADII = 0.05, 0.3  # of a frame's shorter edge: where nothing is known of its coins' sizes
WITHIN, CORE, RING = (
    (0.0, 0.96),
    (0.0, 0.55),
    (0.75, 0.95),
)  # zones, in radii; 1 real and 1 and 2 euro change metal at 0.6 to 0.7
RINGS = 8
GREYS = 32  # that the co-occurrence matrix tells apart
STEPS_PX = 1, 3  # its distances
LBP_POINTS, LBP_RADIUS_PX = 8, 2
CANNY = 60, 140
ORIENTATIONS = 18
PATCH = 1.35  # half the edge of the patch that a coin's contour is sought in, in radii
PATCH_RADIUS_PX = 50.0  # of the coin there
BURST_S = 40.0  # as recipes have it

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class MeasuredCoin:
    """One row. label: the name of its folder, None where nobody knows. group: equal for pictures of one coin taken in one go."""

    path: Path
    label: str | None
    group: int
    measures: dict[str, float]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The coins of a folder. left_out: why other pictures were not measured, by path. shown: one standard crop of each label."""

    coins: tuple[MeasuredCoin, ...]
    left_out: dict[str, str]
    shown: dict[str, np.ndarray]

    @property
    def names(self) -> list[str]:
        return list(self.coins[0].measures)

    def values(self, coins: Sequence[MeasuredCoin] | None = None) -> np.ndarray:
        """float (n, measures), of the given coins or all; nan where one could not be taken."""
        return np.array(
            [list(coin.measures.values()) for coin in (self.coins if coins is None else coins)],
            float,
        ).reshape(-1, len(self.names))


def family(name: str) -> str:
    """What a measure is one of: size, shape, colour, profile, texture or edge."""
    return name.split("_")[0]


def measure_folder(
    folder: Path, models: Bundle | None, crops: bool, gap_s: float, progress: Progress
) -> FeatureTable:
    """Every coin below a folder, one in each picture. Raises InputError where there is none.

    models: for the coins' sizes and the view's scale. gap_s: pictures of one folder that are no further apart, by the last number in their
    names, are one burst; 0: each is taken to be a coin of its own.
    """
    paths = list_images(folder)
    groups = np.array(number_bursts(paths, gap_s)) if gap_s else np.arange(1, len(paths) + 1)
    spec, plane = (
        (replace(STANDARD, surround=models.crop.surround), models.view)
        if models
        else (STANDARD, None)
    )
    coins, left_out, shown = [], {}, {}
    for number, (path, group) in enumerate(zip(paths, groups.tolist())):
        pixels = read_image(path)
        circle = "unreadable" if pixels is None else _outline(pixels, models, crops)
        if isinstance(circle, Circle) and pixels is not None:
            label = (
                None
                if path.parent == folder
                else models.resolve_label(path.parent.name)
                if models
                else path.parent.name
            )
            own = measures(pixels, circle, spec, plane, sized=not crops)
            coins.append(MeasuredCoin(path.relative_to(folder), label, group, own))
            shown.setdefault(label or "", crop.cut(pixels, circle, 0.0, spec))
        else:
            left_out[str(path.relative_to(folder))] = str(circle)
        progress(number + 1)
    if not coins:
        why = "; ".join(sorted(set(left_out.values())))
        raise InputError(
            f"{folder}: none of its {len(paths)} pictures can be measured ({why}); if each is one ready crop, add --crops"
        )
    return FeatureTable(tuple(coins), left_out, shown)


def _outline(pixels: np.ndarray, models: Bundle | None, crops: bool) -> Circle | str:
    if crops:
        return quality.locate_in_crop(pixels, STANDARD.surround)
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        return "too small"
    if models and pixels.shape[:2] != (models.view.height_px, models.view.width_px):
        return "not the bundle's view"
    circles = [circle for circle in find_circles(pixels, _search(pixels, models)) if circle.quality]
    return circles[0] if len(circles) == 1 else f"{len(circles)} coins"


def _search(pixels: np.ndarray, models: Bundle | None) -> Search:
    if models:
        known = build_search(models, models.view)
        return Search(known.min_radius_px, known.max_radius_px, **LENIENT_SEARCH)
    return Search(*(share * min(pixels.shape[:2]) for share in UNKNOWN_RADII), **LENIENT_SEARCH)


def measures(
    pixels: np.ndarray, circle: Circle, spec: CropSpec, plane: ScalePlane | None, sized: bool
) -> dict[str, float]:
    """Every measure of one coin, always in the same order.

    spec: STANDARD, but for the belt's colour. plane: None where mm are not known. sized: the picture tells the coin's size.
    """
    picture = crop.cut(pixels, circle, 0.0, spec)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    lab = rgb2lab(picture)
    contour = _contour(pixels, circle)
    sizes = _sizes(circle, contour, plane) if sized else {}
    return {
        **sizes,
        **_shape(circle, contour, grey, sized),
        **_colours(picture, lab),
        **_profile(lab),
        **_texture(grey),
        **_edges(grey),
    }


def _zone(low: float, high: float) -> np.ndarray:
    """Where in the standard crop a ring lies, its radii in the coin's: bool (n, n)."""
    steps = (np.arange(STANDARD.size_px) - (STANDARD.size_px - 1) / 2) / RADIUS_PX
    radii = np.hypot(*np.meshgrid(steps, steps))
    return (radii >= low) & (radii < high)


ALL = _zone(*WITHIN)
ZONES = {"all": ALL, "core": _zone(*CORE), "ring": _zone(*RING)}
PROFILE = [_zone(number / RINGS, (number + 1) / RINGS) for number in range(RINGS)]


def _contour(pixels: np.ndarray, circle: Circle) -> np.ndarray | None:
    """What differs from the belt about the coin, as its outer contour in radii of its outline: float32 (n, 1, 2); None where nothing does."""
    edge = 2 * round(PATCH * PATCH_RADIUS_PX) + 1
    scale, middle = PATCH_RADIUS_PX / circle.radius_px, (edge - 1) / 2
    place = np.array(
        [[scale, 0, middle - scale * circle.x_px], [0, scale, middle - scale * circle.y_px]]
    )
    patch = cv2.warpAffine(
        pixels, place, (edge, edge), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    off = cv2.GaussianBlur(
        np.abs(patch - np.array(circle.surround)).max(axis=2).astype(np.uint8), (0, 0), 1.0
    )
    mask = cv2.threshold(off, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    mask = cv2.morphologyEx(
        mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    )
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea, default=None)
    return (
        None
        if largest is None or cv2.contourArea(largest) <= 0
        else ((largest - middle) / PATCH_RADIUS_PX).astype(np.float32)
    )


def _sizes(
    circle: Circle, contour: np.ndarray | None, plane: ScalePlane | None
) -> dict[str, float]:
    """The diameter three ways: of the measured outline, of a circle as large as what differs from the belt, and of one around all of that."""
    area = np.nan if contour is None else 2 * (cv2.contourArea(contour) / pi) ** 0.5
    around = np.nan if contour is None else 2 * cv2.minEnclosingCircle(contour)[1]
    sizes = {
        name: of_radius * circle.radius_px
        for name, of_radius in (("outline", 2.0), ("area", area), ("enclosing", around))
    }
    found = {f"size_{name}_diameter_px": size for name, size in sizes.items()}
    if plane:
        found |= {
            f"size_{name}_diameter_mm": size / plane.at(circle.x_px, circle.y_px)
            for name, size in sizes.items()
        }
    return found


def _shape(
    circle: Circle, contour: np.ndarray | None, grey: np.ndarray, outlined: bool
) -> dict[str, float]:
    """How round it is, by its outline (if that was measured) and by its contour, and Hu's moments of its brightness, as logarithms."""
    found = {"shape_roundness": circle.roundness} if outlined else {}
    circularity = solidity = eccentricity = np.nan
    if contour is not None:
        circularity = 4 * pi * cv2.contourArea(contour) / cv2.arcLength(contour, True) ** 2
        region = regionprops(labelled_parts(_silhouette(contour)))[0]
        solidity, eccentricity = region.solidity, region.eccentricity
    found |= {
        "shape_circularity": circularity,
        "shape_solidity": solidity,
        "shape_eccentricity": eccentricity,
    }
    moments = cv2.HuMoments(cv2.moments(np.where(ALL, grey, 0).astype(np.uint8))).ravel()
    return found | {
        f"shape_hu_{n}_log10": -np.copysign(log10(max(abs(moment), 1e-30)), moment)
        for n, moment in enumerate(moments.tolist(), 1)
    }


def _silhouette(contour: np.ndarray) -> np.ndarray:
    edge = 2 * round(PATCH * PATCH_RADIUS_PX) + 1
    points = np.rint(contour * PATCH_RADIUS_PX + (edge - 1) / 2).astype(np.int32)
    return cv2.drawContours(np.zeros((edge, edge), np.uint8), [points], -1, 1, cv2.FILLED)


def _colours(picture: np.ndarray, lab: np.ndarray) -> dict[str, float]:
    """Mean and spread in CIE Lab and HSV, of the whole coin, its core and its ring; and how far core and ring are apart."""
    hsv = rgb2hsv(picture)
    found = {}
    for zone, where in ZONES.items():
        for channel, values in zip(
            ("lab_l", "lab_a", "lab_b", "saturation_share", "value_share"),
            (*lab[where].T, *hsv[where].T[1:]),
        ):
            found |= {
                f"colour_{zone}_{channel}_mean": values.mean(),
                f"colour_{zone}_{channel}_spread": values.std(),
            }
        found |= _hue(zone, hsv[where])
    apart = lab[ZONES["core"]].mean(axis=0) - lab[ZONES["ring"]].mean(axis=0)
    found |= {
        f"colour_core_minus_ring_lab_{channel}": difference
        for channel, difference in zip("lab", apart)
    }
    return {
        name: float(value)
        for name, value in {**found, "colour_core_to_ring_delta_e": np.linalg.norm(apart)}.items()
    }


def _hue(zone: str, hsv: np.ndarray) -> dict[str, float]:
    """Hue is an angle: its mean as cosine and sine, weighed by saturation, and its circular spread."""
    mean = np.sum(hsv[:, 1] * np.exp(2j * pi * hsv[:, 0])) / max(hsv[:, 1].sum(), 1e-9)
    length = min(1.0, max(abs(mean), 1e-9))
    spread = min(180.0, np.degrees(np.sqrt(-2 * np.log(length))))
    return {
        f"colour_{zone}_hue_cos": mean.real,
        f"colour_{zone}_hue_sin": mean.imag,
        f"colour_{zone}_hue_spread_deg": spread,
    }


def _profile(lab: np.ndarray) -> dict[str, float]:
    """Lightness from the middle outwards."""
    return {
        f"profile_ring_{number}_lab_l": float(lab[where, 0].mean())
        for number, where in enumerate(PROFILE, 1)
    }


def _texture(grey: np.ndarray) -> dict[str, float]:
    """Shares of the rotation-invariant uniform local binary patterns (Ojala et al., 2002), and Haralick's measures (1973), by distance."""
    patterns = local_binary_pattern(grey, LBP_POINTS, LBP_RADIUS_PX, "uniform")[ALL].astype(int)
    shares = np.bincount(patterns, minlength=LBP_POINTS + 2) / len(patterns)
    found = {f"texture_lbp_{number}_share": float(share) for number, share in enumerate(shares)}
    levels = np.where(ALL, grey.astype(int) * GREYS // 256 + 1, 0).astype(np.uint8)
    pairs = graycomatrix(levels, STEPS_PX, np.arange(4) * pi / 4, GREYS + 1, symmetric=True)[
        1:, 1:
    ].astype(float)
    pairs /= np.maximum(1, pairs.sum(axis=(0, 1), keepdims=True))
    for name in ("contrast", "homogeneity", "energy", "correlation"):
        by_step = graycoprops(pairs, name).mean(axis=1)
        found |= {
            f"texture_glcm_{name}_at_{step}_px": float(value)
            for step, value in zip(STEPS_PX, by_step)
        }
    return found


def _edges(grey: np.ndarray) -> dict[str, float]:
    """How much of the coin is edge, how strong edges are, and how evenly they point everywhere (at most log2 of ORIENTATIONS bits)."""
    inner = ZONES["core"] | _zone(0.0, 0.88)  # without the coin's own rim
    along, across = (cv2.Sobel(grey, cv2.CV_32F, *order) / 8 for order in ((1, 0), (0, 1)))
    strength, turn = np.hypot(along, across)[inner], np.arctan2(across, along)[inner] % pi
    shares = np.bincount(
        (turn / pi * ORIENTATIONS).astype(int) % ORIENTATIONS, strength, ORIENTATIONS
    )
    shares = shares[shares > 0] / max(shares.sum(), 1e-9)
    return {
        "edge_density_share": float((cv2.Canny(grey, *CANNY)[inner] > 0).mean()),
        "edge_strength_grey_per_px": float(strength.mean()),
        "edge_orientation_entropy_bits": float(-(shares * np.log2(shares)).sum()),
    }


def as_csv(table: FeatureTable, scores: Sequence[float] | None = None) -> str:
    """The table as CSV: path, label, group, every measure, and a one-class score where there is one; six digits of each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["path", "label", "group", *table.names, *([] if scores is None else ["one_class_score"])]
    )
    for number, coin in enumerate(table.coins):
        numbers = [*coin.measures.values(), *([] if scores is None else [scores[number]])]
        writer.writerow([coin.path.as_posix(), coin.label or "", coin.group, *_written(numbers)])
    return text.getvalue()


def _written(values: Sequence[float]) -> Iterator[str]:
    return ("" if np.isnan(value) else f"{value:.6g}" for value in values)
