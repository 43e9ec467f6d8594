"""The simulated camera: items on a moving belt -> frames as a Pi camera would deliver them.

Modelled: uneven light, motion blur over the exposure, exposure and white balance that drift,
sensor noise, a belt with a texture and stains that moves along. Not modelled: lens distortion,
rolling shutter, focus, JPEG.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from coinsorter.simulator import coins, sprites

#: A grey-blue conveyor rubber, RGB as displayed: set by eye.
BELT_RGB = (84.0, 90.0, 96.0)
#: Part of the light that a full shadow takes away: set by eye.
SHADOW_DEPTH = 0.5
#: Standard deviation of the sensor's noise, grey levels of 255: set by eye.
NOISE_LEVELS = 2.2
#: The noise of a frame is cut at random out of a field that is this much larger, px.
NOISE_MARGIN_PX = 96
#: Part of their deviation that exposure and white balance lose with each frame.
DRIFT_PULL = 0.004
#: Standard deviation of what each frame adds to the exposure, and to each colour's balance.
GAIN_STEP_STD = 0.004
BALANCE_STEP_STD = 0.0012
#: Length of the endless belt's texture, in views.
BELT_VIEWS = 2.5
#: Stains on that length of belt.
STAINS = 12

#: A sprite and its place (x, y) in mm from the view's centre.
PlacedSprite = tuple[sprites.Sprite, float, float]


@dataclass(frozen=True)
class Optics:
    """What the camera and the lamp are set to.

    width_px, height_px, px_per_mm: the view. motion_blur_mm: how far the belt runs while a frame is
    exposed.
    """

    width_px: int
    height_px: int
    px_per_mm: float
    motion_blur_mm: float

    def to_pixel(
        self,
        x_mm: float,
        y_mm: float,
    ) -> tuple[float, float]:
        """A place in mm from the view's centre as a place (x, y) in px of the frame."""
        middle_x_px = (self.width_px - 1) / 2
        middle_y_px = (self.height_px - 1) / 2
        x_px = middle_x_px + x_mm * self.px_per_mm
        y_px = middle_y_px + y_mm * self.px_per_mm
        return x_px, y_px


class SimulatedCamera:
    """Draws frames; every random number comes from the generator that it gets."""

    def __init__(
        self,
        optics: Optics,
        rng: np.random.Generator,
    ) -> None:
        self.optics = optics
        self._rng = rng
        self._light = _draw_light(optics, rng)
        self._belt = _draw_belt(optics, rng)
        self._noise = _draw_noise(optics, rng)
        # one buffer for all frames: a new one each time costs as much as filling it
        self._canvas = np.empty_like(self._light)
        self._gain = 1.0
        self._balance = np.ones(3)

    def draw_item(self, item: coins.Item) -> sprites.Sprite:
        """The item as this camera sees it pass."""
        return sprites.draw_item(item, self.optics.px_per_mm, self.optics.motion_blur_mm)

    def render_frame(
        self,
        placed: Iterable[PlacedSprite],
        belt_mm: float,
    ) -> np.ndarray:
        """One frame, uint8 (h, w, 3) RGB, with these sprites on it, the belt having run belt_mm."""
        canvas = self._cut_belt(belt_mm)
        for sprite, x_mm, y_mm in placed:
            self._lay(canvas, sprite, x_mm, y_mm)
        self._drift()
        canvas *= self._light
        exposure = (self._gain * self._balance).astype(np.float32)
        # a whole row at a time: NumPy is slow over a last axis of three
        rows = canvas.reshape(self.optics.height_px, -1)
        rows *= np.tile(exposure, self.optics.width_px)
        canvas += self._cut_noise()
        return _quantize(canvas)

    def _cut_belt(self, belt_mm: float) -> np.ndarray:
        """The empty belt where it is now, to the pixel, in the camera's one canvas."""
        width = self.optics.width_px
        length = self._belt.shape[1] - width
        start = -round(belt_mm * self.optics.px_per_mm) % length
        np.copyto(self._canvas, self._belt[:, start : start + width])
        return self._canvas

    def _cut_noise(self) -> np.ndarray:
        top, left = self._rng.integers(0, NOISE_MARGIN_PX, 2)
        bottom = top + self.optics.height_px
        right = left + self.optics.width_px
        return self._noise[top:bottom, left:right]

    def _lay(
        self,
        canvas: np.ndarray,
        sprite: sprites.Sprite,
        x_mm: float,
        y_mm: float,
    ) -> None:
        """Lay a sprite and its shadow on the canvas."""
        x, y = self.optics.to_pixel(x_mm, y_mm)
        half = sprite.shadow.shape[0] // (2 * sprites.SUPERSAMPLING) + 1
        left = max(0, int(x) - half)
        top = max(0, int(y) - half)
        right = min(self.optics.width_px, int(x) + half)
        bottom = min(self.optics.height_px, int(y) + half)
        if left >= right or top >= bottom:
            return
        size = (right - left, bottom - top)
        layers, shadow = _scale_down(sprite, x - left, y - top, size)
        patch = canvas[top:bottom, left:right]
        lit = 1 - SHADOW_DEPTH * shadow
        uncovered = 1 - layers[..., 3]
        # three channels at once, whole rows at a time: see `render_frame`
        patch *= cv2.cvtColor(lit * uncovered, cv2.COLOR_GRAY2RGB)
        patch += cv2.cvtColor(layers, cv2.COLOR_RGBA2RGB)

    def _drift(self) -> None:
        """Let exposure and white balance wander: an Ornstein-Uhlenbeck step per frame."""
        gain_step = self._rng.normal(0, GAIN_STEP_STD)
        self._gain += DRIFT_PULL * (1 - self._gain) + gain_step
        balance_step = self._rng.normal(0, BALANCE_STEP_STD, 3)
        self._balance += DRIFT_PULL * (1 - self._balance) + balance_step


def _quantize(light: np.ndarray) -> np.ndarray:
    """What a sensor of 8 bits reads of light in grey levels, uint8; `light` is spoilt.

    OpenCV rounds only whole multiples of its vectors fast, and takes the absolute value first.
    """
    cv2.threshold(light, 0, 0, cv2.THRESH_TOZERO, light)
    return cv2.convertScaleAbs(light)


def _scale_down(
    sprite: sprites.Sprite,
    x: float,
    y: float,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """The sprite's layers and shadow at the camera's own scale.

    Its middle is at (x, y) of a patch of `size` (width, height).
    """
    ratio = sprites.SUPERSAMPLING
    # `draw_item` averaged each pixel with the next, so that the middle is half a pixel off
    middle = (sprite.shadow.shape[0] - ratio) / 2
    shift_x = middle - ratio * x
    shift_y = middle - ratio * y
    rows = [
        [ratio, 0, shift_x],
        [0, ratio, shift_y],
    ]
    placement = np.array(rows)
    layers = _warp(sprite.layers, placement, size)
    shadow = _warp(sprite.shadow, placement, size)
    return layers, shadow


def _warp(
    layer: np.ndarray,
    placement: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    return cv2.warpAffine(
        layer,
        placement,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )


def _draw_light(
    optics: Optics,
    rng: np.random.Generator,
) -> np.ndarray:
    """How bright the lamp is over the view, float32 (h, w, 3) around 1.

    A bright spot off the middle, and falling corners.
    """
    x = np.linspace(-1, 1, optics.width_px, dtype=np.float32)
    y = np.linspace(-1, 1, optics.height_px, dtype=np.float32)[:, None]
    spot_x, spot_y = rng.uniform(-0.5, 0.5, 2)
    depth = rng.uniform(0.12, 0.3)
    distance = (x - spot_x) ** 2 + 0.6 * (y - spot_y) ** 2
    field = 1.08 - depth * distance / 1.6
    brightness = rng.uniform(0.9, 1.1)
    light = (field * brightness).astype(np.float32)
    return np.repeat(light[..., None], 3, axis=2)


def _draw_noise(
    optics: Optics,
    rng: np.random.Generator,
) -> np.ndarray:
    height = optics.height_px + NOISE_MARGIN_PX
    width = optics.width_px + NOISE_MARGIN_PX
    shape = (height, width, 3)
    return NOISE_LEVELS * rng.standard_normal(shape, np.float32)


def _draw_belt(
    optics: Optics,
    rng: np.random.Generator,
) -> np.ndarray:
    """One endless turn of belt, float32 (h, length + width, 3), its start repeated at its end.

    It bears a fine weave, cloudy wear and a few stains.
    """
    height = optics.height_px
    length = int(BELT_VIEWS * optics.width_px)
    weave = _draw_weave(height, length, rng)
    clouds = _draw_clouds(height, length, rng)
    stains = _draw_stains(height, length, rng)
    pattern = weave + clouds + stains
    start = pattern[:, : optics.width_px]
    pattern = np.concatenate([pattern, start], axis=1)
    rubber = np.array(BELT_RGB, np.float32)
    belt: np.ndarray = rubber + pattern[..., None]
    return belt


def _draw_weave(
    height: int,
    length: int,
    rng: np.random.Generator,
) -> np.ndarray:
    threads = rng.normal(0, 5, (height, length)).astype(np.float32)
    return cv2.GaussianBlur(threads, (0, 0), 0.8)


def _draw_clouds(
    height: int,
    length: int,
    rng: np.random.Generator,
) -> np.ndarray:
    coarse_shape = (height // 60, length // 60)
    coarse = rng.normal(0, 2.5, coarse_shape).astype(np.float32)
    return cv2.resize(coarse, (length, height), interpolation=cv2.INTER_CUBIC)


def _draw_stains(
    height: int,
    length: int,
    rng: np.random.Generator,
) -> np.ndarray:
    stains = np.zeros((height, length), np.float32)
    for _ in range(STAINS):
        x = int(rng.integers(0, length))
        y = int(rng.integers(0, height))
        half_axes = rng.integers(4, 26, 2).tolist()
        turn_deg = float(rng.uniform(0, 180))
        level = float(rng.uniform(-9, 5))
        cv2.ellipse(stains, (x, y), half_axes, turn_deg, 0, 360, level, -1)
    return cv2.GaussianBlur(stains, (0, 0), 4)
