"""The virtual camera: things on a moving belt -> frames as a Pi camera would deliver them.

Modelled: uneven light, motion blur over the exposure, exposure and white balance that drift, sensor noise, a belt with a texture and
stains that moves along. Not modelled: lens distortion, rolling shutter, focus, JPEG.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from coinsorter.simulator import coins, sprites

BELT_RGB = (84.0, 90.0, 96.0)  # a grey-blue conveyor rubber, as displayed
SHADOW_DEPTH = 0.5
NOISE_LEVELS = 2.2  # standard deviation, grey levels of 255
_NOISE_MARGIN = 96


@dataclass(frozen=True)
class Optics:
    """What the camera and the lamp are set to.

    width_px, height_px, px_per_mm: the view. motion_blur_mm: how far the belt runs while a frame is exposed.
    """

    width_px: int
    height_px: int
    px_per_mm: float
    motion_blur_mm: float


class SimulatedCamera:
    """Draws frames; every chance in it comes from the generator it is given."""

    def __init__(self, optics: Optics, rng: np.random.Generator) -> None:
        self.optics = optics
        self._rng = rng
        self._light = _light_field(optics, rng)
        self._belt = _belt_texture(optics, rng)
        noise_shape = (optics.height_px + _NOISE_MARGIN, optics.width_px + _NOISE_MARGIN, 3)
        self._noise = NOISE_LEVELS * rng.standard_normal(noise_shape, np.float32)
        self._gain = 1.0
        self._balance = np.ones(3)

    def draw_item(self, thing: coins.Item) -> sprites.Sprite:
        """The thing as this camera sees it pass."""
        return sprites.draw_item(thing, self.optics.px_per_mm, self.optics.motion_blur_mm)

    def render_frame(
        self, sprites: Iterable[tuple[sprites.Sprite, float, float]], belt_mm: float
    ) -> np.ndarray:
        """One frame, uint8 (h, w, 3) RGB: each sprite at (x, y) mm from the view's centre, the belt having run belt_mm."""
        canvas = self._empty_belt(belt_mm)
        for sprite, x_mm, y_mm in sprites:
            self._lay(canvas, sprite, x_mm, y_mm)
        self._drift()
        canvas *= self._light
        canvas *= (self._gain * self._balance).astype(np.float32)
        dy, dx = self._rng.integers(0, _NOISE_MARGIN, 2)
        noise = self._noise[dy : dy + self.optics.height_px, dx : dx + self.optics.width_px]
        return cv2.add(canvas, noise, dtype=cv2.CV_8U)

    def _empty_belt(self, belt_mm: float) -> np.ndarray:
        """The belt's endless texture, moved to where it is now (to the pixel: it is soft anyway)."""
        length = self._belt.shape[1] - self.optics.width_px
        start = -round(belt_mm * self.optics.px_per_mm) % length
        return self._belt[:, start : start + self.optics.width_px].copy()

    def _lay(self, canvas: np.ndarray, sprite: sprites.Sprite, x_mm: float, y_mm: float) -> None:
        scale = self.optics.px_per_mm
        x, y = (
            (self.optics.width_px - 1) / 2 + x_mm * scale,
            (self.optics.height_px - 1) / 2 + y_mm * scale,
        )
        half = sprite.shadow.shape[0] // (2 * sprites.SUPERSAMPLING) + 1
        left, top = max(0, int(x) - half), max(0, int(y) - half)
        right, bottom = (
            min(self.optics.width_px, int(x) + half),
            min(self.optics.height_px, int(y) + half),
        )
        if left >= right or top >= bottom:
            return
        layers, shadow = _reduced(sprite, x - left, y - top, (right - left, bottom - top))
        patch = canvas[top:bottom, left:right]
        patch *= (1 - SHADOW_DEPTH * shadow)[..., None] * (1 - layers[..., 3:])
        patch += layers[..., :3]

    def _drift(self) -> None:
        """Exposure and white balance wander slowly and are pulled back (an Ornstein-Uhlenbeck step per frame)."""
        self._gain += 0.004 * (1 - self._gain) + self._rng.normal(0, 0.004)
        self._balance += 0.004 * (1 - self._balance) + self._rng.normal(0, 0.0012, 3)


def _reduced(
    sprite: sprites.Sprite, x: float, y: float, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The sprite at the camera's own scale, its middle at (x, y) of a patch of `size` (width, height)."""
    ratio = sprites.SUPERSAMPLING
    middle = (
        sprite.shadow.shape[0] - sprites.SUPERSAMPLING
    ) / 2  # `draw` averaged each pixel with the next
    place = np.array([[ratio, 0, middle - ratio * x], [0, ratio, middle - ratio * y]])
    how = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_CONSTANT}
    return cv2.warpAffine(sprite.layers, place, size, **how), cv2.warpAffine(
        sprite.shadow, place, size, **how
    )


def _light_field(optics: Optics, rng: np.random.Generator) -> np.ndarray:
    """How bright the lamp is over the view: a bright spot off the middle and falling corners, float32 (h, w, 3) around 1."""
    x = np.linspace(-1, 1, optics.width_px, dtype=np.float32)
    y = np.linspace(-1, 1, optics.height_px, dtype=np.float32)[:, None]
    spot_x, spot_y = rng.uniform(-0.5, 0.5, 2)
    depth = rng.uniform(0.12, 0.3)
    field = 1.08 - depth * ((x - spot_x) ** 2 + 0.6 * (y - spot_y) ** 2) / 1.6
    return np.repeat((field * rng.uniform(0.9, 1.1)).astype(np.float32)[..., None], 3, axis=2)


def _belt_texture(optics: Optics, rng: np.random.Generator) -> np.ndarray:
    """One endless turn of belt, 2.5 views long: a fine weave, cloudy wear and a few stains; float32 (h, length + width, 3), its start
    repeated at its end."""
    height, length = optics.height_px, int(2.5 * optics.width_px)
    weave = cv2.GaussianBlur(rng.normal(0, 5, (height, length)).astype(np.float32), (0, 0), 0.8)
    clouds = cv2.resize(
        rng.normal(0, 2.5, (height // 60, length // 60)).astype(np.float32),
        (length, height),
        interpolation=cv2.INTER_CUBIC,
    )
    stains = np.zeros((height, length), np.float32)
    for _ in range(12):
        centre = int(rng.integers(0, length)), int(rng.integers(0, height))
        axes = tuple(int(v) for v in rng.integers(4, 26, 2))
        cv2.ellipse(
            stains, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(-9, 5)), -1
        )
    pattern = weave + clouds + cv2.GaussianBlur(stains, (0, 0), 4)
    pattern = np.concatenate([pattern, pattern[:, : optics.width_px]], axis=1)
    return np.float32(BELT_RGB) + pattern[..., None]
