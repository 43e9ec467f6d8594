"""Circles over frames -> coins: each physical thing counted once, with its speed and its sharpest pictures.

Things ride on a belt, so each is expected where its own speed takes it. Things that touch or overlap are one thing that nobody can sort:
they are counted as one coin that is not alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import hypot, sqrt
from statistics import median

import numpy as np

from coinsorter.records import Circle, Coin, Frame, Motion
from coinsorter.vision.scale import ScalePlane

MIN_SIGHTINGS = 3  # fewer are reflections and noise
ALONE_SHARE = 0.75  # of its sightings that must call a coin alone
REACH = 0.5  # of the radius: how far from where it is expected a thing may be found
TOUCHING_GAP = 0.08  # of the smaller radius: things that come nearer than this are one
PLACE_SPREAD_MM = (
    0.15  # of one measured place (0.1 mm on the simulated machine; more where the lamp flickers)
)
BELT_SPEED_SPREAD = 0.05  # relative: what is believed of a coin's speed before it has been measured

CutCrop = Callable[[np.ndarray, Circle, float], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Sighting:
    taken_s: float
    x_mm: float
    y_mm: float
    radius_mm: float
    circle: Circle


class _Track:
    """One thing while it is in view: where it was when, and the frames it was sharpest in.

    Its motion is a line through its places, with the belt's own speed taken in as one more measurement, so that two near sightings do
    not make a wild speed.
    """

    def __init__(self, belt_mm_s: float) -> None:
        self.sightings: list[_Sighting] = []
        self.best: list[tuple[float, np.ndarray, Circle]] = []
        self.lump: set[_Track] = {self}
        self.done = False
        self._belt_mm_s = belt_mm_s
        self._sum_t = self._sum_tt = self._sum_x = self._sum_tx = 0.0

    def add(self, sighting: _Sighting, pixels: np.ndarray, keep: int) -> None:
        self.sightings.append(sighting)
        t = sighting.taken_s - self.sightings[0].taken_s
        self._sum_t += t
        self._sum_tt += t * t
        self._sum_x += sighting.x_mm
        self._sum_tx += t * sighting.x_mm
        if sighting.circle.quality and not self.done:
            worth = sighting.circle.sharpness * sighting.circle.quality
            self.best = sorted([*self.best, (worth, pixels, sighting.circle)], key=lambda b: -b[0])[
                :keep
            ]

    @property
    def last(self) -> _Sighting:
        return self.sightings[-1]

    def motion(self) -> Motion:
        """Where it was at its last sighting, by all of them."""
        n = len(self.sightings)
        mean_t, mean_x = self._sum_t / n, self._sum_x / n
        scatter = self._sum_tt - n * mean_t * mean_t
        trust = scatter / PLACE_SPREAD_MM**2  # one over the variance of the measured speed
        prior = 1 / (BELT_SPEED_SPREAD * self._belt_mm_s) ** 2
        measured = (self._sum_tx - n * mean_t * mean_x) / scatter if scatter > 0 else 0.0
        speed = (measured * trust + self._belt_mm_s * prior) / (trust + prior)
        last_t = self.last.taken_s - self.sightings[0].taken_s
        return Motion(
            x_mm=mean_x + speed * (last_t - mean_t),
            seen_s=self.last.taken_s,
            radius_mm=self.last.radius_mm,
            speed_mm_s=speed,
            speed_sem_mm_s=1 / sqrt(trust + prior),
        )

    def x_mm_at(self, now_s: float) -> float:
        return self.motion().x_mm_at(now_s)


@dataclass(eq=False)
class BeltTracker:
    """Follows everything on the belt; give it every frame's circles, and it gives back the coins that are leaving the view.

    speed_mm_s: the belt's nominal speed. frame_s: from one frame to the next. cut: makes a crop of a picture, a circle in it and its diameter in mm.
    crops: how many pictures of each coin are kept.
    """

    scale: ScalePlane
    speed_mm_s: float
    frame_s: float
    cut: CutCrop
    crops: int = 3
    _tracks: list[_Track] = field(default_factory=list)
    _coins: int = 0

    def update(self, frame: Frame, circles: list[Circle]) -> list[Coin]:
        """Takes in one frame; returns the coins that were in view long enough and will be cut by its border in the next frame."""
        self._assign(frame, circles)
        self._join_lumps(frame.taken_s)
        coins = [self._coin(track) for track in self._leaving(frame.taken_s)]
        self._tracks = [
            track
            for track in self._tracks
            if track.x_mm_at(frame.taken_s) - track.last.radius_mm < self._border_mm
        ]
        return coins

    def list_undecided(self) -> list[Motion]:
        """Everything in view that is not decided on yet; what was seen once only is taken for a flicker."""
        waiting = [track for track in self._tracks if not track.done and len(track.sightings) > 1]
        return [track.motion() for track in waiting]

    @property
    def _border_mm(self) -> float:
        return self.scale.locate_mm(self.scale.width_px - 1, self.scale.height_px / 2)[0]

    def _assign(self, frame: Frame, circles: list[Circle]) -> None:
        """Each circle to the track that expects it nearest; the rest start tracks of their own."""
        sightings = [self._sighting(frame, circle) for circle in circles]
        pairs = sorted(self._near(frame.taken_s, sightings), key=lambda pair: pair[0])
        for _, track, sighting in pairs:
            if sighting in sightings and track.last.taken_s < frame.taken_s:
                sightings.remove(sighting)
                track.add(sighting, frame.pixels, self.crops)
        for sighting in sightings:
            self._tracks.append(_Track(self.speed_mm_s))
            self._tracks[-1].add(sighting, frame.pixels, self.crops)

    def _near(
        self, now_s: float, sightings: list[_Sighting]
    ) -> list[tuple[float, _Track, _Sighting]]:
        """Every pair of a track and a sighting where the track might be by now, with their distance."""
        pairs = []
        for track in self._tracks:
            x_mm = track.x_mm_at(now_s)
            for sighting in sightings:
                distance = hypot(sighting.x_mm - x_mm, sighting.y_mm - track.last.y_mm)
                if distance < REACH * max(track.last.radius_mm, sighting.radius_mm):
                    pairs.append((distance, track, sighting))
        return pairs

    def _sighting(self, frame: Frame, circle: Circle) -> _Sighting:
        x_mm, y_mm = self.scale.locate_mm(circle.x_px, circle.y_px)
        return _Sighting(
            frame.taken_s, x_mm, y_mm, self.scale.measure_diameter_mm(circle) / 2, circle
        )

    def _join_lumps(self, now_s: float) -> None:
        """Tracks that come so near each other that their things touch share one lump from then on."""
        settled = [track for track in self._tracks if len(track.sightings) >= MIN_SIGHTINGS]
        for index, a in enumerate(settled):
            for b in settled[index + 1 :]:
                if b not in a.lump and _touch(a, b, now_s):
                    together = a.lump | b.lump
                    for track in together:
                        track.lump = together
                        track.done = any(other.done for other in together)

    def _leaving(self, now_s: float) -> list[_Track]:
        """Tracks whose thing will be cut by the view's border in the next frame; of a lump only the first to get there."""
        leaving = []
        for track in self._tracks:
            ahead_mm = track.x_mm_at(now_s + self.frame_s) + track.last.radius_mm
            if (
                not track.done
                and len(track.sightings) >= MIN_SIGHTINGS
                and ahead_mm > self._border_mm
            ):
                leaving.append(track)
                for other in track.lump:
                    other.done = True
        return leaving

    def _coin(self, track: _Track) -> Coin:
        self._coins += 1
        motion = track.motion()
        diameter_mm = 2 * median(s.radius_mm for s in track.sightings)
        lone = sum(s.circle.alone for s in track.sightings) >= ALONE_SHARE * len(track.sightings)
        return Coin(
            number=self._coins,
            crops=tuple(self.cut(pixels, circle, diameter_mm) for _, pixels, circle in track.best),
            circles=tuple(circle for _, _, circle in track.best),
            diameter_mm=diameter_mm,
            x_mm=motion.x_mm,
            y_mm=track.last.y_mm,
            seen_s=track.last.taken_s,
            speed_mm_s=motion.speed_mm_s,
            speed_sem_mm_s=motion.speed_sem_mm_s,
            sightings=len(track.sightings),
            alone=lone and len(track.lump) == 1 and bool(track.best),
            behind_mm=_behind_mm(track),
            scale_sem=self.scale.scale_sem_at(track.last.circle.x_px, track.last.circle.y_px),
        )


def _behind_mm(first: _Track) -> float:
    """How far the rest of a lump reaches back beyond its first thing."""
    now_s = first.last.taken_s
    tail_mm = min(track.x_mm_at(now_s) - track.last.radius_mm for track in first.lump)
    return max(0.0, first.x_mm_at(now_s) - first.last.radius_mm - tail_mm)


def _touch(a: _Track, b: _Track, now_s: float) -> bool:
    distance = hypot(a.x_mm_at(now_s) - b.x_mm_at(now_s), a.last.y_mm - b.last.y_mm)
    return distance - a.last.radius_mm - b.last.radius_mm < TOUCHING_GAP * min(
        a.last.radius_mm, b.last.radius_mm
    )


def measure_still_coin(
    frame: Frame, circles: list[Circle], scale: ScalePlane, cut: CutCrop
) -> Coin | None:
    """The coin in a picture that shows one coin at rest, or None where no circle was found; several circles are one that is not alone."""
    round_ones = [circle for circle in circles if circle.quality]
    if not round_ones:
        return None
    circle = max(round_ones, key=lambda c: c.quality)
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
        alone=circle.alone and len(round_ones) == 1,
        scale_sem=scale.scale_sem_at(circle.x_px, circle.y_px),
    )
