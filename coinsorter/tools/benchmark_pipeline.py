"""What `coinsorter bench` measures: the way from a frame to a decision."""

from functools import partial

import numpy as np

from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Circle, Coin, Decision, Frame
from coinsorter.sorting.acceptance import decide
from coinsorter.sorting.assembly import build_search
from coinsorter.tools.image_replay import build_own_rules
from coinsorter.vision.crop import cut_crop
from coinsorter.vision.detect import find_circles
from coinsorter.vision.track import measure_still_coin


class Pipeline:
    """The way from a frame to a decision, a stage at a time, on one coin at rest in each frame."""

    def __init__(self, bundle: Bundle, runtime: str, turns: int) -> None:
        self.plane = bundle.view
        self.classifier = Classifier(bundle, runtime, turns=turns)
        self.rules = build_own_rules(bundle)
        self.cut = partial(cut_crop, spec=bundle.crop)
        self._search = build_search(bundle, self.plane)

    def find(self, frame: Frame) -> list[Circle]:
        """The circles in a frame."""
        return find_circles(frame.pixels, self._search)

    def crop(self, frame: Frame, circle: Circle) -> np.ndarray:
        """The crop of a circle in a frame."""
        diameter_mm = self.plane.measure_diameter_mm(circle)
        return self.cut(frame.pixels, circle, diameter_mm)

    def measure(self, frame: Frame, circles: list[Circle]) -> Coin:
        """The coin that a frame shows. Raises LookupError where there is none."""
        coin = measure_still_coin(frame, circles, self.plane, self.cut)
        if coin is None:
            raise LookupError(f"the benchmark's frame {frame.number} shows no coin")
        return coin

    def decide(self, frame: Frame) -> Decision:
        """All stages: the decision on the coin in a frame."""
        circles = self.find(frame)
        coin = self.measure(frame, circles)
        verdict = self.classifier.classify(coin)
        return decide(coin, verdict, self.rules)
