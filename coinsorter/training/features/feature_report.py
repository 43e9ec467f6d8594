"""The report of `coinsorter-train features`: a table of measures, and what they say of labels."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from coinsorter.errors import InputError
from coinsorter.files.atomic import replace_file, replace_folder
from coinsorter.files.owned_folder import check_folder
from coinsorter.files.ownership import Claim, check_file, make_mark, recognize_mark
from coinsorter.images.image_io import list_images
from coinsorter.recognition.bundle import Bundle, load_bundle
from coinsorter.training import html_report, report_folder
from coinsorter.training.evaluation.figures import Tile, draw_contact_sheet
from coinsorter.training.evaluation.plots import plot_confusion_matrix
from coinsorter.training.features.baseline import (
    Baseline,
    OneClassMetrics,
    choose_folds,
    cross_validate,
    evaluate_one_class,
    select_measures,
    train_and_test,
    train_one_class_svm,
)
from coinsorter.training.features.feature_plots import plot_distributions, plot_importances
from coinsorter.training.features.feature_table import (
    BURST_S,
    FeatureTable,
    MeasuredCoin,
    format_csv,
    measure_folder,
)
from coinsorter.training.parallel import HERE, Workers
from coinsorter.training.progress import OpenProgress
from coinsorter.training.report_folder import ReportFigure

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Measures that the report shows where no forest says which are the most informative.
USUAL_MEASURES = (
    "size_outline_diameter_px",
    "shape_circularity",
    "colour_all_lab_l_mean",
    "colour_all_lab_b_mean",
    "texture_glcm_contrast_at_1_px",
    "edge_density_share",
)
#: By this mark an earlier SVM is known.
SVM_MAKER = "one-class-svm"
#: What the report calls coins that lie in no folder of their own.
NO_LABEL = "(none)"


@dataclass(frozen=True)
class FeatureSettings:
    """What is measured, and what is made of it.

    bundle: tells sizes in mm and which labels are foreign; None where neither is known. crops: the
    images are ready crops. test: a folder that is evaluated by what was learned from `data`.
    svm: a file that the one-class SVM is saved to. burst_s, label_level: see
    `feature_table.measure_folder`.
    """

    data: Path
    bundle: Path | None = None
    crops: bool = False
    test: Path | None = None
    svm: Path | None = None
    burst_s: float = BURST_S
    label_level: int | None = None


@dataclass(frozen=True, eq=False)
class OneClass:
    """A trained one-class SVM, the scores of all coins, and figures of those.

    test_scores: None without a test folder.
    """

    svm: "Pipeline"
    metrics: OneClassMetrics
    scores: np.ndarray
    test_scores: np.ndarray | None


@dataclass(frozen=True, eq=False)
class FeatureStudy:
    """Everything that was measured and learned.

    baseline: a text says why there is none. test, one_class: None where they were not wanted.
    bundle_hash: the digest of the bundle, None without one.
    """

    settings: FeatureSettings
    table: FeatureTable
    test: FeatureTable | None
    baseline: Baseline | str
    one_class: OneClass | None
    bundle_hash: str | None = None


def write_feature_report(
    settings: FeatureSettings,
    out: Path,
    open_progress: OpenProgress,
    force: bool = False,
    workers: Workers = HERE,
) -> dict[str, Any]:
    """Writes features.csv, report.html with its figures and metrics.json to `out`.

    Saves the one-class SVM, where that is wanted. With `force`, what others made is replaced.
    workers: measure the images and train the forests. Returns what metrics.json says. Raises
    InputError where there is nothing to measure or no place to write to, BundleError for an
    unsound bundle.
    """
    inputs = (settings.data, settings.test, settings.bundle)
    claim = report_folder.make_claim(force, *inputs)
    check_folder(out, claim)
    svm_claim = _claim_svm(force, *inputs)
    if settings.svm:
        _check_svm_path(settings.svm)
        check_file(settings.svm, svm_claim)
    study = _study_features(settings, open_progress, workers)
    figures = list(_draw_figures(study))
    result = describe_as_json(study)
    html = html_report.render_template(
        "features.html",
        study=study,
        result=result,
        plates={figure.name: figure for figure in figures},
        counts=_count_labels(study.table),
        medians=_compute_medians(study),
    )
    with replace_folder(out, claim) as folder:
        report_folder.write_report(folder, html, figures, result)
        _write_tables(study, folder)
        if study.one_class and settings.svm:
            with replace_file(settings.svm, svm_claim) as file:
                _save_svm(study.one_class.svm, file)
    return result


def _claim_svm(force: bool, *inputs: Path | None) -> Claim:
    claim = Claim(recognize_mark(SVM_MAKER), "name another file with --svm", force=force)
    return claim.spare(*inputs)


def _save_svm(svm: Any, path: Path) -> None:
    """Saves it with joblib; the mark behind is not read by it."""
    joblib.dump(svm, path)
    with path.open("ab") as file:
        file.write(make_mark(SVM_MAKER))


def _check_svm_path(path: Path) -> None:
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path}: is a folder, or lies in none; name a file with --svm")


def _write_tables(study: FeatureStudy, folder: Path) -> None:
    scores = test_scores = None
    if study.one_class:
        scores = study.one_class.scores.tolist()
        if study.one_class.test_scores is not None:
            test_scores = study.one_class.test_scores.tolist()
    (folder / "features.csv").write_text(format_csv(study.table, scores), encoding="utf-8")
    if study.test:
        text = format_csv(study.test, test_scores)
        (folder / "features-test.csv").write_text(text, encoding="utf-8")


def _study_features(
    settings: FeatureSettings, open_progress: OpenProgress, workers: Workers
) -> FeatureStudy:
    bundle = load_bundle(settings.bundle) if settings.bundle else None
    measure = partial(_measure, bundle=bundle, settings=settings, workers=workers)
    table = measure(settings.data, open_progress)
    test = measure(settings.test, open_progress) if settings.test else None
    labels = _list_labels(table, bundle)
    if bundle and not labels:
        raise InputError(
            f"{settings.data}: no folder is named as a label of bundle {settings.bundle} "
            f"({', '.join(bundle.labels)})"
        )
    one_class = _train_one_class(settings, table, test, labels) if settings.svm else None
    baseline = _train_baseline(settings, table, test, labels, open_progress, workers)
    digest = bundle.digest if bundle else None
    return FeatureStudy(settings, table, test, baseline, one_class, digest)


def _measure(
    folder: Path,
    open_progress: OpenProgress,
    bundle: Bundle | None,
    settings: FeatureSettings,
    workers: Workers,
) -> FeatureTable:
    with open_progress(f"measuring {folder.name}", len(list_images(folder))) as report_progress:
        return measure_folder(
            folder,
            bundle,
            settings.crops,
            settings.burst_s,
            report_progress,
            settings.label_level,
            workers,
        )


def _list_labels(table: FeatureTable, bundle: Bundle | None) -> set[str]:
    """The labels of genuine coins: the bundle's, or without one all that there are."""
    labels = {coin.label for coin in table.coins if coin.label is not None}
    return labels & set(bundle.labels) if bundle else labels


def _select_labelled(table: FeatureTable, labels: set[str]) -> list[MeasuredCoin]:
    return [coin for coin in table.coins if coin.label in labels]


def _train_baseline(
    settings: FeatureSettings,
    table: FeatureTable,
    test: FeatureTable | None,
    labels: set[str],
    open_progress: OpenProgress,
    workers: Workers,
) -> Baseline | str:
    coins = _select_labelled(table, labels)
    if test:
        return _test_baseline(
            settings, table, coins, test, _select_labelled(test, labels), open_progress
        )
    count = choose_folds(coins)
    if isinstance(count, str):
        return count
    with open_progress("forests", count) as report_progress:
        return cross_validate(table, coins, count, report_progress, workers)


def _test_baseline(
    settings: FeatureSettings,
    table: FeatureTable,
    coins: list[MeasuredCoin],
    test: FeatureTable,
    test_coins: list[MeasuredCoin],
    open_progress: OpenProgress,
) -> Baseline | str:
    if not test_coins:
        return f"no folder of {settings.test} is named as one of {settings.data}"
    how = f"trained on {settings.data}, judged on {settings.test}"
    with open_progress("forest", 1) as report_progress:
        baseline = train_and_test(table, coins, test, test_coins, how)
        report_progress(1)
        return baseline


def _train_one_class(
    settings: FeatureSettings, table: FeatureTable, test: FeatureTable | None, labels: set[str]
) -> OneClass:
    own = [coin.label in labels for coin in table.coins]
    if not any(own):
        raise InputError(
            f"{settings.data}: no image lies in a folder of its own, so --svm has no genuine "
            "coins to learn from"
        )
    svm, scores = train_one_class_svm(table, own)
    if test is None:
        return OneClass(svm, evaluate_one_class(scores, own), scores, None)
    test_scores = svm.decision_function(test.to_array()[:, select_measures(table)])
    test_own = [coin.label in labels for coin in test.coins]
    return OneClass(svm, evaluate_one_class(test_scores, test_own), scores, test_scores)


def describe_as_json(study: FeatureStudy) -> dict[str, Any]:
    """Everything that metrics.json says: numbers, strings and None."""
    settings, table, baseline = study.settings, study.table, study.baseline
    one_class = None
    if study.one_class:
        one_class = {**asdict(study.one_class.metrics), "file": str(settings.svm)}
    names = np.array(table.names)
    return {
        "data": {
            "path": str(settings.data),
            "bundle": str(settings.bundle) if settings.bundle else None,
            "bundle_hash": study.bundle_hash,
            "test": str(settings.test) if settings.test else None,
            "crops": settings.crops,
            "burst_s": settings.burst_s,
        },
        "coins": len(table.coins),
        "per_label": _count_labels(table),
        "left_out": table.left_out,
        "test_left_out": study.test.left_out if study.test else {},
        "measures": table.names,
        "used": names[select_measures(table)].tolist(),
        "baseline": None if isinstance(baseline, str) else asdict(baseline),
        "no_baseline": baseline if isinstance(baseline, str) else None,
        "one_class": one_class,
    }


def summarize_features(result: Mapping[str, Any]) -> str:
    """The figures that matter most, of what metrics.json says, in a few lines."""
    left_out = len(result["left_out"]) + len(result["test_left_out"])
    lines = [
        f"{result['coins']} coins, {len(result['measures'])} measures of each; "
        f"{left_out} images left out"
    ]
    if result["baseline"]:
        lines.append(_summarize_baseline(result["baseline"]))
    else:
        lines.append(f"no classifier: {result['no_baseline']}")
    if result["one_class"]:
        lines.append(_summarize_one_class(result["one_class"]))
    return "\n".join(lines)


def _summarize_baseline(baseline: Mapping[str, Any]) -> str:
    right = baseline["answers"]["right"]
    balanced = baseline["answers"]["balanced_accuracy"]
    return (
        f"extra-trees, {baseline['how']}: {100 * right['share']:.2f} % of {right['of']} right, "
        f"balanced {100 * balanced:.2f} %"
    )


def _summarize_one_class(one_class: Mapping[str, Any]) -> str:
    outside = one_class["outside"]["share"]
    line = f"one-class SVM in {one_class['file']}: takes {100 * outside:.1f} % of genuine coins "
    line += "for foreign"
    if one_class["auroc"] is not None:
        line += f", AUROC {one_class['auroc']:.3f} against {one_class['foreign']} foreign ones"
    return line


def _count_labels(table: FeatureTable) -> dict[str, int]:
    labels = [coin.label or NO_LABEL for coin in table.coins]
    return {label: labels.count(label) for label in sorted(set(labels))}


def _compute_medians(study: FeatureStudy) -> dict[str, dict[str, float]]:
    """The median of each measure that is shown, by label."""
    return {
        name: {label: _median(values) for label, values in by_label.items()}
        for name, by_label in _split_by_label(study).items()
    }


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _split_by_label(study: FeatureStudy) -> dict[str, dict[str, np.ndarray]]:
    """The values of each measure that is shown, by measure and label: float (n,)."""
    table = study.table
    labels = np.array([coin.label or NO_LABEL for coin in table.coins])
    values = table.to_array()
    by_name: dict[str, dict[str, np.ndarray]] = {}
    for name in _choose_measures(study):
        column = values[:, table.names.index(name)]
        by_name[name] = {label: column[labels == label] for label in _count_labels(table)}
    return by_name


def _choose_measures(study: FeatureStudy) -> tuple[str, ...]:
    """The measures that are shown: the most informative, or without a baseline the usual ones."""
    if isinstance(study.baseline, str):
        return tuple(name for name in USUAL_MEASURES if name in study.table.names)
    return study.baseline.telling


def _draw_figures(study: FeatureStudy) -> Iterator[ReportFigure]:
    """Every figure of the report, in its order."""
    examples = sorted(study.table.examples.items())
    tiles = [Tile(crop, (label or NO_LABEL,)) for label, crop in examples]
    sheet = draw_contact_sheet(tiles, "One coin of each label, as it was measured", columns=8)
    yield ReportFigure("coins", sheet, "Same radius, same belt colour: what differs is the coin.")
    boxes = plot_distributions(_split_by_label(study))
    caption = (
        "Box: the middle half of the label's coins; line: the median; "
        "whiskers: all but 5 % on either side."
    )
    yield ReportFigure("distributions", boxes, caption)
    if not isinstance(study.baseline, str):
        yield from _draw_baseline(study.baseline)


def _draw_baseline(baseline: Baseline) -> Iterator[ReportFigure]:
    title = "The forest on coins it has not seen"
    matrix = plot_confusion_matrix(baseline.answers.confusion, title)
    yield ReportFigure("confusion", matrix, "Rows: the truth. Columns: the forest's answer.")
    losses = plot_importances(baseline.families, baseline.importance)
    caption = "Balanced accuracy lost when a family, or one measure, is shuffled among the coins."
    yield ReportFigure("importance", losses, caption)
