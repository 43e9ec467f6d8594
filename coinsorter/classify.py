"""A coin -> a verdict: what the classifier, the autoencoder and the diameter say of it together.

Every picture of the coin is judged in several quarter turns and the answers are averaged; how like the reliefs of known coins it is counts
beside them, where the bundle has such. These probabilities and the measured diameter are fused by Bayes' rule; the last class, "none of
these", has no diameter. The anomaly score is how far the logarithm of the
autoencoder's error is from that of genuine coins of the label, in units of their spread: what it copies too badly is unlike them, and what
it copies too well (a blank) is so too.
"""

from collections.abc import Callable, Sequence
from math import exp, hypot, lgamma, log, log1p, pi

import cv2
import numpy as np

from coinsorter.bundle import GOLDEN_ERROR, GOLDEN_LOGITS, Bundle, Fusion
from coinsorter.crop import inside, quarter_turns
from coinsorter.errors import BundleError
from coinsorter.records import Coin, Verdict
from coinsorter.relief import Matcher
from coinsorter.runtime import Network

# Relative diameters that a thing that is no coin may have, all equally likely: some 35 % either way.
FOREIGN_RANGE = 0.7


class Classifier:
    """A bundle's networks, loaded and ready. turns: quarter turns of each picture that are judged."""

    def __init__(self, bundle: Bundle, runtime: str, threads: int = 1, turns: int = 4) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self._turns = turns
        self._classifier = _network(bundle, "classifier", bundle.classifier, turns, runtime, threads)
        self._autoencoder = _network(bundle, "autoencoder", bundle.autoencoder, 1, runtime, threads)
        self._matcher = Matcher(bundle.reliefs, bundle.crop, len(bundle.facts.labels)) if bundle.reliefs else None
        self._names = [label.name for label in bundle.facts.labels]
        self._diameters_mm = [label.diameter_mm for label in bundle.facts.labels]
        self._inside = cv2.resize(inside(bundle.crop), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)

    def judge(self, coin: Coin, time_left: Callable[[], bool] = lambda: True) -> Verdict:
        """What the coin is, from as many of its pictures as there is time for, the sharpest first and at least one.

        Of a coin without pictures nothing is known, and no limit will let it through.
        """
        if not coin.crops:
            return Verdict("", 0.0, 0.0, "", float("inf"), coin.diameter_mm)
        logits, error, judged = self.logits(coin.crops[0]), self.error(coin.crops[0]), 1
        for crop in coin.crops[1:]:
            if not time_left():
                break
            logits, error, judged = logits + self.logits(crop), error + self.error(crop), judged + 1
        return self.fuse(logits / judged, error / judged, coin.diameter_mm, coin.diameter_spread)

    def logits(self, crop: np.ndarray) -> np.ndarray:
        """What classifier and relief together say of one crop, uint8 (n, n, 3): float32 (labels + 1,)."""
        return self.network_logits(crop) + self._relief(crop)

    def single_logits(self, crop: np.ndarray) -> np.ndarray:
        """The same, with the classifier asked about the crop as it lies only, not turned."""
        raw = self._classifier(quarter_turns(crop, self._turns))[0]
        return self._classifier.real(0, raw[0]) + self._relief(crop)

    def network_logits(self, crop: np.ndarray) -> np.ndarray:
        """The classifier's answer alone, averaged over the turns: float32 (labels + 1,)."""
        raw = self._classifier(quarter_turns(crop, self._turns))[0]
        return self._classifier.real(0, raw.mean(axis=0, dtype=np.float32))

    def likeness(self, crop: np.ndarray) -> np.ndarray:
        """How like the known coins' reliefs the crop's is, see `relief.Matcher`: float32 (labels + 1,); zeros where none are known."""
        return self._matcher.scores(crop) if self._matcher else np.zeros(len(self._names) + 1, np.float32)

    def _relief(self, crop: np.ndarray) -> np.ndarray | float:
        weight = self.bundle.facts.fusion.relief_weight
        return weight * self.likeness(crop) if weight else 0.0

    def error(self, crop: np.ndarray) -> float:
        """The autoencoder's mean squared error over the coin's pixels at half the crop's size, in grey levels squared."""
        copy = self._autoencoder.real(0, self._autoencoder(crop[None])[0][0])
        squares = cv2.norm(halved(crop).astype(np.float32), copy, cv2.NORM_L2SQR, self._inside)
        return squares / (3 * cv2.countNonZero(self._inside))

    def fuse(self, logits: np.ndarray, error: float, diameter_mm: float, diameter_spread: float = 0.0) -> Verdict:
        """The verdict from a coin's mean logits, float32 (labels + 1,), the autoencoder's mean error, the diameter and its scale's spread."""
        pictures, fused = self.posteriors(logits, diameter_mm, diameter_spread)
        probabilities = tuple(exp(value) for value in fused[:-1])
        best, second, *_ = (*sorted(range(len(probabilities)), key=lambda i: -probabilities[i]), 0)
        label = self._names[best]
        scale = self.bundle.facts.anomaly[label]
        return Verdict(
            label=label,
            confidence=probabilities[best],
            by_picture=exp(pictures[best]),
            runner_up=self._names[second],
            anomaly=abs(log(error) - scale.middle) / scale.spread if error > 0 else float("inf"),
            diameter_mm=diameter_mm,
            probabilities=probabilities,
        )

    def posteriors(self, logits: np.ndarray, diameter_mm: float, diameter_spread: float = 0.0) -> tuple[list[float], list[float]]:
        """Log probabilities of every label and "none of these": by pictures alone, and with the diameter, unless that is NaN (unknown)."""
        fusion = self.bundle.facts.fusion
        pictures = log_softmax([value / fusion.temperature for value in logits.tolist()])
        if diameter_mm != diameter_mm:
            return pictures, pictures
        diameters = diameter_likelihoods(diameter_mm, self._diameters_mm, fusion, diameter_spread)
        return pictures, log_softmax([picture + fusion.diameter_weight * diameter for picture, diameter in zip(pictures, diameters)])

    @property
    def invocations(self) -> tuple[Callable[[], None], ...]:
        """The bare calls of the interpreters that one crop costs, for the bench."""
        return self._classifier.invoke, self._autoencoder.invoke

    def self_test(self) -> None:
        """Runs the golden crops. Raises BundleError if the networks do not answer here as they did where they were trained."""
        golden = self.bundle.golden
        for number, crop in enumerate(golden.crops):
            logits, error = self.logits(crop), self.error(crop)
            off, relative = np.abs(logits - golden.logits[number]).max(), abs(error / golden.errors[number] - 1)
            if not (off <= GOLDEN_LOGITS and relative <= GOLDEN_ERROR):
                found = f"logits off by {off:.2f}, autoencoder's error by {100 * relative:.0f} %"
                raise BundleError(f"bundle {self.bundle.path}: golden crop {number}: {found} on {self.runtime}; train or copy it again")


def halved(crop: np.ndarray) -> np.ndarray:
    """The crop at half its size, as the autoencoder gives it back: uint8."""
    return cv2.resize(crop, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def diameter_likelihoods(diameter_mm: float, nominal_mm: Sequence[float], fusion: Fusion, scale_spread: float = 0.0) -> list[float]:
    """Log likelihood of a diameter under each label (Student-t about the nominal one), and under "none of these" (flat).

    scale_spread: how far the view's scale may be off, relative standard error; the diameter says the less for it.
    """
    spread, freedom = hypot(fusion.diameter_spread, scale_spread), fusion.freedom
    peak = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * log(freedom * pi) - log(spread)
    offs = ((diameter_mm / nominal - 1) / spread for nominal in nominal_mm)
    return [*(peak - (freedom + 1) / 2 * log1p(off * off / freedom) for off in offs), -log(FOREIGN_RANGE)]


def log_softmax(values: Sequence[float]) -> list[float]:
    """Plain Python: for the few numbers of a coin it takes a third of numpy's time."""
    top = max(values)
    total = top + log(sum(exp(value - top) for value in values))
    return [value - total for value in values]


def _network(bundle: Bundle, name: str, model: bytes, batch: int, runtime: str, threads: int) -> Network:
    try:
        network = Network(model, batch, runtime, threads)
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"bundle {bundle.path}: {name} does not load on {runtime}: {error}; train it again for this runtime") from error
    expected = (bundle.crop.size_px, bundle.crop.size_px, 3)
    if network.shape != expected:
        raise BundleError(f"bundle {bundle.path}: {name} takes {network.shape}, the bundle's crops are {expected}; export it again")
    return network
