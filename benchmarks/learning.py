"""How much more photographs would help models/brl: `python -m benchmarks.learning`.

The recipe's classifier and reliefs are trained on a third, two thirds and all of the bursts of
brl-frames/day1 but a quarter, as many steps each time, and evaluated on that quarter: how many
coins are named rightly by images alone, and with the diameter. It prints the figures and draws
them to learning-curve.png. The second day has no part in it. Some eight minutes on two cores; needs
the photographs.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.inputs import require_photographs
from coinsorter.training import trained_networks
from coinsorter.training.progress import hide_progress
from coinsorter.training.recipe import Recipe, load_recipe
from coinsorter.training.samples.assemble import AssembledSamples, assemble_samples
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples, make_empty_samples
from coinsorter.training.thresholds.fusion_fit import fit_fusion
from coinsorter.training.thresholds.heldout import classify_heldout, collect_evidence
from tests.conftest import ROOT

#: Parts of the bursts that are trained on.
FRACTIONS = (1 / 3, 2 / 3, 1.0)
SEEDS = (1,)
#: Autoencoder and gate have no say in what a coin is called, so that one epoch is enough.
CHANGES = ["autoencoder.epochs=1", "gate.epochs=1"]
PLOT = Path("learning-curve.png")


@dataclass(frozen=True)
class Result:
    """How many coins were trained on, and which parts of the held-out ones were named rightly."""

    fraction: float
    coins: int
    by_images: float
    with_diameter: float


def main() -> None:
    data = require_photographs()
    recipe = load_recipe(ROOT / "models" / "brl.yaml", CHANGES)
    samples = assemble_samples(recipe, [data / "brl-frames" / "day1"], None, hide_progress)
    results = []
    for fraction in FRACTIONS:
        for seed in SEEDS:
            result = train_on_part(recipe, samples, fraction, seed)
            results.append(result)
            print(
                f"{result.coins} coins, seed {seed}: "
                f"{100 * result.by_images:.1f} % named rightly by images, "
                f"{100 * result.with_diameter:.1f} % with the diameter",
                flush=True,
            )
    draw(results, PLOT)
    print(PLOT)


def train_on_part(recipe: Recipe, samples: AssembledSamples, fraction: float, seed: int) -> Result:
    training, held_out = samples.folds[0]
    part = select_bursts(training, fraction, seed)
    shortened = keep_step_count(recipe, len(training), len(part), seed)
    work = Path("learning") / f"{fraction:.2f}-{seed}"
    trained = trained_networks.train_networks(samples, part, shortened, None, hide_progress, work)
    no_anomalies = make_empty_samples(samples.spec)
    evidence = collect_evidence(trained.classifier, held_out, no_anomalies, hide_progress).held
    fusion = fit_fusion(evidence, samples.labels)
    weighted = evidence.combine(fusion)
    image_labels = weighted.logits[:, :-1].argmax(axis=1)
    labels = classify_heldout(weighted, samples.labels, fusion)[0]
    return Result(
        fraction,
        coins=int((part.labels != FOREIGN_LABEL).sum()),
        by_images=float((image_labels == evidence.labels).mean()),
        with_diameter=float((labels == evidence.labels).mean()),
    )


def select_bursts(samples: Samples, fraction: float, seed: int) -> Samples:
    """Of each label that part of its bursts, one at least; and everything foreign."""
    rng = np.random.default_rng(seed)
    selected = samples.labels == FOREIGN_LABEL
    for label in np.unique(samples.labels[~selected]):
        of_label = samples.labels == label
        bursts = rng.permutation(np.unique(samples.groups[of_label]))
        count = max(1, round(fraction * len(bursts)))
        selected |= of_label & np.isin(samples.groups, bursts[:count])
    return samples.select(selected)


def keep_step_count(recipe: Recipe, total: int, part: int, seed: int) -> Recipe:
    """The recipe with another seed, and images repeated more often where only a part is there."""
    repeat = max(1, round(recipe.classifier.repeat * total / part))
    classifier = recipe.classifier.model_copy(update={"repeat": repeat})
    return recipe.model_copy(update={"seed": seed, "classifier": classifier})


def draw(results: list[Result], path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    fractions = np.array([result.fraction for result in results])
    coins = np.array([result.coins for result in results])
    curves = {
        "images alone": np.array([result.by_images for result in results]),
        "with the diameter": np.array([result.with_diameter for result in results]),
    }
    for name, values in curves.items():
        (points,) = axes.plot(coins, 100 * values, "o", alpha=0.5)
        means = [
            (coins[fractions == fraction].mean(), 100 * values[fractions == fraction].mean())
            for fraction in FRACTIONS
        ]
        axes.plot(*zip(*means), color=points.get_color(), label=name)
    axes.set(xlabel="coins trained on", ylabel="held-out coins named rightly, %")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
