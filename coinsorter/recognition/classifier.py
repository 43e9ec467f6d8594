"""A coin -> a verdict: what the classifier, the autoencoder and the diameter say of it together.

Every picture of the coin is judged in several quarter turns and the answers are averaged; how like the reliefs of known coins it is counts
beside them, where the bundle has such. These probabilities and the measured diameter are fused by Bayes' rule; the last class, "none of
these", has no diameter. The anomaly score says how unlike a genuine coin of the label it looks: by the autoencoder's error, by its relief, by
the blemishes that an inspector finds, and by how far the classifier's embedding is from the label's, as far as the bundle looks at them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import exp, hypot, inf, lgamma, log, log1p, pi
from typing import Any, NamedTuple

import cv2
import numpy as np

from coinsorter.errors import BundleError
from coinsorter.recognition.bundle import (
    GOLDEN_BLEMISH,
    GOLDEN_DISTANCE,
    GOLDEN_ERROR,
    GOLDEN_LOGITS,
    AnomalyScale,
    Bundle,
    Fusion,
    RobustStats,
)
from coinsorter.recognition.embedding import EmbeddingDistances
from coinsorter.recognition.relief import ReliefMatcher, compute_relief_logits
from coinsorter.recognition.runtime import Network
from coinsorter.records import Coin, Verdict
from coinsorter.vision.crop import mask_coin, rotate_quarters

# Relative diameters that a thing that is no coin may have, all equally likely: some 35 % either way.
FOREIGN_RANGE = 0.7
# Of the inspector's pixels, those whose mean is its answer: 8 of 32 x 32.
WORST_SHARE = 8 / 1024
NEAREST = 1e-6  # a distance of 0 has no logarithm


@dataclass(frozen=True, eq=False)
class Evidence:
    """What networks and relief say of one crop.

    logits: float32 (labels + 1,), the classifier's, averaged over the turns. likeness: float32 (labels,), see `relief.Matcher`; zeros without
    known reliefs. error: the autoencoder's mean squared error over the coin's pixels at half the crop's size, in grey levels squared.
    defect_logit: the inspector's logit of the coin's worst places; 0 without one. distances: float32 (labels,), of the embedding, averaged over
    the turns, from each label's known coins; see `embedding.Distances`; zeros where the bundle knows none.
    """

    logits: np.ndarray
    similarity: np.ndarray
    reconstruction_error: float
    defect_logit: float
    distances: np.ndarray


def average_evidence(several: Sequence[Evidence]) -> Evidence:
    """Of several crops of one coin."""
    return Evidence(
        *(
            sum(getattr(one, field.name) for one in several) / len(several)
            for field in fields(Evidence)
        )
    )


class Classifier:
    """A bundle's networks, loaded and ready. turns: quarter turns of each picture that are judged."""

    def __init__(self, bundle: Bundle, runtime: str, threads: int = 1, turns: int = 4) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self._turns = turns
        self._classifier = _network(
            bundle, "classifier", bundle.classifier, turns, runtime, threads
        )
        self._autoencoder = _network(bundle, "autoencoder", bundle.autoencoder, 1, runtime, threads)
        self._inspector = (
            _network(bundle, "inspector", bundle.defect_detector, 1, runtime, threads)
            if bundle.defect_detector
            else None
        )
        self._matcher = (
            ReliefMatcher(bundle.reliefs, bundle.crop, len(bundle.manifest.labels))
            if bundle.reliefs
            else None
        )
        self._distances = _distances(bundle, self._classifier) if bundle.embedding_stats else None
        self._names = [label.name for label in bundle.manifest.labels]
        self._nothing = np.zeros(len(self._names), np.float32)
        self._diameters_mm = [label.diameter_mm for label in bundle.manifest.labels]
        self._inside = cv2.resize(
            mask_coin(bundle.crop), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST
        )

    def classify(self, coin: Coin, time_left: Callable[[], bool] = lambda: True) -> Verdict:
        """What the coin is, from as many of its pictures as there is time for, the sharpest first and at least one.

        Of a coin without pictures nothing is known, and no limit will let it through.
        """
        if not coin.crops:
            return Verdict("", 0.0, 0.0, "", float("inf"), coin.diameter_mm)
        told = [self.gather_evidence(coin.crops[0])]
        for crop in coin.crops[1:]:
            if not time_left():
                break
            told.append(self.gather_evidence(crop))
        return self.make_verdict(
            average_evidence(told) if len(told) > 1 else told[0],
            coin.diameter_mm,
            coin.scale_sem,
        )

    def gather_evidence(self, crop: np.ndarray) -> Evidence:
        """What one crop, uint8 (n, n, 3), tells."""
        likeness = self._matcher.compare(crop) if self._matcher else self._nothing
        logits, distances = self._turned(crop)
        return Evidence(logits, likeness, self._error(crop), self._blemish(crop), distances)

    def combine_logits(self, evidence: Evidence) -> np.ndarray:
        """What classifier and relief together say: float32 (labels + 1,)."""
        weight = self.bundle.manifest.fusion.relief_weight
        return (
            evidence.logits + weight * compute_relief_logits(evidence.similarity)
            if weight
            else evidence.logits
        )

    def embed(self, crop: np.ndarray) -> np.ndarray:
        """The classifier's embedding of a crop, averaged over the turns: float32 (n,). Only for bundles whose classifier tells it."""
        return self._answer(1, self._classifier(rotate_quarters(crop, self._turns)))

    def _turned(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raw = self._classifier(rotate_quarters(crop, self._turns))
        return self._answer(0, raw), self._distances.measure(
            self._answer(1, raw)
        ) if self._distances else self._nothing

    def _answer(self, output: int, raw: list[np.ndarray]) -> np.ndarray:
        return self._classifier.real(output, raw[output].mean(axis=0, dtype=np.float32))

    def _error(self, crop: np.ndarray) -> float:
        copy = self._autoencoder.real(0, self._autoencoder(crop[None])[0][0])
        squares = cv2.norm(halve(crop).astype(np.float32), copy, cv2.NORM_L2SQR, self._inside)
        return squares / (3 * cv2.countNonZero(self._inside))

    def _blemish(self, crop: np.ndarray) -> float:
        """The mean of the greatest of the inspector's map: a scratch is on few of its pixels, a stain on many."""
        if self._inspector is None:
            return 0.0
        found = self._inspector(crop[None])[0].reshape(-1)
        count = count_worst_pixels(len(found))
        return float(
            self._inspector.real(0, np.partition(found, -count)[-count:].mean(dtype=np.float32))
        )

    def make_verdict(
        self, evidence: Evidence, diameter_mm: float, diameter_spread: float = 0.0
    ) -> Verdict:
        """The verdict from what a coin's crops tell, its diameter and the relative spread of the view's scale."""
        pictures, fused = self.compute_posteriors(
            self.combine_logits(evidence), diameter_mm, diameter_spread
        )
        probabilities = tuple(exp(value) for value in fused[:-1])
        best, second, *_ = (*sorted(range(len(probabilities)), key=lambda i: -probabilities[i]), 0)
        label = self._names[best]
        facts = self.bundle.manifest
        told = AnomalyParts(
            evidence.reconstruction_error,
            float(evidence.similarity[best]),
            evidence.defect_logit,
            float(evidence.distances[best]),
        )
        return Verdict(
            label=label,
            confidence=probabilities[best],
            image_confidence=exp(pictures[best]),
            runner_up=self._names[second],
            anomaly=score_anomaly(told, facts.anomaly[label], facts.fusion),
            diameter_mm=diameter_mm,
            probabilities=probabilities,
        )

    def compute_posteriors(
        self, logits: np.ndarray, diameter_mm: float, diameter_spread: float = 0.0
    ) -> tuple[list[float], list[float]]:
        """Log probabilities of every label and "none of these": by pictures alone, and with the diameter, unless that is NaN (unknown)."""
        fusion = self.bundle.manifest.fusion
        pictures = log_softmax([value / fusion.temperature for value in logits.tolist()])
        if diameter_mm != diameter_mm:
            return pictures, pictures
        diameters = compute_diameter_log_likelihoods(
            diameter_mm, self._diameters_mm, fusion, diameter_spread
        )
        return pictures, log_softmax(
            [
                picture + fusion.diameter_weight * diameter
                for picture, diameter in zip(pictures, diameters)
            ]
        )

    @property
    def parts(self) -> dict[str, Callable[[np.ndarray], Any]]:
        """What a crop is asked, by name, for the bench."""
        parts: dict[str, Callable[[np.ndarray], Any]] = {
            "classifier": self._turned,
            "autoencoder": self._error,
        }
        if self._matcher:
            parts["relief"] = self._matcher.compare
        if self._inspector:
            parts["inspector"] = self._blemish
        return parts

    @property
    def invocations(self) -> tuple[Callable[[], None], ...]:
        """The bare calls of the interpreters that one crop costs, for the bench."""
        networks = (self._classifier, self._autoencoder, self._inspector)
        return tuple(network.invoke for network in networks if network)

    def check_golden_crops(self) -> None:
        """Runs the golden crops. Raises BundleError if the networks do not answer here as they did where they were trained."""
        golden = self.bundle.golden
        for number, crop in enumerate(golden.crops):
            told = self.gather_evidence(crop)
            off, relative = (
                np.abs(self.combine_logits(told) - golden.logits[number]).max(),
                abs(told.reconstruction_error / golden.reconstruction_errors[number] - 1),
            )
            blemish = abs(told.defect_logit - golden.defect_logits[number])
            further = np.abs(told.distances - golden.distances[number]).max() / max(
                golden.distances[number].min(), 1e-9
            )
            if not (
                off <= GOLDEN_LOGITS
                and relative <= GOLDEN_ERROR
                and blemish <= GOLDEN_BLEMISH
                and further <= GOLDEN_DISTANCE
            ):
                found = f"logits off by {off:.2f}, autoencoder's error by {100 * relative:.0f} %, inspector's by {blemish:.2f}, distance by {100 * further:.0f} %"
                raise BundleError(
                    f"bundle {self.bundle.path}: golden crop {number}: {found} on {self.runtime}; train or copy it again"
                )


class AnomalyParts(NamedTuple):
    """What the anomaly score of a coin that is taken for one label is made of; see `Evidence`."""

    reconstruction_error: float
    similarity: float
    defect_logit: float
    distance: float


def score_anomaly(told: AnomalyParts, scale: AnomalyScale, fusion: Fusion) -> float:
    """How unlike a genuine coin of a label a coin looks, in units of the genuine coins' own spread; inf for what is not a number.

    The weighted sum of how far the logarithm of the autoencoder's error lies from theirs (what it copies too badly is unlike them, and what it
    copies too well, a blank, is so too), how much less like known coins the relief is, how much more blemished it looks, and how much
    further (in logarithms) its embedding is from theirs. What looks better than usual in one part makes up for nothing in another.
    """
    if not told.reconstruction_error > 0:
        return inf
    total = fusion.reconstruction_weight * abs(_off(log(told.reconstruction_error), scale))
    if fusion.similarity_weight and scale.similarity:
        total += fusion.similarity_weight * max(0.0, -_off(told.similarity, scale.similarity))
    if fusion.defect_weight and scale.defect:
        total += fusion.defect_weight * max(0.0, _off(told.defect_logit, scale.defect))
    if fusion.distance_weight and scale.distance:
        total += fusion.distance_weight * max(
            0.0, _off(log(max(told.distance, NEAREST)), scale.distance)
        )
    return _off(total, scale.combined) if scale.combined else total


def _off(value: float, usual: RobustStats) -> float:
    return (value - usual.median) / usual.mad_std


def count_worst_pixels(count: int) -> int:
    """How many of the inspector's pixels its answer is the mean of."""
    return max(1, round(WORST_SHARE * count))


def halve(crop: np.ndarray) -> np.ndarray:
    """The crop at half its size, as the autoencoder gives it back: uint8."""
    return cv2.resize(crop, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def compute_diameter_log_likelihoods(
    diameter_mm: float, nominal_mm: Sequence[float], fusion: Fusion, scale_spread: float = 0.0
) -> list[float]:
    """Log likelihood of a diameter under each label (Student-t about the nominal one), and under "none of these" (flat).

    scale_spread: how far the view's scale may be off, relative standard error; the diameter says the less for it.
    """
    spread, freedom = hypot(fusion.diameter_std, scale_spread), fusion.degrees_of_freedom
    peak = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * log(freedom * pi) - log(spread)
    offs = ((diameter_mm / nominal - 1) / spread for nominal in nominal_mm)
    return [
        *(peak - (freedom + 1) / 2 * log1p(off * off / freedom) for off in offs),
        -log(FOREIGN_RANGE),
    ]


def log_softmax(values: Sequence[float]) -> list[float]:
    """Plain Python: for the few numbers of a coin it takes a third of numpy's time."""
    top = max(values)
    total = top + log(sum(exp(value - top) for value in values))
    return [value - total for value in values]


def _distances(bundle: Bundle, classifier: Network) -> EmbeddingDistances:
    if classifier.outputs != [
        len(bundle.manifest.labels) + 1,
        len(bundle.embedding_stats.whitening),
    ]:
        raise BundleError(
            f"bundle {bundle.path}: classifier answers {classifier.outputs} numbers, not logits and embedding; export it again"
        )
    return EmbeddingDistances(bundle.embedding_stats)


def _network(
    bundle: Bundle, name: str, model: bytes, batch: int, runtime: str, threads: int
) -> Network:
    try:
        network = Network(model, batch, runtime, threads)
    except (ValueError, RuntimeError) as error:
        raise BundleError(
            f"bundle {bundle.path}: {name} does not load on {runtime}: {error}; train it again for this runtime"
        ) from error
    expected = (bundle.crop.size_px, bundle.crop.size_px, 3)
    if network.shape != expected:
        raise BundleError(
            f"bundle {bundle.path}: {name} takes {network.shape}, the bundle's crops are {expected}; export it again"
        )
    return network
