"""What plain scikit-learn makes of the measures: a forest of trees and a one-class SVM.

The yardstick for the networks: no pixels and no augmentation, evaluated on bursts, or on a folder,
that it has not seen.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coinsorter.training.evaluation.metrics import (
    ClosedSetMetrics,
    Proportion,
    compute_auroc,
    compute_closed_set_metrics,
)
from coinsorter.training.features.feature_table import FeatureTable, MeasuredCoin
from coinsorter.training.features.measure import family_of
from coinsorter.training.parallel import HERE, IMAGES_PER_PROCESS, Workers

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Seed of the forest, the folds and the shuffles.
SEED = 1
#: Trees of a forest: three times scikit-learn's default, for steadier figures.
TREES = 300
#: Share of the measures that a split chooses from: the best of sqrt, 0.3, 0.6 and 1, by whole
#: bursts of brl-frames/day1.
MEASURES_PER_SPLIT = 0.3
#: Cross-validation folds, at most.
MAX_FOLDS = 5
#: Shuffles of each measure that its importance is averaged over.
SHUFFLES = 3
#: Coins of each fold that measures are shuffled among, at most: it bounds the time this takes.
MAX_SHUFFLED_COINS = 200
#: Measures named as the most informative.
MAX_INFORMATIVE = 6
#: Of those, at most so many of one family: others of a family mostly say the same.
MAX_PER_FAMILY = 2
#: Share of its own coins that a one-class SVM may leave outside (nu: Schoelkopf et al., 2001).
OUTLIERS = 0.05
#: Why there is no baseline of a single label.
ONE_LABEL = "fewer than two labels: nothing to tell apart"


@dataclass(frozen=True)
class Baseline:
    """How well the forest did.

    how: what it was trained and evaluated on. measures: how many it used. importance, families:
    balanced accuracy lost when a measure, or a whole family, is shuffled among the coins; measures
    that say the same lose little one by one. telling: the most informative measures.
    """

    how: str
    measures: int
    answers: ClosedSetMetrics
    importance: dict[str, float]
    families: dict[str, float]
    telling: tuple[str, ...]


@dataclass(frozen=True)
class OneClassMetrics:
    """How well the one-class SVM knows the coins it was trained on.

    outside: of unseen coins with its labels, those it takes for foreign. foreign: how many coins
    have other labels. auroc: probability that such a coin has a lower score than one of its own.
    """

    outside: Proportion
    foreign: int
    auroc: float | None


def select_measures(table: FeatureTable) -> np.ndarray:
    """Which measures a classifier may use: bool (measures,).

    Where sizes are known in mm, those in pixels only say where in the view a coin lay.
    """
    sizes = [name for name in table.names if name.startswith("size_")]
    in_mm = any(name.endswith("_mm") for name in sizes)
    omitted = {name for name in sizes if in_mm and name.endswith("_px")}
    return np.array([name not in omitted for name in table.names])


def _list_selected(table: FeatureTable) -> list[str]:
    return [name for name, is_used in zip(table.names, select_measures(table)) if is_used]


def choose_folds(coins: Sequence[MeasuredCoin]) -> int | str:
    """Into how many folds whole bursts of every label can be dealt; or why they cannot."""
    bursts: dict[str, set[int]] = {}
    for coin in coins:
        groups = bursts.setdefault(str(coin.label), set())
        groups.add(coin.group)
    if len(bursts) < 2:
        return ONE_LABEL
    single = [label for label, groups in bursts.items() if len(groups) < 2]
    if single:
        labels = ", ".join(sorted(single))
        return (
            f"all images of {labels} are one burst, so none are left to evaluate on; "
            "name others with --test, or change --burst-s"
        )
    return min(MAX_FOLDS, *map(len, bursts.values()))


def cross_validate(
    table: FeatureTable,
    coins: Sequence[MeasuredCoin],
    count: int,
    report_progress: Callable[[int], None],
    workers: Workers = HERE,
) -> Baseline:
    """The forest, evaluated on each burst by one that has not seen it, in `count` folds."""
    labels = [str(coin.label) for coin in coins]
    names = sorted(set(labels))
    truth = _number_labels(labels, names)
    groups = np.array([coin.group for coin in coins])
    values = table.to_array(coins)[:, select_measures(table)]
    answers = np.zeros(len(truth), int)
    losses = []
    jobs = [
        _Fold(values, truth, *parts, _list_selected(table))
        for parts in _split_by_burst(values, truth, groups, count)
    ]
    min_jobs = 1 if len(coins) > IMAGES_PER_PROCESS else count + 1
    for fold, (own_answers, own_losses) in zip(jobs, workers.run(_test_fold, jobs, min_jobs)):
        answers[fold.held_out] = own_answers
        losses.append(own_losses)
        report_progress(len(losses))
    how = f"{count} parts of whole bursts, "
    how += "each judged by a forest that was trained on the others"
    return Baseline(
        how=how,
        measures=values.shape[1],
        answers=_score_answers(labels, [names[index] for index in answers]),
        importance=_average_losses(losses, table.names),
        families=_average_losses(losses, {family_of(name) for name in table.names}),
        telling=rank_measures(table, values, truth),
    )


@dataclass(frozen=True, eq=False)
class _Fold:
    """What a forest is trained and tested on, as another process may do it.

    values: float (n, measures), and truth: int (n,), of all coins. trained_on, held_out: places of
    coins. names: of the measures.
    """

    values: np.ndarray
    truth: np.ndarray
    trained_on: np.ndarray
    held_out: np.ndarray
    names: list[str]


def _test_fold(fold: _Fold) -> tuple[np.ndarray, dict[str, float]]:
    """A forest's answers for the held-out coins, int (k,), and what shuffling measures loses."""
    values, truth = fold.values[fold.held_out], fold.truth[fold.held_out]
    forest = build_forest().fit(fold.values[fold.trained_on], fold.truth[fold.trained_on])
    return forest.predict(values), _measure_losses(forest, values, truth, fold.names)


def _number_labels(labels: Sequence[str], names: list[str]) -> np.ndarray:
    """The place of each label among the names: int (n,)."""
    return np.array([names.index(label) for label in labels])


def _split_by_burst(
    values: np.ndarray, truth: np.ndarray, groups: np.ndarray, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    folds = _import_sklearn().model_selection.StratifiedGroupKFold(
        count, shuffle=True, random_state=SEED
    )
    with warnings.catch_warnings():
        # It warns of labels with few bursts; there are as many folds as the fewest.
        warnings.simplefilter("ignore", UserWarning)
        yield from folds.split(values, truth, groups)


def train_and_test(
    table: FeatureTable,
    coins: Sequence[MeasuredCoin],
    test_table: FeatureTable,
    test_coins: Sequence[MeasuredCoin],
    how: str,
) -> Baseline | str:
    """The forest, trained on some coins and evaluated on others; or why that cannot be."""
    labels = [str(coin.label) for coin in coins]
    names = sorted(set(labels))
    if len(names) < 2:
        return ONE_LABEL
    truth = _number_labels(labels, names)
    columns = select_measures(table)
    values = table.to_array(coins)[:, columns]
    forest = build_forest().fit(values, truth)
    test_labels = [str(coin.label) for coin in test_coins]
    test_truth = _number_labels(test_labels, names)
    test_values = test_table.to_array(test_coins)[:, columns]
    losses = [_measure_losses(forest, test_values, test_truth, _list_selected(table))]
    answers = [names[index] for index in forest.predict(test_values)]
    return Baseline(
        how=how,
        measures=values.shape[1],
        answers=_score_answers(test_labels, answers),
        importance=_average_losses(losses, table.names),
        families=_average_losses(losses, {family_of(name) for name in table.names}),
        telling=rank_measures(table, values, truth),
    )


def _score_answers(labels: list[str], answers: list[str]) -> ClosedSetMetrics:
    return compute_closed_set_metrics(labels, answers, sorted({*labels, *answers}))


def build_forest() -> "Pipeline":
    """An untrained forest; where a measure is not known, the median of all coins stands in."""
    sklearn = _import_sklearn()
    trees = sklearn.ensemble.ExtraTreesClassifier(
        TREES, max_features=MEASURES_PER_SPLIT, random_state=SEED
    )
    return sklearn.pipeline.make_pipeline(_build_imputer(), trees)


def _build_imputer() -> Any:
    return _import_sklearn().impute.SimpleImputer(strategy="median", keep_empty_features=True)


def _import_sklearn() -> Any:
    """scikit-learn, with the parts that are used: a second, which images alone need not cost."""
    import sklearn.ensemble
    import sklearn.feature_selection
    import sklearn.impute
    import sklearn.model_selection
    import sklearn.pipeline
    import sklearn.preprocessing
    import sklearn.svm

    return sklearn


def _measure_losses(
    forest: "Pipeline", values: np.ndarray, truth: np.ndarray, names: list[str]
) -> dict[str, float]:
    """Balanced accuracy lost by shuffling each measure, and each family as a whole, by name.

    This is permutation importance (Breiman, 2001). All shuffled copies are classified in one go: a
    forest takes as long for ten coins as for a thousand.
    """
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(len(truth))[:MAX_SHUFFLED_COINS]
    values, truth = values[chosen], truth[chosen]
    columns = _group_columns(names)
    copies = [values]
    for together in columns.values():
        copies += [_shuffle(values, together, rng) for _ in range(SHUFFLES)]
    answers = forest.predict(np.concatenate(copies))
    balanced = _balanced_accuracies(answers.reshape(-1, len(truth)), truth)
    shuffled = balanced[1:].reshape(-1, SHUFFLES)
    losses = balanced[0] - shuffled.mean(axis=1)
    return dict(zip(columns, losses.tolist()))


def _group_columns(names: list[str]) -> dict[str, list[int]]:
    """The columns to shuffle together, by the name of the measure or of the family."""
    columns = {name: [index] for index, name in enumerate(names)}
    for index, name in enumerate(names):
        columns.setdefault(family_of(name), []).append(index)
    return columns


def _shuffle(values: np.ndarray, columns: list[int], rng: np.random.Generator) -> np.ndarray:
    shuffled = values.copy()
    other_coins = values[rng.permutation(len(values))]
    shuffled[:, columns] = other_coins[:, columns]
    return shuffled


def _balanced_accuracies(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Balanced accuracy of each row of answers, (rows, coins): float (rows,)."""
    recalls = []
    for label in np.unique(truth):
        is_right = answers[:, truth == label] == label
        recalls.append(is_right.mean(axis=1))
    balanced: np.ndarray = np.mean(recalls, axis=0)
    return balanced


def _average_losses(
    losses: list[dict[str, float]], names: Sequence[str] | set[str]
) -> dict[str, float]:
    """The mean over the folds of some losses, the largest first."""
    means = {}
    for name in losses[0]:
        if name in names:
            by_fold = [loss[name] for loss in losses]
            means[name] = float(np.mean(by_fold))
    ranked = sorted(means.items(), key=lambda item: -item[1])
    return dict(ranked)


def rank_measures(table: FeatureTable, values: np.ndarray, truth: np.ndarray) -> tuple[str, ...]:
    """The most informative measures by their mutual information with the label, the best first.

    At most MAX_INFORMATIVE, and MAX_PER_FAMILY of a family.
    """
    names = _list_selected(table)
    imputer = _build_imputer()
    neighbours = min(3, len(truth) - 1)
    information = _import_sklearn().feature_selection.mutual_info_classif(
        imputer.fit_transform(values), truth, n_neighbors=neighbours, random_state=SEED
    )
    best: list[str] = []
    for index in np.argsort(-information, kind="stable"):
        family = family_of(names[index])
        relatives = [name for name in best if family_of(name) == family]
        if len(relatives) < MAX_PER_FAMILY:
            best.append(names[index])
    return tuple(best[:MAX_INFORMATIVE])


def build_one_class_svm() -> "Pipeline":
    """An untrained one-class SVM; its score is above 0 for what looks like its own coins."""
    sklearn = _import_sklearn()
    return sklearn.pipeline.make_pipeline(
        _build_imputer(),
        sklearn.preprocessing.StandardScaler(),
        sklearn.svm.OneClassSVM(gamma="scale", nu=OUTLIERS),
    )


def train_one_class_svm(table: FeatureTable, own: Sequence[bool]) -> tuple["Pipeline", np.ndarray]:
    """A one-class SVM trained on the rows marked as its own, and the score of every row.

    Its own rows are scored by one that has not seen their burst. Where all of them are one burst,
    they are scored by the SVM that saw them.
    """
    values = table.to_array()[:, select_measures(table)]
    rows = np.flatnonzero(np.asarray(own, bool))
    bursts = np.array([coin.group for coin in table.coins])
    groups = bursts[rows]
    svm = build_one_class_svm().fit(values[rows])
    scores = svm.decision_function(values)
    count = min(MAX_FOLDS, len(np.unique(groups)))
    if count > 1:
        folds = _import_sklearn().model_selection.GroupKFold(count)
        for trained_on, held_out in folds.split(rows, groups=groups):
            fold = build_one_class_svm().fit(values[rows[trained_on]])
            unseen = rows[held_out]
            scores[unseen] = fold.decision_function(values[unseen])
    return svm, scores


def evaluate_one_class(scores: np.ndarray, own: Sequence[bool]) -> OneClassMetrics:
    """Figures of the scores of coins; own: which of them have the SVM's labels."""
    is_own = np.asarray(own, bool)
    genuine, foreign = scores[is_own], scores[~is_own]
    outside = int((genuine < 0).sum())
    return OneClassMetrics(
        outside=Proportion.from_counts(outside, len(genuine)),
        foreign=len(foreign),
        auroc=compute_auroc((-genuine).tolist(), (-foreign).tolist()),
    )
