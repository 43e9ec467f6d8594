"""Circles over frames -> coins: each counted once, with its speed and its sharpest crops.

Things ride on a belt, so each is expected where its own speed takes it. Things that touch or
overlap cannot be sorted one by one: they are counted as one coin that is not alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import hypot, sqrt
from statistics import median

import numpy as np

from coinsorter.records import Circle, Coin, Frame, Motion
from coinsorter.vision.scale import ScalePlane

# Tried on the simulated belt (`coinsorter run --sim`), where nothing else is said.

#: Sightings that make a coin; fewer are reflections and noise.
MIN_SIGHTINGS = 3
#: Share of its sightings that must call a coin alone.
ALONE_SHARE = 0.75
#: In radii: how far from where it is expected a thing may be found.
REACH = 0.5
#: In radii of the smaller: things that come nearer than this are one.
TOUCHING_GAP = 0.08
#: Standard deviation of one measured place, mm: 0.1 on the simulated machine; more where the lamp
#: flickers.
PLACE_STD_MM = 0.15
#: Standard deviation of a coin's speed before it has been measured, relative to the belt's.
BELT_SPEED_STD = 0.05
#: Standard errors of a coin's measured speed that are reckoned with: 3 leave out 0.3 % of a normal
#: distribution.
SPEED_SEMS = 3.0

#: Makes a crop from an image, uint8 (h, w, 3) RGB, a circle in it and the coin's diameter in mm.
CutCrop = Callable[[np.ndarray, Circle, float], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Sighting:
    taken_s: float
    x_mm: float
    y_mm: float
    radius_mm: float
    circle: Circle


@dataclass(frozen=True, eq=False)
class _View:
    """A frame in which a thing was seen, and how good its image is there."""

    worth: float
    pixels: np.ndarray
    circle: Circle


@dataclass(eq=False)
class _Lump:
    """Things that touch; it names no tracks, so that tracks hold none of each other's frames.

    things: how many they are, 1 of a thing that lies alone. done: it has been counted.
    """

    things: int = 1
    done: bool = False


class _Track:
    """One thing while it is in view: where it was when, and the frames it was sharpest in.

    Its motion is a line through its places, with the belt's own speed taken in as one more
    measurement, so that two near sightings do not make a wild speed.
    lump: shared by the tracks whose things touch.
    """

    def __init__(self, belt_mm_s: float) -> None:
        self.sightings: list[_Sighting] = []
        self.best: list[_View] = []
        self.lump = _Lump()
        self._belt_mm_s = belt_mm_s
        self._sum_t = self._sum_tt = self._sum_x = self._sum_tx = 0.0

    def add(
        self,
        sighting: _Sighting,
        pixels: np.ndarray,
        max_views: int,
    ) -> None:
        self.sightings.append(sighting)
        t = sighting.taken_s - self.sightings[0].taken_s
        self._sum_t += t
        self._sum_tt += t * t
        self._sum_x += sighting.x_mm
        self._sum_tx += t * sighting.x_mm
        if sighting.circle.quality and not self.done:
            self._keep_best(sighting.circle, pixels, max_views)

    def _keep_best(
        self,
        circle: Circle,
        pixels: np.ndarray,
        max_views: int,
    ) -> None:
        view = _View(circle.sharpness * circle.quality, pixels, circle)
        best_first = sorted([*self.best, view], key=lambda view: -view.worth)
        self.best = best_first[:max_views]

    def release_frames(self) -> None:
        """Forgets the frames it was sharpest in."""
        self.best = []

    @property
    def done(self) -> bool:
        """Whether its lump has been counted."""
        return self.lump.done

    @property
    def last(self) -> _Sighting:
        return self.sightings[-1]

    @property
    def is_settled(self) -> bool:
        return len(self.sightings) >= MIN_SIGHTINGS

    def motion(self) -> Motion:
        """Where it was at its last sighting, by all of them."""
        n = len(self.sightings)
        mean_t = self._sum_t / n
        mean_x = self._sum_x / n
        scatter = self._sum_tt - n * mean_t * mean_t
        covariation = self._sum_tx - n * mean_t * mean_x
        measured = covariation / scatter if scatter > 0 else 0.0
        precision = scatter / PLACE_STD_MM**2  # of the measured speed: one over its variance
        prior_precision = 1 / (BELT_SPEED_STD * self._belt_mm_s) ** 2
        total = precision + prior_precision
        speed = (measured * precision + self._belt_mm_s * prior_precision) / total
        last_t = self.last.taken_s - self.sightings[0].taken_s
        return Motion(
            x_mm=mean_x + speed * (last_t - mean_t),
            seen_s=self.last.taken_s,
            radius_mm=self.last.radius_mm,
            speed_mm_s=speed,
            speed_sem_mm_s=1 / sqrt(total),
        )

    def x_mm_at(self, now_s: float) -> float:
        return self.motion().x_mm_at(now_s)

    def tail_mm_at(self, now_s: float) -> float:
        """Where its trailing edge is."""
        return self.x_mm_at(now_s) - self.last.radius_mm


@dataclass(eq=False)
class BeltTracker:
    """Follows everything on the belt: takes every frame's circles, returns the coins that leave.

    scale: the view's, which may be replaced between frames.
    speed_mm_s: the belt's nominal speed.
    frame_s: from one frame to the next.
    cut: makes a crop of an image, a circle in it and its diameter in mm.
    crops: at most so many of each coin, the sharpest.
    """

    scale: ScalePlane
    speed_mm_s: float
    frame_s: float
    cut: CutCrop
    crops: int = 3
    _tracks: list[_Track] = field(default_factory=list)
    _coins: int = 0

    def update(self, frame: Frame, circles: list[Circle]) -> list[Coin]:
        """Takes in one frame; returns the coins that its border will cut in the next one.

        Only those that were in view long enough.
        """
        self._assign(frame, circles)
        self._join_lumps(frame.taken_s)
        coins = [self._make_coin(track) for track in self._take_leaving(frame.taken_s)]
        self._tracks = [track for track in self._tracks if self._is_in_view(track, frame.taken_s)]
        self._release_frames()
        return coins

    def _release_frames(self) -> None:
        for track in self._tracks:
            if track.done:
                track.release_frames()

    def list_undecided(self) -> list[Motion]:
        """The motions of all things in view that are not decided on yet.

        What was seen once only is taken for a flicker.
        """
        waiting = [track for track in self._tracks if not track.done and len(track.sightings) > 1]
        return [track.motion() for track in waiting]

    @property
    def _border_mm(self) -> float:
        x_mm, _ = self.scale.locate_mm(self.scale.width_px - 1, self.scale.height_px / 2)
        return x_mm

    def _is_in_view(self, track: _Track, now_s: float) -> bool:
        return track.tail_mm_at(now_s) < self._border_mm

    def _assign(self, frame: Frame, circles: list[Circle]) -> None:
        """Each circle to the track that expects it nearest; the rest start tracks of their own."""
        sightings = [self._make_sighting(frame, circle) for circle in circles]
        pairs = sorted(self._pair(frame.taken_s, sightings), key=lambda pair: pair[0])
        for _, track, sighting in pairs:
            if sighting in sightings and track.last.taken_s < frame.taken_s:
                sightings.remove(sighting)
                track.add(sighting, frame.pixels, self.crops)
        for sighting in sightings:
            track = _Track(self.speed_mm_s)
            track.add(sighting, frame.pixels, self.crops)
            self._tracks.append(track)

    def _pair(
        self, now_s: float, sightings: list[_Sighting]
    ) -> list[tuple[float, _Track, _Sighting]]:
        """Every pair of a track and a sighting where it may be by now, with their distance."""
        pairs = []
        for track in self._tracks:
            x_mm = track.x_mm_at(now_s)
            for sighting in sightings:
                distance = hypot(sighting.x_mm - x_mm, sighting.y_mm - track.last.y_mm)
                radius_mm = max(track.last.radius_mm, sighting.radius_mm)
                if distance < REACH * radius_mm:
                    pairs.append((distance, track, sighting))
        return pairs

    def _make_sighting(self, frame: Frame, circle: Circle) -> _Sighting:
        x_mm, y_mm = self.scale.locate_mm(circle.x_px, circle.y_px)
        radius_mm = self.scale.measure_diameter_mm(circle) / 2
        return _Sighting(frame.taken_s, x_mm, y_mm, radius_mm, circle)

    def _join_lumps(self, now_s: float) -> None:
        """Tracks whose things come so near that they touch share one lump from then on."""
        settled = [track for track in self._tracks if track.is_settled]
        for index, a in enumerate(settled):
            for b in settled[index + 1 :]:
                if a.lump is not b.lump and _is_touching(a, b, now_s):
                    self._join(a.lump, b.lump)

    def _join(self, a: _Lump, b: _Lump) -> None:
        """Makes one lump of two; it is done where one of them is."""
        joined = _Lump(a.things + b.things, a.done or b.done)
        for track in self._tracks:
            if track.lump in (a, b):
                track.lump = joined

    def _take_leaving(self, now_s: float) -> list[_Track]:
        """Tracks whose thing the border will cut in the next frame, marked as done.

        Of a lump only the first to get there.
        """
        leaving = []
        for track in self._tracks:
            if track.done or not track.is_settled:
                continue
            ahead_mm = track.x_mm_at(now_s + self.frame_s) + track.last.radius_mm
            if ahead_mm > self._border_mm:
                leaving.append(track)
                track.lump.done = True
        return leaving

    def _make_coin(self, track: _Track) -> Coin:
        self._coins += 1
        motion = track.motion()
        last = track.last.circle
        diameter_mm = 2 * median(sighting.radius_mm for sighting in track.sightings)
        return Coin(
            number=self._coins,
            crops=tuple(self.cut(view.pixels, view.circle, diameter_mm) for view in track.best),
            circles=tuple(view.circle for view in track.best),
            diameter_mm=diameter_mm,
            x_mm=motion.x_mm,
            y_mm=track.last.y_mm,
            seen_s=track.last.taken_s,
            speed_mm_s=motion.speed_mm_s,
            speed_sem_mm_s=motion.speed_sem_mm_s,
            sightings=len(track.sightings),
            alone=_is_alone(track),
            behind_mm=self._measure_behind_mm(track),
            scale_sem=self.scale.scale_sem_at(last.x_px, last.y_px),
        )

    def _measure_behind_mm(self, first: _Track) -> float:
        """How far the rest of a lump reaches back beyond its first thing."""
        now_s = first.last.taken_s
        lump = [track for track in self._tracks if track.lump is first.lump]
        tail_mm = min(track.tail_mm_at(now_s) for track in lump)
        return max(0.0, first.tail_mm_at(now_s) - tail_mm)


def _is_alone(track: _Track) -> bool:
    if track.lump.things > 1 or not track.best:
        return False
    alone = sum(sighting.circle.alone for sighting in track.sightings)
    return alone >= ALONE_SHARE * len(track.sightings)


def _is_touching(
    a: _Track,
    b: _Track,
    now_s: float,
) -> bool:
    distance = hypot(a.x_mm_at(now_s) - b.x_mm_at(now_s), a.last.y_mm - b.last.y_mm)
    gap_mm = distance - a.last.radius_mm - b.last.radius_mm
    return gap_mm < TOUCHING_GAP * min(a.last.radius_mm, b.last.radius_mm)


def measure_still_coin(
    frame: Frame,
    circles: list[Circle],
    scale: ScalePlane,
    cut: CutCrop,
) -> Coin | None:
    """The coin in an image that shows one at rest, or None where no circle was found.

    Several circles are one coin that is not alone.
    """
    coins = [circle for circle in circles if circle.quality]
    if not coins:
        return None
    circle = max(coins, key=lambda circle: circle.quality)
    x_mm, y_mm = scale.locate_mm(circle.x_px, circle.y_px)
    diameter_mm = scale.measure_diameter_mm(circle)
    return Coin(
        number=frame.number + 1,
        crops=(cut(frame.pixels, circle, diameter_mm),),
        circles=(circle,),
        diameter_mm=diameter_mm,
        x_mm=x_mm,
        y_mm=y_mm,
        seen_s=frame.taken_s,
        speed_mm_s=0.0,
        speed_sem_mm_s=0.0,
        sightings=1,
        alone=circle.alone and len(coins) == 1,
        scale_sem=scale.scale_sem_at(circle.x_px, circle.y_px),
    )
