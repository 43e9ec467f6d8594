"""What lies on the belt, and how it looks: genuine coins, damaged ones, and things that are no coins at all.

A thing is one connected object made of one disc, or of two that touch or overlap. Each disc is drawn from its relief, lit from one
fixed direction, so that turning a coin changes its look as it does under a real lamp.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from coinsorter.simulator import currency

# Discs are drawn this many times finer than the camera sees them, and averaged down.
SUPERSAMPLING = 2
LIGHT_AZIMUTH_DEG = 225.0  # the lamp stands to the upper left of the picture
LIGHT_ELEVATION_DEG = 42.0
RELIEF_SLOPE = 1.3  # how steep the relief is; eyed against photographs
DISPLAY_GAMMA = 2.2

GENUINE = "coin"
FOREIGN_KINDS = ("washer", "button", "blank", "token", "bent", "clipped", "touching", "overlapping")


@dataclass(frozen=True, eq=False)
class Disc:
    """One round piece and its condition; every field is a plain fact, so that drawing it needs no further chance.

    relief: float32 height map; colours: float32 reflectance map (see currency.py). turn_deg: how it lies.
    wear 0..1 flattens the relief, tarnish 0..1 darkens the metal, blotches (n, n) 0..1 says where.
    scratches, dirt: rows of numbers in units of the radius. holes: rows (x, y, radius) in radii.
    stretch: its shorter over its longer diameter, along bend_deg. clip_depth: height of the missing segment in radii.
    """

    diameter_mm: float
    relief: np.ndarray
    colours: np.ndarray
    gloss: float
    turn_deg: float
    wear: float
    tarnish: float
    blotches: np.ndarray
    scratches: np.ndarray
    dirt: np.ndarray
    holes: tuple[tuple[float, float, float], ...] = ()
    stretch: float = 1.0
    bend_deg: float = 0.0
    clip_depth: float = 0.0


@dataclass(frozen=True, eq=False)
class Item:
    """One connected object on the belt.

    kind: GENUINE or one of FOREIGN_KINDS. label: what a genuine lone coin is; None for everything else.
    discs: each with its offset (x, y) in mm from the object's middle, the lowest first.
    """

    kind: str
    label: str | None
    discs: tuple[tuple[Disc, tuple[float, float]], ...] = field(repr=False)

    @property
    def half_length_mm(self) -> float:
        """Half of what it takes up along the belt."""
        return max(abs(x) + disc.diameter_mm / 2 for disc, (x, _) in self.discs)


def make_genuine_coin(rng: np.random.Generator, label: str | None = None) -> Item:
    """A genuine coin lying alone; of any denomination, unless `label` names one."""
    label = label or str(rng.choice([coin.label for coin in currency.DENOMINATIONS]))
    return Item(GENUINE, label, ((_coin_disc(rng, label), (0.0, 0.0)),))


def make_foreign_object(rng: np.random.Generator, kind: str, motifs: tuple[str, ...]) -> Item:
    """A thing that must be rejected; `motifs` is what tokens may bear."""
    if kind in ("touching", "overlapping"):
        return Item(kind, None, _pair(rng, overlap=kind == "overlapping"))
    return Item(kind, None, ((_FOREIGN[kind](rng, motifs), (0.0, 0.0)),))


def _any_label(rng: np.random.Generator) -> str:
    return str(rng.choice([coin.label for coin in currency.DENOMINATIONS]))


def _condition(rng: np.random.Generator) -> dict:
    """How a piece has lived: most are handled but clean, some are worn or dirty."""
    scratches = np.column_stack(
        [rng.uniform(-0.9, 0.9, (9, 2)), rng.uniform(0, 360, 9), rng.uniform(0.1, 0.7, 9)]
    )
    dirt = np.column_stack(
        [rng.uniform(-0.8, 0.8, (6, 2)), rng.uniform(0.02, 0.16, 6), rng.uniform(0.2, 0.8, 6)]
    )
    return {
        "turn_deg": float(rng.uniform(0, 360)),
        "wear": float(rng.beta(1.5, 3.0)),
        "tarnish": float(rng.beta(1.3, 3.0)),
        "blotches": rng.random((7, 7), np.float32),
        "scratches": scratches[: int(rng.integers(0, 10))],
        "dirt": dirt[: rng.binomial(6, 0.25)],
    }


def _coin_disc(rng: np.random.Generator, label: str, **changes) -> Disc:
    coin = currency.DENOMINATION_BY_LABEL[label]
    relief = currency.draw_face(label, str(rng.choice(["obverse", "reverse"])))
    made = rng.normal(1.0, 0.0015)  # minting tolerance
    colours = currency.make_reflectance_map(coin.alloy, coin.core, coin.core_radius)
    facts = {
        "diameter_mm": coin.diameter_mm * made,
        "relief": relief,
        "colours": colours,
        "gloss": 0.5,
        **_condition(rng),
    }
    return Disc(**{**facts, **changes})


def _washer(rng: np.random.Generator, motifs: tuple[str, ...]) -> Disc:
    hole = float(rng.uniform(0.3, 0.6))
    colours = currency.make_reflectance_map(str(rng.choice(["steel", "zinc", "brass"])))
    size = float(rng.uniform(17.5, 28.0))
    return Disc(
        size, currency.draw_plain_disc(), colours, 0.5, holes=((0.0, 0.0, hole),), **_condition(rng)
    )


def _button(rng: np.random.Generator, motifs: tuple[str, ...]) -> Disc:
    colours = np.empty((currency.RELIEF_PX, currency.RELIEF_PX, 3), np.float32)
    colours[:] = rng.uniform(0.08, 0.8, 3)
    spread, size = rng.uniform(0.16, 0.26), rng.uniform(0.06, 0.1)
    corners = [(1, 1), (-1, -1)] + ([(1, -1), (-1, 1)] if rng.random() < 0.7 else [])
    holes = tuple((x * spread, y * spread, size) for x, y in corners)
    return Disc(
        float(rng.uniform(17.5, 28.0)),
        currency.draw_blank(),
        colours,
        0.15,
        holes=holes,
        **_condition(rng),
    )


def _blank(rng: np.random.Generator, motifs: tuple[str, ...]) -> Disc:
    """A blank of a known coin's size and metal."""
    relief = currency.draw_blank() if rng.random() < 0.6 else currency.draw_plain_disc()
    return _coin_disc(rng, _any_label(rng), relief=relief)


def _token(rng: np.random.Generator, motifs: tuple[str, ...]) -> Disc:
    """A token of a known coin's size and metal, with a design of its own."""
    return _coin_disc(rng, _any_label(rng), relief=currency.draw_token(rng, motifs))


def _bent(rng: np.random.Generator, motifs: tuple[str, ...]) -> Disc:
    return _coin_disc(
        rng,
        _any_label(rng),
        stretch=float(rng.uniform(0.78, 0.92)),
        bend_deg=float(rng.uniform(0, 180)),
    )


def _clipped(rng: np.random.Generator, motifs: tuple[str, ...]) -> Disc:
    return _coin_disc(
        rng,
        _any_label(rng),
        clip_depth=float(rng.uniform(0.16, 0.5)),
        bend_deg=float(rng.uniform(0, 360)),
    )


_FOREIGN = {
    "washer": _washer,
    "button": _button,
    "blank": _blank,
    "token": _token,
    "bent": _bent,
    "clipped": _clipped,
}


def _pair(rng: np.random.Generator, overlap: bool) -> tuple[tuple[Disc, tuple[float, float]], ...]:
    first, second = _coin_disc(rng, _any_label(rng)), _coin_disc(rng, _any_label(rng))
    reach = (first.diameter_mm + second.diameter_mm) / 2
    distance = reach * (rng.uniform(0.55, 0.92) if overlap else rng.uniform(1.0, 1.015))
    angle = rng.uniform(0, 2 * np.pi)
    x, y = distance / 2 * float(np.cos(angle)), distance / 2 * float(np.sin(angle))
    return (first, (-x, -y)), (second, (x, y))


@dataclass(frozen=True, eq=False)
class Sprite:
    """A drawn thing, ready to be laid on the belt's picture; SUPERSAMPLING times the camera's scale, its middle in the middle.

    layers: float32 (n, n, 4): RGB as displayed, 0..255, times the share of the pixel that the thing covers; and that share, 0..1.
    shadow: float32 (n, n), 0..1: how much of the lamp the thing takes away.
    """

    layers: np.ndarray
    shadow: np.ndarray


def draw_item(thing: Item, px_per_mm: float, smear_mm: float = 0.0) -> Sprite:
    """The thing as seen from straight above at `px_per_mm`, under the simulated machine's lamp, evenly lit.

    smear_mm: how far it moves to the right while the frame is exposed.
    """
    scale = px_per_mm * SUPERSAMPLING
    reach_mm = max(max(abs(x), abs(y)) + disc.diameter_mm / 2 for disc, (x, y) in thing.discs) + 2.5
    size = 2 * int(np.ceil(reach_mm * scale)) + 1
    layers = np.zeros((size, size, 4), np.float32)
    for disc, offset_mm in thing.discs:
        colour, cover = _draw_disc(disc, offset_mm, scale, size)
        layers *= 1 - cover[..., None]
        layers += np.dstack([colour, np.ones_like(cover)]) * cover[..., None]
    smear = max(1, round(smear_mm * scale))
    # the camera takes every second pixel of this: averaging pairs first keeps it from seeing stairs
    soft = cv2.blur(cv2.blur(layers, (smear, 1)), (SUPERSAMPLING, SUPERSAMPLING), anchor=(0, 0))
    return Sprite(soft, _shadow(layers[..., 3], scale))


def _shadow(cover: np.ndarray, scale: float) -> np.ndarray:
    """A coin is some 1.8 mm thick: its shadow falls away from the lamp by the thickness over the lamp's slope."""
    throw = 1.8 * scale / np.tan(np.deg2rad(LIGHT_ELEVATION_DEG)) * 0.6
    azimuth = np.deg2rad(LIGHT_AZIMUTH_DEG)
    shift = np.float32([[1, 0, -throw * np.cos(azimuth)], [0, 1, -throw * np.sin(azimuth)]])
    fallen = cv2.warpAffine(cover, shift, cover.shape[::-1])
    return cv2.GaussianBlur(np.maximum(fallen, cover), (0, 0), 0.35 * scale)


def _draw_disc(
    disc: Disc, offset_mm: tuple[float, float], scale: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    middle = (size - 1) / 2
    radius = disc.diameter_mm / 2 * scale
    place = _placement(disc, middle + np.array(offset_mm) * scale, radius)
    steps = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(
        (steps - middle - offset_mm[0] * scale) / radius,
        (steps - middle - offset_mm[1] * scale) / radius,
    )
    relief = _worn(disc)
    height = cv2.warpAffine(relief, place, (size, size), flags=cv2.INTER_LINEAR)
    metal = cv2.warpAffine(
        disc.colours, place, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    height = _scratched(height, disc, middle + np.array(offset_mm) * scale, radius)
    colour = _lit(_tarnished(metal, disc, x, y), height * radius * 0.035, disc, x, y)
    colour = _soiled(colour, disc, middle + np.array(offset_mm) * scale, radius)
    return 255 * np.clip(colour, 0, 1.15) ** np.float32(1 / DISPLAY_GAMMA), _outline(
        disc, x, y, radius
    )


def _placement(disc: Disc, centre: np.ndarray, radius: float) -> np.ndarray:
    """The affine map from relief pixels to sprite pixels: turned, then pressed together along bend_deg."""
    scale = radius / currency.RELIEF_RADIUS_PX
    turn, bend = np.deg2rad(disc.turn_deg), np.deg2rad(disc.bend_deg)
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    along = np.array([np.cos(bend), np.sin(bend)])
    press = np.eye(2) - (1 - disc.stretch) * np.outer(along, along)
    linear = scale * press @ rotate
    return np.column_stack(
        [linear, centre - linear @ np.full(2, (currency.RELIEF_PX - 1) / 2)]
    ).astype(np.float32)


def _worn(disc: Disc) -> np.ndarray:
    blurred = cv2.GaussianBlur(disc.relief, (0, 0), 0.6 + 3.0 * disc.wear)
    return blurred * np.float32(1 - 0.45 * disc.wear)


def _scratched(height: np.ndarray, disc: Disc, centre: np.ndarray, radius: float) -> np.ndarray:
    cuts = np.zeros_like(height)
    for x, y, turn_deg, length in disc.scratches:
        reach = (
            length
            * radius
            * np.array([np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))])
            / 2
        )
        start, end = (
            centre + (x * radius, y * radius) - reach,
            centre + (x * radius, y * radius) + reach,
        )
        cv2.line(cuts, [round(v) for v in start], [round(v) for v in end], 0.35, 1, cv2.LINE_AA)
    return height - cuts


def _tarnished(metal: np.ndarray, disc: Disc, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mixes the metal towards a dark brown where the blotches are."""
    where = cv2.remap(
        disc.blotches,
        (x + 1.2) * 2.5,
        (y + 1.2) * 2.5,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    amount = np.clip(disc.tarnish * (0.35 + 0.9 * where), 0, 0.85)[..., None]
    return metal * (1 - amount) + metal * np.float32([0.38, 0.33, 0.30]) * amount


def _lit(
    metal: np.ndarray, height_px: np.ndarray, disc: Disc, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Blinn-Phong shading (Blinn 1977) of the relief, with a soft sky above; the tarnished shine less."""
    slope_x = cv2.Sobel(height_px, cv2.CV_32F, 1, 0, ksize=3, scale=RELIEF_SLOPE / 8)
    slope_y = cv2.Sobel(height_px, cv2.CV_32F, 0, 1, ksize=3, scale=RELIEF_SLOPE / 8)
    if disc.stretch < 1:  # a bent coin is a piece of a cylinder: its surface tilts along the bend
        bend, tilt = np.deg2rad(disc.bend_deg), 2.2 * np.sqrt(1 - disc.stretch**2)
        along = x * np.cos(bend) + y * np.sin(bend)
        slope_x = slope_x + np.float32(tilt * np.cos(bend)) * along
        slope_y = slope_y + np.float32(tilt * np.sin(bend)) * along
    azimuth, elevation = np.deg2rad(LIGHT_AZIMUTH_DEG), np.deg2rad(LIGHT_ELEVATION_DEG)
    light = np.array(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )
    half = light + (0, 0, 1)
    half /= np.linalg.norm(half)
    norm = 1 / np.sqrt(slope_x**2 + slope_y**2 + 1)
    diffuse = np.maximum(0, (light[2] - slope_x * light[0] - slope_y * light[1]) * norm)
    shine = np.maximum(0, (half[2] - slope_x * half[0] - slope_y * half[1]) * norm) ** 24
    gloss = disc.gloss * (1 - 0.7 * disc.tarnish)
    return (
        metal * (0.18 + 0.78 * diffuse)[..., None]
        + (0.4 * metal + 0.35) * (gloss * shine)[..., None]
    ).astype(np.float32)


def _soiled(colour: np.ndarray, disc: Disc, centre: np.ndarray, radius: float) -> np.ndarray:
    if not len(disc.dirt):
        return colour
    spots = np.zeros(colour.shape[:2], np.float32)
    for x, y, size, depth in disc.dirt:
        cv2.circle(
            spots,
            [round(v) for v in centre + (x * radius, y * radius)],
            max(1, round(size * radius)),
            float(depth),
            -1,
        )
    spots = cv2.GaussianBlur(spots, (0, 0), 0.05 * radius)[..., None]
    return colour * (1 - spots) + np.float32([0.05, 0.045, 0.04]) * spots


def _outline(disc: Disc, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """How much of each pixel the disc covers, 0..1, from the signed distance to its outline."""
    bend = np.deg2rad(disc.bend_deg)
    along, across = x * np.cos(bend) + y * np.sin(bend), y * np.cos(bend) - x * np.sin(bend)
    inside = (1 - np.hypot(along / disc.stretch, across)) * disc.stretch
    if disc.clip_depth:
        inside = np.minimum(inside, 1 - disc.clip_depth - along)
    for hole_x, hole_y, hole in disc.holes:
        inside = np.minimum(inside, np.hypot(x - hole_x, y - hole_y) - hole)
    return np.clip(inside * radius + 0.5, 0, 1).astype(np.float32)
