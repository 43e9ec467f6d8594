"""How much more photographs would help models/brl: `python -m benchmarks.learning`. Some eight minutes on two cores; needs the photographs.

The recipe's classifier and reliefs are trained on a third, two thirds and all of the bursts of brl-frames/day1 but a quarter, as many steps each
time, and asked about that quarter: how many coins are named rightly by pictures alone, and with the diameter. It prints the figures and draws
them to learning-curve.png. The second day has no part in it.
"""

import sys
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np

from coinsorter.training import recipe, train
from coinsorter.training.samples import assemble
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples, make_empty_samples
from coinsorter.training.thresholds import choose, heldout
from tests.conftest import ROOT, data_folder

SHARES = 1 / 3, 2 / 3, 1.0
SEEDS = (1,)


@contextmanager
def quiet(what: str, steps: int):
    yield lambda done, figures=None: None


def some_bursts(seen: Samples, share: float, seed: int) -> Samples:
    """Of each label that share of its bursts, one at least; and all that is of no label."""
    rng, kept = np.random.default_rng(seed), seen.labels == FOREIGN_LABEL
    for label in np.unique(seen.labels[seen.labels != FOREIGN_LABEL]):
        bursts = rng.permutation(np.unique(seen.groups[seen.labels == label]))
        kept |= (seen.labels == label) & np.isin(
            seen.groups, bursts[: max(1, round(share * len(bursts)))]
        )
    return seen.select(kept)


def named(
    written: recipe.Recipe, found: assemble.AssembledSamples, share: float, seed: int, work: Path
) -> tuple[int, float, float]:
    """How many coins were trained on, and which shares of the held-out ones are named rightly: by pictures alone, and with the diameter."""
    seen, held = found.folds[0]
    part = some_bursts(seen, share, seed)
    knobs = written.classifier.model_copy(
        update={"repeat": max(1, round(written.classifier.repeat * len(seen) / len(part)))}
    )
    trained = train._train(
        found, part, written.model_copy(update={"seed": seed, "classifier": knobs}), {}, quiet, work
    )
    told = heldout.collect_evidence(trained.judge, held, make_empty_samples(found.spec), quiet).held
    fused = choose.fit_fusion(told, found.labels)
    weighed = told.with_relief(fused.relief_weight)
    pictures = weighed.logits[:, :-1].argmax(axis=1) == told.labels
    together = choose.classify_heldout(weighed, found.labels, fused)[0] == told.labels
    return int((part.labels != FOREIGN_LABEL).sum()), float(pictures.mean()), float(together.mean())


def main() -> None:
    data = data_folder()
    if data is None:
        raise SystemExit("no photographs: neither $COINSORTER_DATA nor ../shared/data is there")
    sizes = {"autoencoder.epochs": 1}  # it has no say in what a coin is called
    written = recipe.load_recipe(
        ROOT / "models" / "brl.yaml", [f"{name}={value}" for name, value in sizes.items()]
    )
    found = assemble.assemble_samples(written, [data / "brl-frames" / "day1"], None, quiet)
    rows = []
    for share in SHARES:
        for seed in SEEDS:
            coins, pictures, together = named(
                written, found, share, seed, Path("learning") / f"{share:.2f}-{seed}"
            )
            rows.append((share, coins, pictures, together))
            print(
                f"{coins} coins, seed {seed}: {100 * pictures:.1f} % named rightly by pictures, {100 * together:.1f} % with the diameter",
                flush=True,
            )
    draw(rows, Path("learning-curve.png"))


def draw(rows: list[tuple[float, int, float, float]], path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shares, coins, pictures, together = np.array(rows).T
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for values, name in ((pictures, "pictures alone"), (together, "with the diameter")):
        (points,) = axes.plot(coins, 100 * values, "o", alpha=0.5)
        means = [
            (coins[shares == share].mean(), 100 * values[shares == share].mean())
            for share in SHARES
        ]
        axes.plot(*zip(*means), color=points.get_color(), label=name)
    axes.set(xlabel="coins trained on", ylabel="held-out coins named rightly, %")
    axes.legend()
    figure.savefig(path, dpi=120)
    print(path)


if __name__ == "__main__":
    sys.exit(main())
