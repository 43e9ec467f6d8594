"""How an item looks from straight above: its discs drawn from their reliefs, lit by one lamp.

The lamp shines from one fixed direction, so that turning a coin changes its look as it does under
a real lamp.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from coinsorter.simulator.coins import Disc, Item
from coinsorter.simulator.masks import CENTRE_PX, RELIEF_RADIUS_PX

#: Items are drawn this many times finer than the camera sees them, and averaged down.
SUPERSAMPLING = 2
#: The lamp stands to the upper left of the frame.
LIGHT_AZIMUTH_DEG = 225.0
#: Height of the lamp above the belt, as an angle.
LIGHT_ELEVATION_DEG = 42.0
#: How steep the relief is; set by eye against photographs.
RELIEF_SLOPE = 1.3
#: Height of the highest relief, in coin radii; set by eye against photographs.
RELIEF_HEIGHT = 0.035
#: Exponent between linear reflectance and displayed brightness, as in sRGB.
DISPLAY_GAMMA = 2.2
#: Thickness of a coin, mm: it throws the shadow.
THICKNESS_MM = 1.8
#: Part of the geometric length of a shadow that is drawn; set by eye against photographs.
SHADOW_LENGTH = 0.6
#: Room for the shadow around an item, mm.
SHADOW_MARGIN_MM = 2.5
#: Linear reflectance, RGB 0..1, of tarnish and of dirt; set by eye.
TARNISH_RGB = (0.38, 0.33, 0.30)
DIRT_RGB = (0.05, 0.045, 0.04)


@dataclass(frozen=True, eq=False)
class Sprite:
    """A drawn item, ready to be laid on the belt; SUPERSAMPLING times as fine as the frame.

    layers: float32 (n, n, 4): RGB as displayed, 0..255, times the part of the pixel that the item
    covers; and that part, 0..1. shadow: float32 (n, n), 0..1: how much of the lamp the item takes
    away. The item's middle is the array's middle.
    """

    layers: np.ndarray
    shadow: np.ndarray


def draw_item(
    item: Item,
    px_per_mm: float,
    motion_blur_mm: float = 0.0,
) -> Sprite:
    """The item as seen from straight above at `px_per_mm`, under the simulated lamp, evenly lit.

    motion_blur_mm: how far it moves to the right while the frame is exposed.
    """
    scale = px_per_mm * SUPERSAMPLING
    size = _choose_size_px(item, scale)
    layers = np.zeros((size, size, 4), np.float32)
    for disc, offset_mm in item.discs:
        field = _Field(disc, offset_mm, scale, size)
        colour = _draw_colour(field)
        cover = _draw_cover(field)
        _lay_over(layers, colour, cover)
    blurred = _blur_motion(layers, motion_blur_mm * scale)
    shadow = _draw_shadow(layers[..., 3], scale)
    return Sprite(blurred, shadow)


def _choose_size_px(
    item: Item,
    scale: float,
) -> int:
    """Side of the square, an odd number of pixels, that holds the item and its shadow."""
    reaches_mm = []
    for disc, (x, y) in item.discs:
        offset_mm = max(abs(x), abs(y))
        reaches_mm.append(offset_mm + disc.diameter_mm / 2)
    reach_mm = max(reaches_mm) + SHADOW_MARGIN_MM
    half = int(np.ceil(reach_mm * scale))
    return 2 * half + 1


def _lay_over(
    layers: np.ndarray,
    colour: np.ndarray,
    cover: np.ndarray,
) -> None:
    """Lay a disc over what is there already."""
    layers *= 1 - cover[..., None]
    upper = np.dstack([colour, np.ones_like(cover)])
    layers += upper * cover[..., None]


def _blur_motion(
    layers: np.ndarray,
    blur_px: float,
) -> np.ndarray:
    """The layers as the belt's motion smears them.

    The camera takes every second pixel of this: averaging pairs first keeps it from seeing stairs.
    """
    width = max(1, round(blur_px))
    smeared = cv2.blur(layers, (width, 1))
    return cv2.blur(smeared, (SUPERSAMPLING, SUPERSAMPLING), anchor=(0, 0))


def _draw_shadow(
    cover: np.ndarray,
    scale: float,
) -> np.ndarray:
    """The shadow falls away from the lamp by the coin's thickness over the lamp's slope."""
    elevation = np.deg2rad(LIGHT_ELEVATION_DEG)
    azimuth = np.deg2rad(LIGHT_AZIMUTH_DEG)
    length_px = THICKNESS_MM * scale / np.tan(elevation) * SHADOW_LENGTH
    right = -length_px * np.cos(azimuth)
    down = -length_px * np.sin(azimuth)
    rows = [
        [1, 0, right],
        [0, 1, down],
    ]
    shift = np.array(rows, np.float32)
    height, width = cover.shape
    fallen = cv2.warpAffine(cover, shift, (width, height))
    dark = np.maximum(fallen, cover)
    shadow: np.ndarray = cv2.GaussianBlur(dark, (0, 0), 0.35 * scale)
    return shadow


class _Field:
    """A disc on the sprite's pixels.

    centre: (x, y) in px. radius: px. x, y: float, shape (size, size): each pixel's place in the
    disc's radii from its centre.
    """

    def __init__(
        self,
        disc: Disc,
        offset_mm: tuple[float, float],
        scale: float,
        size: int,
    ) -> None:
        middle = (size - 1) / 2
        self.disc = disc
        self.size = (size, size)
        self.centre = middle + np.array(offset_mm) * scale
        self.radius = disc.diameter_mm / 2 * scale
        steps = np.arange(size, dtype=np.float32) - middle
        offset_x_mm, offset_y_mm = offset_mm
        columns = (steps - offset_x_mm * scale) / self.radius
        rows = (steps - offset_y_mm * scale) / self.radius
        self.x, self.y = np.meshgrid(columns, rows)

    def to_pixel(
        self,
        x: float,
        y: float,
    ) -> np.ndarray:
        """A place in radii as a place (x, y) on the sprite, px."""
        offset = np.array([x * self.radius, y * self.radius])
        place: np.ndarray = self.centre + offset
        return place

    def rotate(self, degrees: float) -> tuple[np.ndarray, np.ndarray]:
        """Each pixel's place along a direction and across it, in radii."""
        angle = np.deg2rad(degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        along = self.x * cos + self.y * sin
        across = self.y * cos - self.x * sin
        return along, across


def _draw_colour(field: _Field) -> np.ndarray:
    """The disc's colour as displayed, float32 (n, n, 3), 0..255 (highlights up to 1.15 times)."""
    disc = field.disc
    placement = _find_placement(field)
    relief = _wear_down(disc)
    height = cv2.warpAffine(
        relief,
        placement,
        field.size,
        flags=cv2.INTER_LINEAR,
    )
    metal = cv2.warpAffine(
        disc.reflectance,
        placement,
        field.size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    height = _scratch(height, field)
    metal = _tarnish(metal, field)
    height_px = height * field.radius * RELIEF_HEIGHT
    colour = _shade(metal, height_px, field)
    colour = _add_dirt(colour, field)
    bright = np.clip(colour, 0, 1.15)
    displayed: np.ndarray = 255 * bright ** np.float32(1 / DISPLAY_GAMMA)
    return displayed


def _find_placement(field: _Field) -> np.ndarray:
    """The affine map from relief to sprite pixels: turned, then pressed together along bend_deg."""
    disc = field.disc
    scale = field.radius / RELIEF_RADIUS_PX
    rotate = _make_rotation(disc.turn_deg)
    bend = np.deg2rad(disc.bend_deg)
    along = np.array([np.cos(bend), np.sin(bend)])
    projection = np.outer(along, along)
    press = np.eye(2) - (1 - disc.stretch) * projection
    linear = scale * press @ rotate
    relief_centre = np.full(2, CENTRE_PX)
    shift = field.centre - linear @ relief_centre
    placement = np.column_stack([linear, shift])
    return placement.astype(np.float32)


def _make_rotation(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    rows = [
        [cos, -sin],
        [sin, cos],
    ]
    return np.array(rows)


def _wear_down(disc: Disc) -> np.ndarray:
    """The relief as wear has left it: smoother and lower."""
    smoothing_px = 0.6 + 3.0 * disc.wear
    blurred = cv2.GaussianBlur(disc.relief, (0, 0), smoothing_px)
    height: np.ndarray = blurred * np.float32(1 - 0.45 * disc.wear)
    return height


def _scratch(
    height: np.ndarray,
    field: _Field,
) -> np.ndarray:
    """The relief with the disc's scratches cut into it."""
    cuts = np.zeros_like(height)
    for x, y, turn_deg, length in field.disc.scratches:
        turn = np.deg2rad(turn_deg)
        direction = np.array([np.cos(turn), np.sin(turn)])
        reach = length * field.radius * direction / 2
        middle = field.to_pixel(x, y)
        start = _round(middle - reach)
        end = _round(middle + reach)
        cv2.line(cuts, start, end, 0.35, 1, cv2.LINE_AA)
    scratched: np.ndarray = height - cuts
    return scratched


def _round(place: np.ndarray) -> list[int]:
    return [round(coordinate) for coordinate in place]


def _tarnish(
    metal: np.ndarray,
    field: _Field,
) -> np.ndarray:
    """The metal mixed towards a dark brown where the blotches are."""
    disc = field.disc
    columns = (field.x + 1.2) * 2.5
    rows = (field.y + 1.2) * 2.5
    blotches = cv2.remap(
        disc.blotches,
        columns,
        rows,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    strength = disc.tarnish * (0.35 + 0.9 * blotches)
    amount = np.clip(strength, 0, 0.85)[..., None]
    brown = np.array(TARNISH_RGB, np.float32)
    clean = metal * (1 - amount)
    tarnished: np.ndarray = clean + metal * brown * amount
    return tarnished


def _shade(
    metal: np.ndarray,
    height_px: np.ndarray,
    field: _Field,
) -> np.ndarray:
    """Blinn-Phong shading (Blinn 1977) of the relief under a soft sky, float32 (n, n, 3)."""
    slopes = _find_slopes(height_px, field)
    light = _find_light()
    half = light + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    diffuse = _project(slopes, light)
    shine = _project(slopes, half) ** 24
    # tarnished metal shines less
    gloss = field.disc.gloss * (1 - 0.7 * field.disc.tarnish)
    brightness = 0.18 + 0.78 * diffuse
    matt = metal * brightness[..., None]
    highlight = (gloss * shine)[..., None]
    specular = (0.4 * metal + 0.35) * highlight
    colour: np.ndarray = (matt + specular).astype(np.float32)
    return colour


def _project(
    slopes: tuple[np.ndarray, np.ndarray],
    towards: np.ndarray,
) -> np.ndarray:
    """Cosine of the angle between the surface's normal and a direction, 0 for those behind it."""
    slope_x, slope_y = slopes
    x, y, z = towards
    norm = 1 / np.sqrt(slope_x**2 + slope_y**2 + 1)
    product = z - slope_x * x - slope_y * y
    cosine: np.ndarray = np.maximum(0, product * norm)
    return cosine


def _find_slopes(
    height_px: np.ndarray,
    field: _Field,
) -> tuple[np.ndarray, np.ndarray]:
    """Slope of the surface along x and y."""
    disc = field.disc
    scale = RELIEF_SLOPE / 8
    slope_x = cv2.Sobel(height_px, cv2.CV_32F, 1, 0, ksize=3, scale=scale)
    slope_y = cv2.Sobel(height_px, cv2.CV_32F, 0, 1, ksize=3, scale=scale)
    if disc.stretch < 1:
        # a bent coin is a piece of a cylinder: its surface tilts along the bend
        bend = np.deg2rad(disc.bend_deg)
        tilt = 2.2 * np.sqrt(1 - disc.stretch**2)
        along, _ = field.rotate(disc.bend_deg)
        slope_x = slope_x + np.float32(tilt * np.cos(bend)) * along
        slope_y = slope_y + np.float32(tilt * np.sin(bend)) * along
    return slope_x, slope_y


def _find_light() -> np.ndarray:
    """Unit vector (x, y, z) towards the lamp, z up from the belt."""
    azimuth = np.deg2rad(LIGHT_AZIMUTH_DEG)
    elevation = np.deg2rad(LIGHT_ELEVATION_DEG)
    level = np.cos(elevation)
    x = level * np.cos(azimuth)
    y = level * np.sin(azimuth)
    z = np.sin(elevation)
    return np.array([x, y, z])


def _add_dirt(
    colour: np.ndarray,
    field: _Field,
) -> np.ndarray:
    """The colour with the disc's specks of dirt on it."""
    dirt = field.disc.dirt
    if not len(dirt):
        return colour
    specks = np.zeros(colour.shape[:2], np.float32)
    for x, y, size, depth in dirt:
        centre = _round(field.to_pixel(x, y))
        radius_px = max(1, round(size * field.radius))
        cv2.circle(specks, centre, radius_px, float(depth), -1)
    soft = cv2.GaussianBlur(specks, (0, 0), 0.05 * field.radius)
    amount = soft[..., None]
    brown = np.array(DIRT_RGB, np.float32)
    soiled: np.ndarray = colour * (1 - amount) + brown * amount
    return soiled


def _draw_cover(field: _Field) -> np.ndarray:
    """Part of each pixel that the disc covers, 0..1, by the signed distance to its outline."""
    disc = field.disc
    along, across = field.rotate(disc.bend_deg)
    radius = np.hypot(along / disc.stretch, across)
    inside = (1 - radius) * disc.stretch
    if disc.clip_depth:
        inside = np.minimum(inside, 1 - disc.clip_depth - along)
    for hole_x, hole_y, hole_radius in disc.holes:
        distance = np.hypot(field.x - hole_x, field.y - hole_y)
        inside = np.minimum(inside, distance - hole_radius)
    covered = inside * field.radius + 0.5
    cover: np.ndarray = np.clip(covered, 0, 1).astype(np.float32)
    return cover
