"""What tests of the simulator share: optics, a search for coins, frames of single items."""

import numpy as np

from coinsorter.config.schema import FlapSettings
from coinsorter.simulator.coins import Item
from coinsorter.simulator.motifs import FOREIGN_MOTIFS
from coinsorter.simulator.servo import SimulatedServo
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.vision.detect import Search

OPTICS = Optics(640, 480, 4.0, 0.375)
SEARCH = Search(30, 66, 0.97, 0.93)
MOTIFS = tuple(FOREIGN_MOTIFS)
FLAP = FlapSettings(pin=5, rest_deg=90, open_deg=135, distance_mm=160, travel_ms=80)
PERIOD_US = 20_000  # of a servo's pulses


def make_rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def render(item: Item, seed: int = 0) -> np.ndarray:
    """A frame with one item in its middle."""
    camera = SimulatedCamera(OPTICS, make_rng(seed))
    return camera.render_frame([(camera.draw_item(item), 0.0, 0.0)], 0.0)


def make_servo(*pulses: tuple[float, float], travel_fraction: float = 1.0) -> SimulatedServo:
    """A servo that got pulses of these widths (us) from these times (s) on."""
    servo = SimulatedServo(FLAP, 500, 2500, travel_fraction)
    for time_s, pulse_us in pulses:
        servo.set_duty(time_s, pulse_us / PERIOD_US)
    return servo
