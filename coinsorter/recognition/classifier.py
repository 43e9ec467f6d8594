"""A coin -> a verdict: what networks, relief and diameter say of it together.

Two questions have two answers. Which label: classifier, gate, relief and diameter are fused into
one probability for each. Is it such a coin at all: the gate says so by the images alone, and
autoencoder, relief, defect detector and embedding make up the anomaly score of the likeliest label.
Classifier and gate look at each crop in several quarter turns, and their answers are averaged; a
classifier that sees crops unwrapped needs one view, see `views`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import exp, inf, isfinite
from typing import Any

import cv2
import numpy as np

from coinsorter.errors import BundleError
from coinsorter.recognition.anomaly import AnomalyParts, count_worst_pixels, halve, score_anomaly
from coinsorter.recognition.bundle import (
    MAX_GOLDEN_DEFECT_DIFFERENCE,
    MAX_GOLDEN_DISTANCE_CHANGE,
    MAX_GOLDEN_ERROR_CHANGE,
    MAX_GOLDEN_LOGIT_DIFFERENCE,
    MAX_GOLDEN_MEMBERSHIP_DIFFERENCE,
    Bundle,
)
from coinsorter.recognition.embedding import EmbeddingDistances
from coinsorter.recognition.fusion import (
    LogPosteriors,
    close_set,
    combine_logits,
    compute_log_posteriors,
)
from coinsorter.recognition.membership import compare_labels, compute_membership
from coinsorter.recognition.relief import ReliefMatcher
from coinsorter.recognition.runtime import Network
from coinsorter.recognition.taught import add_taught_logits
from coinsorter.recognition.trial import ensure_tried
from coinsorter.recognition.views import UNWRAPPED_SHAPE, count_views, make_views
from coinsorter.records import Coin, Verdict
from coinsorter.vision.crop import mask_coin, rotate_quarters

#: Distance that nearer golden embeddings are taken for, so that a relative change exists.
MIN_GOLDEN_DISTANCE = 1e-9
#: Characters of what an interpreter says is wrong with a network.
MAX_PROBLEM = 200


@dataclass(frozen=True, eq=False)
class Evidence:
    """What networks and relief say of one crop.

    logits: float32 (labels + 1,), the classifier's, averaged over the views, and those of labels
    that were taught, see `taught`.
    similarity: float32 (labels,), see `ReliefMatcher`; zeros without known reliefs.
    reconstruction_error: the autoencoder's mean squared error, either over the coin's pixels at
    half the crop's size, in grey levels squared, or of features, in their own units.
    defect_logit: the defect detector's, of the coin's worst places; 0 without one.
    distances: float32 (labels,), of the embedding from each label's known coins, averaged over the
    views, see `EmbeddingDistances`; zeros where the bundle knows none.
    gate_logits: float32 (labels,), the gate's, see `compare_labels`; zeros without a gate.
    membership: the gate's and, where they count, the classifier's log odds, see `Verdict`; inf
    without either.
    """

    logits: np.ndarray
    similarity: np.ndarray
    reconstruction_error: float
    defect_logit: float
    distances: np.ndarray
    gate_logits: np.ndarray
    membership: float = inf


class Classifier:
    """A bundle's networks, loaded and ready to classify coins.

    runtime: a name from `list_runtimes`. threads: of each interpreter.
    turns: quarter turns of each crop that are looked at.
    Raises BundleError where a network does not load, or does not fit the bundle. A bundle that is
    not known is tried in a process of its own first, see `trial`.
    """

    def __init__(self, bundle: Bundle, runtime: str, threads: int = 1, turns: int = 4) -> None:
        ensure_tried(bundle, runtime, turns)
        self.bundle = bundle
        self.runtime = runtime
        self._turns = turns
        self._classifier = self._load_classifier(bundle.classifier, threads)
        self._autoencoder = self._load_network("autoencoder", bundle.autoencoder, 1, threads)
        self._defect_detector = None
        if bundle.defect_detector:
            self._defect_detector = self._load_network(
                "defect detector", bundle.defect_detector, 1, threads
            )
        self._gate = None
        if bundle.gate:
            self._gate = self._load_network("gate", bundle.gate, turns, threads)
        self._check_outputs()
        labels = bundle.manifest.labels
        self._matcher = None
        if bundle.reliefs:
            self._matcher = ReliefMatcher(bundle.reliefs, bundle.crop, len(labels))
        self._distances = self._load_distances()
        self._names = [label.name for label in labels]
        self._nominal_mm = [label.diameter_mm for label in labels]
        self._no_evidence = np.zeros(len(labels), np.float32)
        self._half_mask = _halve_mask(mask_coin(bundle.crop))

    def classify(self, coin: Coin, time_left: Callable[[], bool] = lambda: True) -> Verdict:
        """What the coin is, from as many of its crops as there is time for.

        The sharpest crop comes first; one is always used. A coin without crops gets a verdict
        that no threshold accepts.
        """
        if not coin.crops:
            return Verdict("", 0.0, 0.0, "", inf, coin.diameter_mm)
        evidence = [self.gather_evidence(coin.crops[0])]
        for crop in coin.crops[1:]:
            if not time_left():
                break
            evidence.append(self.gather_evidence(crop))
        mean = average_evidence(evidence) if len(evidence) > 1 else evidence[0]
        return self.make_verdict(mean, coin.diameter_mm, coin.scale_sem)

    def gather_evidence(self, crop: np.ndarray) -> Evidence:
        """What networks and relief say of one crop, uint8 (n, n, 3) RGB."""
        similarity = self._no_evidence
        if self._matcher:
            similarity = self._matcher.compare(crop)
        logits, distances = self._run_classifier(crop)
        gate_logits, membership = self.run_gate(crop)
        return Evidence(
            logits=add_taught_logits(logits, distances) if self._distances else logits,
            similarity=similarity,
            reconstruction_error=self._measure_reconstruction(crop),
            defect_logit=self._measure_defects(crop),
            distances=distances,
            gate_logits=gate_logits,
            membership=self._judge_membership(logits, membership),
        )

    def _judge_membership(self, logits: np.ndarray, membership: float) -> float:
        """The log odds of the gate and of a classifier that was shown the same things.

        Where there are both, they are added as independent evidence (naive Bayes): each is fooled
        by things that the other is not. inf where there is neither.
        """
        weight = self.bundle.manifest.fusion.classifier_odds_weight
        if not weight:
            return membership
        own = weight * compute_membership(logits)
        return own + membership if self._gate else own

    def combine_logits(self, evidence: Evidence) -> np.ndarray:
        """Classifier, relief and gate together: float32 (labels + 1,)."""
        fusion = self.bundle.manifest.fusion
        return combine_logits(evidence.logits, evidence.similarity, evidence.gate_logits, fusion)

    def make_verdict(
        self, evidence: Evidence, diameter_mm: float, scale_sem: float = 0.0
    ) -> Verdict:
        """The verdict from the evidence of a coin's crops and its diameter.

        diameter_mm: NaN where it is unknown. scale_sem: relative standard error of the view's
        scale where the coin lay.
        """
        logits = self.combine_logits(evidence)
        posteriors = self.compute_posteriors(logits, diameter_mm, scale_sem)
        probabilities = tuple(exp(log_p) for log_p in posteriors.fused[:-1])
        best, second = _rank_two(probabilities)
        margin = posteriors.fused[best] - posteriors.fused[second] if best != second else inf
        return Verdict(
            label=self._names[best],
            confidence=probabilities[best],
            image_confidence=exp(posteriors.image[best]),
            runner_up=self._names[second],
            anomaly=self._score_anomaly(evidence, best),
            diameter_mm=diameter_mm,
            probabilities=probabilities,
            margin=margin,
            membership=evidence.membership,
        )

    def compute_posteriors(
        self, logits: np.ndarray, diameter_mm: float, scale_sem: float = 0.0
    ) -> LogPosteriors:
        """Log posteriors of every label and "none of these"; see `compute_log_posteriors`.

        With a membership they are of the labels alone: whether it is one of them is another
        question.
        """
        fusion = self.bundle.manifest.fusion
        if self._gate or fusion.classifier_odds_weight:
            logits = close_set(logits)
        return compute_log_posteriors(
            logits.tolist(), diameter_mm, scale_sem, self._nominal_mm, fusion
        )

    def embed(self, crop: np.ndarray) -> np.ndarray:
        """The classifier's embedding of a crop, averaged over its views: float32 (n,).

        Only for bundles whose classifier has an embedding as its second output.
        """
        return self._average_views(1, self._classifier(self._make_views(crop)))

    @property
    def parts(self) -> dict[str, Callable[[np.ndarray], Any]]:
        """What each crop goes through, by name, for the benchmark."""
        parts: dict[str, Callable[[np.ndarray], Any]] = {
            "classifier": self._run_classifier,
            "autoencoder": self._measure_reconstruction,
        }
        if self._matcher:
            parts["relief"] = self._matcher.compare
        if self._defect_detector:
            parts["inspector"] = self._measure_defects
        if self._gate:
            parts["gate"] = self.run_gate
        return parts

    @property
    def invocations(self) -> tuple[Callable[[], None], ...]:
        """The interpreters' bare calls that one crop costs, for the benchmark."""
        networks = (self._classifier, self._autoencoder, self._defect_detector, self._gate)
        return tuple(network.invoke for network in networks if network)

    def check_golden_crops(self) -> None:
        """Check that the networks answer here as they did where they were trained.

        Raises BundleError naming the first golden crop whose answers differ too much.
        """
        for number, crop in enumerate(self.bundle.golden.crops):
            self._check_golden_crop(number, self.gather_evidence(crop))

    def _check_golden_crop(self, number: int, evidence: Evidence) -> None:
        golden = self.bundle.golden
        combined = self.combine_logits(evidence)
        logits = np.abs(combined - golden.logits[number]).max()
        error_ratio = evidence.reconstruction_error / golden.reconstruction_errors[number]
        error = abs(error_ratio - 1)
        defect = abs(evidence.defect_logit - golden.defect_logits[number])
        distances = golden.distances[number]
        nearest = max(distances.min(), MIN_GOLDEN_DISTANCE)
        distance = np.abs(evidence.distances - distances).max() / nearest
        membership = 0.0
        if isfinite(evidence.membership):
            membership = abs(evidence.membership - golden.memberships[number])
        is_same = (
            logits <= MAX_GOLDEN_LOGIT_DIFFERENCE
            and error <= MAX_GOLDEN_ERROR_CHANGE
            and defect <= MAX_GOLDEN_DEFECT_DIFFERENCE
            and distance <= MAX_GOLDEN_DISTANCE_CHANGE
            and membership <= MAX_GOLDEN_MEMBERSHIP_DIFFERENCE
        )
        if not is_same:
            raise BundleError(
                f"bundle {self.bundle.path}: golden crop {number}: logits off by {logits:.2f}, "
                f"reconstruction error by {100 * error:.0f} %, defect logit by {defect:.2f}, "
                f"distance by {100 * distance:.0f} %, membership by {membership:.2f} on "
                f"{self.runtime}; train or copy it again"
            )

    def _run_classifier(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits and distances of a crop, averaged over its views."""
        outputs = self._classifier(self._make_views(crop))
        logits = self._average_views(0, outputs)
        if self._distances is None:
            return logits, self._no_evidence
        embedding = self._average_views(1, outputs)
        return logits, self._distances.measure(embedding)

    def _make_views(self, crop: np.ndarray) -> np.ndarray:
        shape = self._classifier.input_shape
        return make_views(crop, shape, self.bundle.crop, self._turns)

    def _average_views(self, number: int, outputs: list[np.ndarray]) -> np.ndarray:
        mean = outputs[number].mean(axis=0, dtype=np.float32)
        return self._classifier.dequantize(number, mean)

    def run_gate(self, crop: np.ndarray) -> tuple[np.ndarray, float]:
        """The gate's logits of the labels and log odds of any of them, of a crop uint8 (n, n, 3).

        Float32 (labels,), see `compare_labels`, and `compute_membership`; zeros and inf without a
        gate.
        """
        if self._gate is None:
            return self._no_evidence, inf
        (outputs,) = self._gate(rotate_quarters(crop, self._turns))
        logits = self._gate.dequantize(0, outputs.mean(axis=0, dtype=np.float32))
        return compare_labels(logits, len(self._names)), compute_membership(logits)

    def _measure_reconstruction(self, crop: np.ndarray) -> float:
        """The autoencoder's mean squared error over the coin's pixels, or over its features."""
        (outputs,) = self._autoencoder(crop[None])
        if outputs.shape[-1] == 1:
            return float(self._autoencoder.dequantize(0, outputs.mean(dtype=np.float32)))
        copy = self._autoencoder.dequantize(0, outputs[0])
        original = halve(crop).astype(np.float32)
        squares = cv2.norm(original, copy, cv2.NORM_L2SQR, self._half_mask)
        pixels = cv2.countNonZero(self._half_mask)
        return squares / (3 * pixels)

    def _measure_defects(self, crop: np.ndarray) -> float:
        """The mean of the defect map's highest logits; 0 without a defect detector."""
        if self._defect_detector is None:
            return 0.0
        (outputs,) = self._defect_detector(crop[None])
        defect_map = outputs.reshape(-1)
        count = count_worst_pixels(len(defect_map))
        worst = np.partition(defect_map, -count)[-count:]
        mean = worst.mean(dtype=np.float32)
        return float(self._defect_detector.dequantize(0, mean))

    def _score_anomaly(self, evidence: Evidence, label: int) -> float:
        parts = AnomalyParts(
            evidence.reconstruction_error,
            float(evidence.similarity[label]),
            evidence.defect_logit,
            float(evidence.distances[label]),
        )
        manifest = self.bundle.manifest
        scale = manifest.anomaly[self._names[label]]
        return score_anomaly(parts, scale, manifest.fusion)

    def _load_classifier(self, model: bytes, threads: int) -> Network:
        """The classifier, ready for as many views of a crop as its input asks for."""
        network = self._load_network("classifier", model, 1, threads, UNWRAPPED_SHAPE)
        views = count_views(network.input_shape, self._turns)
        if views == 1:
            return network
        return self._load_network("classifier", model, views, threads)

    def _load_network(
        self,
        name: str,
        model: bytes,
        batch: int,
        threads: int,
        other_shape: tuple[int, ...] | None = None,
    ) -> Network:
        """A network that takes crops as they are, or of `other_shape`."""
        try:
            network = Network(model, batch, self.runtime, threads)
        except (ValueError, RuntimeError) as error:
            problem = ascii(str(error)[:MAX_PROBLEM])
            raise BundleError(
                f"bundle {self.bundle.path}: {name} does not load on {self.runtime}: {problem}; "
                "train it again for this runtime"
            ) from error
        except BundleError as error:
            raise BundleError(f"bundle {self.bundle.path}: {name}: {error}") from error
        size_px = self.bundle.crop.size_px
        expected = (size_px, size_px, 3)
        if network.input_shape not in (expected, other_shape):
            raise BundleError(
                f"bundle {self.bundle.path}: {name} takes {network.input_shape}, "
                f"the bundle's crops are {expected}; export it again"
            )
        return network

    def _check_outputs(self) -> None:
        """Raises BundleError unless the networks answer what the bundle's labels and crops need."""
        labels = self.bundle.manifest.trained_labels
        half = self.bundle.crop.size_px // 2
        classifier = self._classifier.output_shapes
        if len(classifier) > 2 or classifier[0] != (labels + 1,):
            problem = f"classifier answers {classifier}, not {labels + 1} logits"
        elif not _is_copy_or_map(self._autoencoder.output_shapes, half):
            problem = f"autoencoder answers {self._autoencoder.output_shapes}, not half a crop"
        elif self._defect_detector and len(self._defect_detector.output_shapes) != 1:
            problem = "defect detector does not answer one map"
        elif self._gate and self._gate.output_shapes != [(labels + 1,)]:
            problem = f"gate answers {self._gate.output_shapes}, not {labels + 1} logits"
        else:
            return
        raise BundleError(f"bundle {self.bundle.path}: {problem}; export it again")

    def _load_distances(self) -> EmbeddingDistances | None:
        stats = self.bundle.embedding_stats
        if stats is None:
            return None
        sizes = self._classifier.output_sizes
        if sizes != [self.bundle.manifest.trained_labels + 1, len(stats.whitening)]:
            raise BundleError(
                f"bundle {self.bundle.path}: classifier answers {sizes} numbers, "
                "not logits and embedding; export it again"
            )
        return EmbeddingDistances(stats)


def average_evidence(evidence: Sequence[Evidence]) -> Evidence:
    """The mean of the evidence of several crops of one coin."""

    def average(name: str) -> Any:
        return sum(getattr(one, name) for one in evidence) / len(evidence)

    return Evidence(*(average(field.name) for field in fields(Evidence)))


def _is_copy_or_map(shapes: list[tuple[int, ...]], half_px: int) -> bool:
    """Whether an autoencoder answers with half a crop, or with a map of errors of features."""
    return len(shapes) == 1 and (shapes[0] == (half_px, half_px, 3) or shapes[0][2:] == (1,))


def _halve_mask(mask: np.ndarray) -> np.ndarray:
    """A mask at the size that the autoencoder works at, without values in between."""
    return cv2.resize(mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)


def _rank_two(probabilities: Sequence[float]) -> tuple[int, int]:
    """The places of the greatest probability and of the next; of a single one, twice its own."""
    order = sorted(range(len(probabilities)), key=lambda place: -probabilities[place])
    return order[0], order[1] if len(order) > 1 else 0
