"""Measures of one coin that a person can read: size, shape, colour, texture and edges.

A measure's name begins with its family and ends with its unit, where it has one. All but sizes are
taken from one standard crop, in which every coin has the same radius and the belt the same colour,
so that neither the camera's distance nor its light is measured.
"""

from math import log10, pi

import cv2
import numpy as np
from skimage.color import rgb2hsv, rgb2lab
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.measure import label as label_regions
from skimage.measure import regionprops

from coinsorter.records import Circle
from coinsorter.vision.crop import CropSpec, cut_crop
from coinsorter.vision.scale import ScalePlane

#: The crop that is measured. The belt's colour is a bundle's own, where one is at hand.
STANDARD = CropSpec(96, 1.06, (110.0, 110.0, 110.0))
#: Radius of every coin in the standard crop.
RADIUS_PX = STANDARD.size_px / 2 / STANDARD.margin
# Zones of a coin, from and to, in radii. 1 real and 1 and 2 euro change metal at 0.6 to 0.7.
#: All of the coin but its outermost edge, where the belt may show.
WHOLE = (0.0, 0.96)
#: The inner metal of a coin of two metals.
CORE = (0.0, 0.55)
#: The outer metal of a coin of two metals.
RING = (0.75, 0.95)
#: The coin without its rim, which is an edge on every coin.
INSIDE_RIM = (0.0, 0.88)
#: Rings of equal width that lightness is measured in.
PROFILE_RINGS = 8
#: Grey levels that the co-occurrence matrix tells apart.
GLCM_LEVELS = 32
#: Distances of the pairs of pixels that the co-occurrence matrix counts.
GLCM_STEPS_PX = (1, 3)
#: Angles of those pairs, radians.
GLCM_ANGLES = np.arange(4) * pi / 4
#: Haralick's measures that are taken of the co-occurrence matrix.
GLCM_PROPERTIES = ("contrast", "homogeneity", "energy", "correlation")
#: Neighbours of a local binary pattern.
LBP_POINTS = 8
#: Their distance from the pixel.
LBP_RADIUS_PX = 2
#: Canny's lower and upper threshold, grey levels.
CANNY = (60, 140)
#: Bins of the histogram of edge directions over half a turn: 10 degrees each.
ORIENTATIONS = 18
#: Half the edge of the patch that a coin's contour is sought in, in radii.
PATCH = 1.35
#: Radius of the coin in that patch.
PATCH_RADIUS_PX = 50.0
#: Edge of that patch, an odd number.
PATCH_EDGE_PX = 2 * round(PATCH * PATCH_RADIUS_PX) + 1
#: Hu's moments below are taken for this, as a logarithm of 0 does not exist.
MIN_MOMENT = 1e-30
#: Sums below are taken for this where something is divided by them.
MIN_SUM = 1e-9


def _select_zone(low: float, high: float) -> np.ndarray:
    """Where in the standard crop a ring lies, its radii in the coin's: bool (n, n)."""
    centre_px = (STANDARD.size_px - 1) / 2
    steps = (np.arange(STANDARD.size_px) - centre_px) / RADIUS_PX
    radii = np.hypot(*np.meshgrid(steps, steps))
    inside: np.ndarray = (radii >= low) & (radii < high)
    return inside


_COIN = _select_zone(*WHOLE)
_ZONES = {
    "all": _COIN,
    "core": _select_zone(*CORE),
    "ring": _select_zone(*RING),
}
_PROFILE = [
    _select_zone(number / PROFILE_RINGS, (number + 1) / PROFILE_RINGS)
    for number in range(PROFILE_RINGS)
]
_INSIDE_RIM = _ZONES["core"] | _select_zone(*INSIDE_RIM)


def family_of(name: str) -> str:
    """The family of a measure: size, shape, colour, profile, texture or edge."""
    return name.split("_")[0]


def measure_coin(
    pixels: np.ndarray,
    circle: Circle,
    spec: CropSpec,
    plane: ScalePlane | None,
    outline_measured: bool,
) -> dict[str, float]:
    """Every measure of the coin in an image, uint8 (h, w, 3) RGB, always in the same order.

    spec: STANDARD, but for the belt's colour. plane: None where the scale is not known.
    outline_measured: the circle is the coin's outline, so it says how large and round it is.
    """
    crop = cut_crop(pixels, circle, 0.0, spec)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    lab = rgb2lab(crop)
    contour = _find_contour(pixels, circle)
    measures: dict[str, float] = {}
    if outline_measured:
        measures |= _measure_size(circle, contour, plane)
        measures["shape_roundness"] = circle.roundness
    measures |= _measure_contour(contour)
    measures |= _measure_moments(grey)
    measures |= _measure_colour(crop, lab)
    measures |= _measure_profile(lab)
    measures |= _measure_patterns(grey)
    measures |= _measure_cooccurrence(grey)
    measures |= _measure_edges(grey)
    return measures


def _find_contour(pixels: np.ndarray, circle: Circle) -> np.ndarray | None:
    """The outer contour of what differs from the belt, about the coin's centre, in its radii.

    float32 (n, 1, 2); None where nothing differs.
    """
    mask = _select_coin(_cut_patch(pixels, circle), circle.surround)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) <= 0:
        return None
    centre_px = (PATCH_EDGE_PX - 1) / 2
    return ((largest - centre_px) / PATCH_RADIUS_PX).astype(np.float32)


def _cut_patch(pixels: np.ndarray, circle: Circle) -> np.ndarray:
    """The coin and what is around it, PATCH_RADIUS_PX large: uint8 (PATCH_EDGE_PX, same, 3)."""
    scale = PATCH_RADIUS_PX / circle.radius_px
    centre_px = (PATCH_EDGE_PX - 1) / 2
    shift_x = centre_px - scale * circle.x_px
    shift_y = centre_px - scale * circle.y_px
    return cv2.warpAffine(
        pixels,
        np.array([[scale, 0, shift_x], [0, scale, shift_y]]),
        (PATCH_EDGE_PX, PATCH_EDGE_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _select_coin(patch: np.ndarray, belt: tuple[float, float, float]) -> np.ndarray:
    """What differs from the belt: uint8 (n, n), 255 where it does (Otsu's threshold)."""
    difference = np.abs(patch - np.array(belt))
    largest = difference.max(axis=2).astype(np.uint8)
    smooth = cv2.GaussianBlur(largest, (0, 0), 1.0)
    method = cv2.THRESH_BINARY | cv2.THRESH_OTSU
    _, mask = cv2.threshold(smooth, 0, 255, method)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, ellipse)


def _measure_size(
    circle: Circle, contour: np.ndarray | None, plane: ScalePlane | None
) -> dict[str, float]:
    """The diameter three ways, in pixels and, where the scale is known, in mm.

    Of the measured outline, of a circle as large as what differs from the belt, and of the
    smallest circle around all of that.
    """
    area = enclosing = np.nan
    if contour is not None:
        area = 2 * (cv2.contourArea(contour) / pi) ** 0.5
        enclosing = 2 * cv2.minEnclosingCircle(contour)[1]
    radius_px = circle.radius_px
    sizes_px = {
        "outline": 2.0 * radius_px,
        "area": area * radius_px,
        "enclosing": enclosing * radius_px,
    }
    measures = {f"size_{name}_diameter_px": size for name, size in sizes_px.items()}
    if plane:
        for name, size_px in sizes_px.items():
            size_mm = size_px / plane.px_per_mm_at(circle.x_px, circle.y_px)
            measures[f"size_{name}_diameter_mm"] = size_mm
    return measures


def _measure_contour(contour: np.ndarray | None) -> dict[str, float]:
    """How round the contour is, how free of dents, and how long-stretched; nan without one."""
    circularity = solidity = eccentricity = np.nan
    if contour is not None:
        area, length = cv2.contourArea(contour), cv2.arcLength(contour, True)
        circularity = 4 * pi * area / length**2
        region = regionprops(label_regions(_fill_contour(contour)))[0]
        solidity, eccentricity = region.solidity, region.eccentricity
    return {
        "shape_circularity": circularity,
        "shape_solidity": solidity,
        "shape_eccentricity": eccentricity,
    }


def _fill_contour(contour: np.ndarray) -> np.ndarray:
    """The silhouette of a contour: uint8 (PATCH_EDGE_PX, PATCH_EDGE_PX), 1 inside."""
    centre_px = (PATCH_EDGE_PX - 1) / 2
    points = np.rint(contour * PATCH_RADIUS_PX + centre_px).astype(np.int32)
    blank = np.zeros((PATCH_EDGE_PX, PATCH_EDGE_PX), np.uint8)
    return cv2.drawContours(blank, [points], -1, 1, cv2.FILLED)


def _measure_moments(grey: np.ndarray) -> dict[str, float]:
    """Hu's seven moments of the brightness, as logarithms that keep the sign."""
    on_coin = np.where(_COIN, grey, 0).astype(np.uint8)
    moments = cv2.HuMoments(cv2.moments(on_coin))
    measures: dict[str, float] = {}
    for number, moment in enumerate(moments.ravel().tolist(), 1):
        magnitude = log10(max(abs(moment), MIN_MOMENT))
        measures[f"shape_hu_{number}_log10"] = -np.copysign(magnitude, moment)
    return measures


def _measure_colour(crop: np.ndarray, lab: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation in CIE Lab and HSV, of the coin and its zones.

    And how far the colours of core and ring are apart (delta E, CIE 1976).
    """
    hsv = rgb2hsv(crop)
    measures: dict[str, float] = {}
    for zone, where in _ZONES.items():
        measures |= _measure_channels(zone, lab[where], hsv[where])
        measures |= _measure_hue(zone, hsv[where])
    core = lab[_ZONES["core"]].mean(axis=0)
    ring = lab[_ZONES["ring"]].mean(axis=0)
    apart = core - ring
    lightness, a, b = apart.tolist()
    measures["colour_core_minus_ring_lab_l"] = lightness
    measures["colour_core_minus_ring_lab_a"] = a
    measures["colour_core_minus_ring_lab_b"] = b
    measures["colour_core_to_ring_delta_e"] = float(np.linalg.norm(apart))
    return measures


def _measure_channels(zone: str, lab: np.ndarray, hsv: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation of each channel but the hue of a zone's pixels, (n, 3) each."""
    channels = {
        "lab_l": lab[:, 0],
        "lab_a": lab[:, 1],
        "lab_b": lab[:, 2],
        "saturation_share": hsv[:, 1],
        "value_share": hsv[:, 2],
    }
    measures: dict[str, float] = {}
    for channel, values in channels.items():
        name = f"colour_{zone}_{channel}"
        measures[f"{name}_mean"] = float(values.mean())
        measures[f"{name}_spread"] = float(values.std())
    return measures


def _measure_hue(zone: str, hsv: np.ndarray) -> dict[str, float]:
    """Mean hue as cosine and sine, weighted by saturation, and its circular standard deviation."""
    hue, saturation = hsv[:, 0], hsv[:, 1]
    directions = saturation * np.exp(2j * pi * hue)
    mean = np.sum(directions) / max(saturation.sum(), MIN_SUM)
    length = min(1.0, max(abs(mean), MIN_SUM))
    std = np.sqrt(-2 * np.log(length))
    std_deg = min(180.0, np.degrees(std))
    return {
        f"colour_{zone}_hue_cos": float(mean.real),
        f"colour_{zone}_hue_sin": float(mean.imag),
        f"colour_{zone}_hue_spread_deg": float(std_deg),
    }


def _measure_profile(lab: np.ndarray) -> dict[str, float]:
    """Lightness of rings of equal width, from the centre outwards."""
    measures: dict[str, float] = {}
    for number, where in enumerate(_PROFILE, 1):
        lightness = lab[where, 0].mean()
        measures[f"profile_ring_{number}_lab_l"] = float(lightness)
    return measures


def _measure_patterns(grey: np.ndarray) -> dict[str, float]:
    """Shares of the rotation-invariant uniform local binary patterns (Ojala et al., 2002)."""
    patterns = local_binary_pattern(grey, LBP_POINTS, LBP_RADIUS_PX, "uniform")
    on_coin = patterns[_COIN].astype(int)
    shares = np.bincount(on_coin, minlength=LBP_POINTS + 2) / len(on_coin)
    measures: dict[str, float] = {}
    for number, share in enumerate(shares.tolist()):
        measures[f"texture_lbp_{number}_share"] = share
    return measures


def _measure_cooccurrence(grey: np.ndarray) -> dict[str, float]:
    """Haralick's measures (1973) of co-occurring grey levels by distance, averaged over angles."""
    # Level 0 stands for all that is not coin, and is left out of the counts.
    coin_levels = grey.astype(int) * GLCM_LEVELS // 256 + 1
    levels = np.where(_COIN, coin_levels, 0).astype(np.uint8)
    counts = graycomatrix(levels, GLCM_STEPS_PX, GLCM_ANGLES, GLCM_LEVELS + 1, symmetric=True)
    pairs = counts[1:, 1:].astype(float)
    totals = pairs.sum(axis=(0, 1), keepdims=True)
    pairs /= np.maximum(1, totals)
    measures: dict[str, float] = {}
    for name in GLCM_PROPERTIES:
        by_step = graycoprops(pairs, name).mean(axis=1).tolist()
        for step_px, value in zip(GLCM_STEPS_PX, by_step):
            measures[f"texture_glcm_{name}_at_{step_px}_px"] = value
    return measures


def _measure_edges(grey: np.ndarray) -> dict[str, float]:
    """How much of the coin is edge, how strong edges are, and how evenly they point everywhere.

    The last is an entropy of at most log2(ORIENTATIONS) bits.
    """
    along = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8
    across = cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8
    strength = np.hypot(along, across)[_INSIDE_RIM]
    direction = np.arctan2(across, along)[_INSIDE_RIM]
    angles = direction % pi
    is_edge = cv2.Canny(grey, *CANNY)[_INSIDE_RIM] > 0
    return {
        "edge_density_share": float(is_edge.mean()),
        "edge_strength_grey_per_px": float(strength.mean()),
        "edge_orientation_entropy_bits": _orientation_entropy(angles, strength),
    }


def _orientation_entropy(angles: np.ndarray, strength: np.ndarray) -> float:
    """Bits of the distribution of angles, radians below pi, weighted by strength."""
    bins = (angles / pi * ORIENTATIONS).astype(int) % ORIENTATIONS
    weights = np.bincount(bins, strength, ORIENTATIONS)
    total = max(weights.sum(), MIN_SUM)
    shares = weights[weights > 0] / total
    return float(-(shares * np.log2(shares)).sum())
