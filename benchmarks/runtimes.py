"""How far the two runtimes' answers lie apart: `python -m benchmarks.runtimes`, on the golden crops and on simulated coins."""

import numpy as np

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.simulator import coins
from coinsorter.training.samples import from_simulator
from tests.conftest import BRL, CROWNS, EURO


def main() -> None:
    names = runtime.list_runtimes()
    if len(names) < 2:
        raise SystemExit(
            f"only {', '.join(names) or 'no runtime'} is installed; there is nothing to compare"
        )
    for path in (CROWNS, BRL, EURO):
        models = bundle.load_bundle(path)
        judges = [Classifier(models, name) for name in names]
        simulated = from_simulator.simulate_samples(
            coins.GENUINE, 400, models.crop, (), [99], lambda done: None
        ).crops[:]
        for what, crops in (("golden crops", models.golden.crops), ("simulated coins", simulated)):
            told = [[judge.gather_evidence(crop) for crop in crops] for judge in judges]
            logits = [
                np.array([judge.combine_logits(one) for one in own])
                for judge, own in zip(judges, told)
            ]
            errors = [np.array([one.reconstruction_error for one in own]) for own in told]
            alike = (logits[0].argmax(axis=1) == logits[1].argmax(axis=1)).mean()
            apart, relative = (
                np.abs(logits[0] - logits[1]).max(),
                np.abs(errors[0] / errors[1] - 1).max(),
            )
            blemishes = np.abs(
                np.subtract(*([one.defect_logit for one in own] for own in told[:2]))
            ).max()
            nearest = [np.array([max(one.distances.min(), 1e-9) for one in own]) for own in told]
            further = (
                np.abs(
                    np.array([one.distances - other.distances for one, other in zip(*told)])
                ).max(axis=1)
                / nearest[0]
            )
            found = f"logits at most {apart:.2f} apart, errors {100 * relative:.1f} %, blemishes {blemishes:.2f}, distances {100 * further.max():.1f} %"
            print(f"{path.name}, {len(crops)} {what}: {found}, same label {100 * alike:.2f} %")


if __name__ == "__main__":
    main()
