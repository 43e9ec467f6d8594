"""The simulated belt's camera: frame after frame until everything has landed.

The next frames are drawn in a thread while the machine looks at this one. What they show depends
on nothing that the machine does, so that a run comes out the same to the bit.
"""

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from coinsorter.hardware.clock import ManualClock
from coinsorter.records import Frame
from coinsorter.simulator.belt import SimulatedBelt
from coinsorter.simulator.simulated_camera import PlacedSprite, SimulatedCamera
from coinsorter.simulator.sprites import Sprite

#: From a frame's exposure until its pixels are in memory and the machine has dealt with them, s:
#: roughly what a Raspberry Pi 4 needs.
READOUT_S = 0.012
#: Items land this long after they have passed their flap, s. The flaps' history is complete up to
#: now; a second more does no harm.
LANDING_DELAY_S = 1.0
#: Frames that are drawn before the machine asks for them: a frame of many items takes the time of
#: several, and so does the machine's look at it.
FRAMES_AHEAD = 4


class BeltCamera:
    """Frames of the simulated belt, one after the other, until everything has landed.

    heartbeat_s: when the last frame came, seconds on the simulated clock.
    """

    def __init__(
        self,
        belt: SimulatedBelt,
        camera: SimulatedCamera,
        clock: ManualClock,
        frame_s: float,
    ) -> None:
        self.heartbeat_s = 0.0
        self._belt = belt
        self._clock = clock
        self._frame_s = frame_s
        self._number = 0
        self._painter = _FramePainter(belt, camera, frame_s)

    @property
    def drawing_s(self) -> float:
        """Seconds of processor time that drawing has taken."""
        return self._painter.drawing_s

    @property
    def landed(self) -> int:
        """How many items have landed."""
        return sum(rider.landed is not None for rider in self._belt.riders)

    def next_frame(self) -> Frame | None:
        """The next frame; None once every item has landed."""
        if self.landed == len(self._belt.riders):
            return None
        pixels = self._painter.take_next()
        taken_s = self._number * self._frame_s
        frame = Frame(pixels, self._number, taken_s)
        self._advance(taken_s)
        return frame

    def reopen(self) -> None:
        """Continue with the next frame."""

    def close(self) -> None:
        """Draw no more."""
        self._painter.close()

    def _advance(self, taken_s: float) -> None:
        """Move clock and belt on to when a frame taken at `taken_s` has been read out."""
        self._clock.advance_to(taken_s + READOUT_S)
        self._belt.land_items(taken_s - LANDING_DELAY_S)
        self._number += 1
        self.heartbeat_s = self._clock.now_s()


class _FramePainter:
    """Draws the frames of the belt in their order, some ahead, in a thread of its own.

    drawing_s: seconds of processor time that drawing has taken.
    """

    def __init__(
        self,
        belt: SimulatedBelt,
        camera: SimulatedCamera,
        frame_s: float,
    ) -> None:
        self.drawing_s = 0.0
        self._belt = belt
        self._camera = camera
        self._frame_s = frame_s
        self._number = 0
        self._sprites: dict[int, Sprite] = {}
        self._half_view_mm = camera.optics.width_px / 2 / camera.optics.px_per_mm
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="painter")
        self._ahead: deque[Future[np.ndarray]] = deque()

    def take_next(self) -> np.ndarray:
        """The next frame's pixels; those after it are begun."""
        while len(self._ahead) <= FRAMES_AHEAD:
            self._ahead.append(self._thread.submit(self._paint))
        return self._ahead.popleft().result()

    def close(self) -> None:
        """Finish the frame that is being drawn, and forget the items."""
        self._thread.shutdown(cancel_futures=True)
        self._sprites = {}

    def _paint(self) -> np.ndarray:
        start_s = time.thread_time()
        taken_s = self._number * self._frame_s
        placed = self._place_sprites(taken_s)
        belt_mm = self._belt.drive.compute_position_mm(taken_s)
        pixels = self._camera.render_frame(placed, belt_mm)
        self._number += 1
        self.drawing_s += time.thread_time() - start_s
        return pixels

    def _place_sprites(self, now_s: float) -> list[PlacedSprite]:
        """What is in view now; an item is drawn once for as long as it is in view."""
        sprites = {}
        placed = []
        for rider, x_mm in self._belt.list_visible(now_s, self._half_view_mm):
            sprite = self._sprites.get(rider.number)
            if sprite is None:
                sprite = self._camera.draw_item(rider.make_item())
            sprites[rider.number] = sprite
            placed.append((sprite, x_mm, rider.y_mm))
        self._sprites = sprites
        return placed
