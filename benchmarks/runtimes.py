"""How far the two runtimes' outputs lie apart: `python -m benchmarks.runtimes`.

Compared are the outputs for the golden crops of every bundle, and for simulated coins.
"""

from collections.abc import Callable

import numpy as np

from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.classifier import Classifier, Evidence
from coinsorter.recognition.runtime import list_runtimes
from coinsorter.simulator import coins
from coinsorter.training.samples.from_simulator import simulate_samples
from tests.conftest import BRL, CROWNS, EURO

#: Coins that are simulated for each bundle.
SIMULATED = 400
#: Distances are compared relative to the nearest one; none counts as nearer than this.
MIN_DISTANCE = 1e-9


def main() -> None:
    names = list_runtimes()
    if len(names) < 2:
        installed = ", ".join(names) or "no runtime"
        raise SystemExit(f"only {installed} is installed; there is nothing to compare")
    for path in (CROWNS, BRL, EURO):
        bundle = load_bundle(path)
        first, second = (Classifier(bundle, name) for name in names[:2])
        simulated = simulate_samples(
            coins.GENUINE, SIMULATED, bundle.crop, (), [99], lambda done: None
        ).crops[:]
        golden = bundle.golden.crops
        print(f"{path.name}, {len(golden)} golden crops: {compare(first, second, golden)}")
        print(f"{path.name}, {len(simulated)} simulated coins: {compare(first, second, simulated)}")


def compare(first: Classifier, second: Classifier, crops: np.ndarray) -> str:
    evidence = [first.gather_evidence(crop) for crop in crops]
    other_evidence = [second.gather_evidence(crop) for crop in crops]

    def collect(value: Callable[[Evidence], object]) -> tuple[np.ndarray, np.ndarray]:
        return (
            np.array([value(one) for one in evidence]),
            np.array([value(one) for one in other_evidence]),
        )

    logits = np.array([first.combine_logits(one) for one in evidence])
    other_logits = np.array([second.combine_logits(one) for one in other_evidence])
    errors, other_errors = collect(lambda one: one.reconstruction_error)
    defects, other_defects = collect(lambda one: one.defect_logit)
    distances, other_distances = collect(lambda one: one.distances)
    same_label = (logits.argmax(axis=1) == other_logits.argmax(axis=1)).mean()
    error_change = np.abs(errors / other_errors - 1).max()
    nearest = np.maximum(distances.min(axis=1), MIN_DISTANCE)
    distance_change = np.abs(distances - other_distances).max(axis=1) / nearest
    return (
        f"logits at most {np.abs(logits - other_logits).max():.2f} apart, "
        f"errors {100 * error_change:.1f} %, "
        f"defect logits {np.abs(defects - other_defects).max():.2f}, "
        f"distances {100 * distance_change.max():.1f} %, "
        f"same label {100 * same_label:.2f} %"
    )


if __name__ == "__main__":
    main()
