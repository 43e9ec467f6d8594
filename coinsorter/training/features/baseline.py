"""Measures -> what plain scikit-learn makes of them: a forest that tells labels apart, and a one-class machine that knows its coins.

The honest yardstick for a network: no pixels, no augmentation; judged on bursts, or on a folder, that it has not seen.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import mutual_info_classif
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from coinsorter.training.evaluation import metrics
from coinsorter.training.evaluation.metrics import ClosedSetMetrics, Proportion
from coinsorter.training.features.measure import FeatureTable, MeasuredCoin, family

SEED = 1
TREES = 300
MEASURES_PER_SPLIT = (
    0.3  # of all: the best of sqrt, 0.3, 0.6 and 1 by whole bursts of brl-frames/day1
)
FOLDS = 5
SHUFFLES = 3  # of each measure, for its importance
SHUFFLED_COINS = 200  # of each fold, at most
NOTHING_TO_TELL = "fewer than two labels: nothing to tell apart"
OUTLIERS = 0.05  # of its own coins that the one-class machine may leave outside (nu: Schoelkopf et al., 2001)


@dataclass(frozen=True)
class Baseline:
    """How well the forest did. how: what it was trained and judged on.

    importance, families: balanced accuracy that is lost when a measure, or all of a family at once, is shuffled among the coins. Measures that
    stand in for each other lose little one by one. telling: the measures that tell most by themselves, at most two of a family.
    """

    how: str
    measures: int
    answers: ClosedSetMetrics
    importance: dict[str, float]
    families: dict[str, float]
    telling: tuple[str, ...]


@dataclass(frozen=True)
class OneClassMetrics:
    """How well the one-class machine knows its own. outside: of coins with its labels that it has not seen, those it calls strange.

    foreign: coins with other labels than those it was trained on. auroc: that such a coin has a lower score than one of its own.
    """

    outside: Proportion
    foreign: int
    auroc: float | None


def used(table: FeatureTable) -> np.ndarray:
    """Which measures a machine is given: where sizes are known in mm, those in px only say where in the view a coin lay. bool (measures,)."""
    in_mm = any(name.startswith("size_") and name.endswith("_mm") for name in table.names)
    return np.array(
        [not (in_mm and name.startswith("size_") and name.endswith("_px")) for name in table.names]
    )


def folds(coins: Sequence[MeasuredCoin]) -> int | str:
    """Into how many parts whole bursts of every label can be dealt, at most FOLDS; or why they cannot."""
    bursts: dict[str, set[int]] = {}
    for coin in coins:
        bursts.setdefault(str(coin.label), set()).add(coin.group)
    if len(bursts) < 2:
        return NOTHING_TO_TELL
    single = sorted(label for label, own in bursts.items() if len(own) < 2)
    if single:
        return f"all pictures of {', '.join(single)} are one burst and none are left to judge on; name others with --test, or change --burst-s"
    return min(FOLDS, *map(len, bursts.values()))


def cross_validated(
    table: FeatureTable, coins: Sequence[MeasuredCoin], count: int, progress: Callable[[int], None]
) -> Baseline:
    """The forest judged on each burst by one that has not seen it, in `count` parts."""
    labels, groups = [str(coin.label) for coin in coins], np.array([coin.group for coin in coins])
    names = sorted(set(labels))
    truth = np.array([names.index(label) for label in labels])
    values, said, losses = table.values(coins)[:, used(table)], np.zeros(len(truth), int), []
    for done, (seen, held) in enumerate(_folds(values, truth, groups, count), 1):
        judge = forest().fit(values[seen], truth[seen])
        said[held] = judge.predict(values[held])
        losses.append(_losses(judge, values[held], truth[held], table))
        progress(done)
    how = f"{count} parts of whole bursts, each judged by a forest that was trained on the others"
    return _result(how, table, values, truth, [names[n] for n in said], labels, losses)


def _folds(values: np.ndarray, truth: np.ndarray, groups: np.ndarray, count: int):
    with (
        warnings.catch_warnings()
    ):  # that a label has few bursts is known: the folds are as many as the fewest
        warnings.simplefilter("ignore", UserWarning)
        yield from StratifiedGroupKFold(count, shuffle=True, random_state=SEED).split(
            values, truth, groups
        )


def trained_and_tested(
    table: FeatureTable,
    coins: Sequence[MeasuredCoin],
    other: FeatureTable,
    asked: Sequence[MeasuredCoin],
    how: str,
) -> Baseline | str:
    """The forest trained on some coins and judged on others; or why that cannot be."""
    names, labels = sorted({str(coin.label) for coin in coins}), [str(coin.label) for coin in asked]
    if len(names) < 2:
        return NOTHING_TO_TELL
    keep = used(table)
    values, truth = (
        table.values(coins)[:, keep],
        np.array([names.index(str(coin.label)) for coin in coins]),
    )
    judge = forest().fit(values, truth)
    held = other.values(asked)[:, keep]
    losses = _losses(judge, held, np.array([names.index(label) for label in labels]), table)
    return _result(
        how, table, values, truth, [names[n] for n in judge.predict(held)], labels, [losses]
    )


def _result(
    how: str,
    table: FeatureTable,
    values,
    truth,
    said: list[str],
    labels: list[str],
    losses: list[dict[str, float]],
) -> Baseline:
    """values, truth: of what was trained on. said, labels: of what was judged."""
    mean = {name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}
    ranked = dict(sorted(mean.items(), key=lambda item: -item[1]))
    single, families = (
        {n: v for n, v in ranked.items() if "_" in n},
        {n: v for n, v in ranked.items() if "_" not in n},
    )
    answers = metrics.answers(labels, said, sorted({*labels, *said}))
    return Baseline(
        how, int(used(table).sum()), answers, single, families, telling(table, values, truth)
    )


def forest() -> Pipeline:
    """Untrained. What could not be measured is taken to be as most coins have it."""
    trees = ExtraTreesClassifier(TREES, max_features=MEASURES_PER_SPLIT, random_state=SEED)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), trees)


def _losses(
    judge: Pipeline, values: np.ndarray, truth: np.ndarray, table: FeatureTable
) -> dict[str, float]:
    """Balanced accuracy lost by shuffling each measure (Breiman, 2001), and each family as a whole, by name; a family's has no underscore.

    All shuffled copies are judged in one go: a forest takes as long for ten coins as for a thousand.
    """
    rng = np.random.default_rng(SEED)
    some = rng.permutation(len(truth))[:SHUFFLED_COINS]
    values, truth = values[some], truth[some]
    names = [name for name, keep in zip(table.names, used(table)) if keep]
    families = [family(name) for name in names]
    sets = {
        **{name: [n] for n, name in enumerate(names)},
        **{one: [n for n, other in enumerate(families) if other == one] for one in families},
    }
    copies = np.tile(values, (len(sets) * SHUFFLES, 1, 1))
    for copy, columns in zip(
        copies, (columns for columns in sets.values() for _ in range(SHUFFLES))
    ):
        copy[:, columns] = values[rng.permutation(len(values))][:, columns]
    said = judge.predict(np.concatenate([values, *copies])).reshape(-1, len(truth))
    balanced = np.mean(
        [(said[:, truth == label] == label).mean(axis=1) for label in np.unique(truth)], axis=0
    )
    return dict(zip(sets, (balanced[0] - balanced[1:].reshape(-1, SHUFFLES).mean(axis=1)).tolist()))


def telling(
    table: FeatureTable, values: np.ndarray, truth: np.ndarray, count: int = 6
) -> tuple[str, ...]:
    """Measures by their mutual information with the label, the most telling first and at most two of a family."""
    names = [name for name, keep in zip(table.names, used(table)) if keep]
    filled = SimpleImputer(strategy="median", keep_empty_features=True).fit_transform(values)
    worth = mutual_info_classif(
        filled, truth, n_neighbors=min(3, len(truth) - 1), random_state=SEED
    )
    found: list[str] = []
    for index in np.argsort(-worth, kind="stable"):
        if sum(family(name) == family(names[index]) for name in found) < 2:
            found.append(names[index])
    return tuple(found[:count])


def one_class() -> Pipeline:
    """Untrained. Its score is above 0 for what looks like the coins it was trained on."""
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        OneClassSVM(gamma="scale", nu=OUTLIERS),
    )


def scored(table: FeatureTable, own: Sequence[bool]) -> tuple[Pipeline, np.ndarray]:
    """A one-class machine trained on the rows marked as its own, and every row's score: of its own by one that did not see their burst.

    Where all its own are one burst, they are scored by the machine that saw them.
    """
    values, mine = table.values()[:, used(table)], np.asarray(own, bool)
    groups = np.array([coin.group for coin in table.coins])[mine]
    machine = one_class().fit(values[mine])
    scores = machine.decision_function(values)
    count = min(FOLDS, len(np.unique(groups)))
    if count > 1:
        rows = np.flatnonzero(mine)
        for seen, held in GroupKFold(count).split(rows, groups=groups):
            scores[rows[held]] = (
                one_class().fit(values[rows[seen]]).decision_function(values[rows[held]])
            )
    return machine, scores


def judged_by_score(scores: np.ndarray, own: Sequence[bool]) -> OneClassMetrics:
    mine = np.asarray(own, bool)
    outside = Proportion.counted(int((scores[mine] < 0).sum()), int(mine.sum()))
    return OneClassMetrics(
        outside,
        int((~mine).sum()),
        metrics.auroc((-scores[mine]).tolist(), (-scores[~mine]).tolist()),
    )
