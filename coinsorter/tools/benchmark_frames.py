"""Simulated frames for `coinsorter bench`."""

import numpy as np

from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Frame
from coinsorter.simulator.coins import make_genuine_coin
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera

#: Frames that are sorted, each with one coin.
FRAMES = 16
#: Speed of the simulated belt, mm/s, and time from frame to frame, s: those of config.yaml.
SPEED_MM_S = 250.0
FRAME_S = 1 / 60
#: Exposure of the simulated frames, s: it makes their motion blur.
EXPOSURE_S = 0.0015
#: Coins lie at least this far inside of the view's border, middle to border, mm.
BORDER_MM = 20
#: How far the belt runs from one frame to the next, mm, so that each shows another piece of it.
BELT_STEP_MM = 30.0
#: Seed of the frames: every run measures the same ones.
SEED = 1


def render_frames(bundle: Bundle) -> list[Frame]:
    """FRAMES simulated coins, one in each frame, as the bundle's own camera would show them."""
    rng = np.random.default_rng(SEED)
    camera = SimulatedCamera(_choose_optics(bundle), rng)
    return [_render_frame(number, camera, rng) for number in range(FRAMES)]


def _choose_optics(bundle: Bundle) -> Optics:
    view = bundle.view
    return Optics(
        view.width_px,
        view.height_px,
        view.px_per_mm,
        motion_blur_mm=SPEED_MM_S * EXPOSURE_S,
    )


def _render_frame(number: int, camera: SimulatedCamera, rng: np.random.Generator) -> Frame:
    optics = camera.optics
    reach_x_mm = 0.5 * optics.width_px / optics.px_per_mm - BORDER_MM
    reach_y_mm = 0.5 * optics.height_px / optics.px_per_mm - BORDER_MM
    x_mm = rng.uniform(-reach_x_mm, reach_x_mm)
    y_mm = rng.uniform(-reach_y_mm, reach_y_mm)
    coin = make_genuine_coin(rng)
    sprite = camera.draw_item(coin)
    pixels = camera.render_frame([(sprite, x_mm, y_mm)], BELT_STEP_MM * number)
    return Frame(pixels, number, number * FRAME_S)
