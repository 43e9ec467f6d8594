"""A folder of coins -> a table of measures, and a report on what they tell: `coinsorter-train features`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

from coinsorter.atomic import replace_file, replace_folder
from coinsorter.errors import InputError
from coinsorter.images import list_images
from coinsorter.recognition import bundle
from coinsorter.recognition.bundle import Bundle
from coinsorter.training import html_report, report_folder
from coinsorter.training.evaluation import plots
from coinsorter.training.evaluation.plots import Tile
from coinsorter.training.features import baseline, measure
from coinsorter.training.features.baseline import Baseline, OneClassMetrics
from coinsorter.training.features.measure import FeatureTable, MeasuredCoin
from coinsorter.training.progress import OpenProgress
from coinsorter.training.report_folder import Plate

USUAL = (
    "size_outline_diameter_px",
    "shape_circularity",
    "colour_all_lab_l_mean",
    "colour_all_lab_b_mean",
    "texture_glcm_contrast_at_1_px",
    "edge_density_share",
)


@dataclass(frozen=True)
class FeatureSettings:
    """What is described.

    bundle: None where sizes in mm and foreign labels are not known. test: judged by what was learned from data. svm: saved there.
    burst_s: see `measures.measure_folder`.
    """

    data: Path
    bundle: Path | None = None
    crops: bool = False
    test: Path | None = None
    svm: Path | None = None
    burst_s: float = measure.BURST_S


@dataclass(frozen=True, eq=False)
class FeatureStudy:
    """All that was found out; of `test` and of the one-class machine only where they were asked for. baseline: or why there is none."""

    wanted: FeatureSettings
    table: FeatureTable
    test: FeatureTable | None
    baseline: Baseline | str
    one_class: OneClassMetrics | None
    scores: np.ndarray | None
    test_scores: np.ndarray | None
    machine: Pipeline | None


def describe_features(wanted: FeatureSettings, out: Path, bar: OpenProgress) -> dict[str, Any]:
    """Writes features.csv, report.html with its pictures and metrics.json to `out`, and saves the one-class machine where that is wanted.

    Returns what metrics.json says. Raises InputError where there is nothing to measure or nowhere to write, BundleError for an unsound bundle.
    """
    report_folder.check(out, wanted.data, *([wanted.test] if wanted.test else []))
    if wanted.svm and (wanted.svm.is_dir() or not wanted.svm.parent.is_dir()):
        raise InputError(f"{wanted.svm}: is a folder, or lies in none; name a file with --svm")
    models = bundle.load_bundle(wanted.bundle) if wanted.bundle else None
    found = _found(wanted, models, bar)
    plates = list(_plates(found))
    result = plain(found)
    named = {plate.name: plate for plate in plates}
    html = html_report.render_template(
        "features.html",
        found=found,
        result=result,
        plates=named,
        counts=_counts(found.table),
        medians=_medians(found),
    )
    with replace_folder(out) as new:
        report_folder.fill(new, html, plates, result)
        (new / "features.csv").write_text(
            measure.as_csv(found.table, _listed(found.scores)), encoding="utf-8"
        )
        if found.test:
            (new / "features-test.csv").write_text(
                measure.as_csv(found.test, _listed(found.test_scores)), encoding="utf-8"
            )
        if wanted.svm:
            _save(found.machine, wanted.svm)
    return result


def _save(machine: Pipeline | None, path: Path) -> None:
    with replace_file(path) as new:
        joblib.dump(machine, new)


def _found(wanted: FeatureSettings, models: Bundle | None, bar: OpenProgress) -> FeatureStudy:
    table = _measured(wanted.data, models, wanted, bar)
    test = _measured(wanted.test, models, wanted, bar) if wanted.test else None
    known = {coin.label for coin in _known(table, models)}
    if models and not known:
        raise InputError(
            f"{wanted.data}: no folder is named as a label of bundle {wanted.bundle} ({', '.join(models.labels)})"
        )
    machine = scores = test_scores = about = None
    if wanted.svm:
        machine, scores, test_scores, about = _one_class(wanted, table, test, known)
    return FeatureStudy(
        wanted,
        table,
        test,
        _baseline(wanted, table, test, known, bar),
        about,
        scores,
        test_scores,
        machine,
    )


def _measured(
    folder: Path, models: Bundle | None, wanted: FeatureSettings, bar: OpenProgress
) -> FeatureTable:
    with bar(f"measuring {folder.name}", len(list_images(folder))) as tell:
        return measure.measure_folder(folder, models, wanted.crops, wanted.burst_s, tell)


def _known(table: FeatureTable, models: Bundle | None) -> list[MeasuredCoin]:
    """Coins whose label counts: the bundle's labels, or without a bundle any."""
    return [
        coin
        for coin in table.coins
        if coin.label is not None and (models is None or coin.label in models.labels)
    ]


def _baseline(
    wanted: FeatureSettings,
    table: FeatureTable,
    test: FeatureTable | None,
    known: set,
    bar: OpenProgress,
) -> Baseline | str:
    coins = [coin for coin in table.coins if coin.label in known]
    if test and wanted.test:
        asked = [coin for coin in test.coins if coin.label in known]
        if not asked:
            return f"no folder of {wanted.test} is named as one of {wanted.data}"
        with bar("forest", 1) as tell:
            result = baseline.trained_and_tested(
                table, coins, test, asked, f"trained on {wanted.data}, judged on {wanted.test}"
            )
            tell(1)
            return result
    count = baseline.folds(coins)
    if isinstance(count, str):
        return count
    with bar("forests", count) as tell:
        return baseline.cross_validated(table, coins, count, tell)


def _one_class(wanted: FeatureSettings, table: FeatureTable, test: FeatureTable | None, known: set):
    own = [coin.label in known for coin in table.coins]
    if not any(own):
        raise InputError(
            f"{wanted.data}: no picture lies in a folder of its own, so --svm has no genuine coins to learn from"
        )
    machine, scores = baseline.scored(table, own)
    if test is None:
        return machine, scores, None, baseline.judged_by_score(scores, own)
    test_scores = machine.decision_function(test.values()[:, baseline.used(table)])
    return (
        machine,
        scores,
        test_scores,
        baseline.judged_by_score(test_scores, [coin.label in known for coin in test.coins]),
    )


def plain(found: FeatureStudy) -> dict[str, Any]:
    """Everything that metrics.json says: numbers, strings and None."""
    wanted, table = found.wanted, found.table
    keep = baseline.used(table)
    paths = {"path": wanted.data, "bundle": wanted.bundle, "test": wanted.test}
    return {
        "data": {
            **{name: str(path) if path else None for name, path in paths.items()},
            "crops": wanted.crops,
            "burst_s": wanted.burst_s,
        },
        "coins": len(table.coins),
        "per_label": _counts(table),
        "left_out": table.left_out,
        "test_left_out": found.test.left_out if found.test else {},
        "measures": table.names,
        "used": [name for name, kept in zip(table.names, keep) if kept],
        "baseline": None if isinstance(found.baseline, str) else asdict(found.baseline),
        "no_baseline": found.baseline if isinstance(found.baseline, str) else None,
        "one_class": {**asdict(found.one_class), "file": str(wanted.svm)}
        if found.one_class
        else None,
    }


def summarize_features(result: dict[str, Any]) -> str:
    """The figures that matter most, of what metrics.json says, in a few lines."""
    left_out = len(result["left_out"]) + len(result["test_left_out"])
    lines = [
        f"{result['coins']} coins, {len(result['measures'])} measures of each; {left_out} pictures left out"
    ]
    if result["baseline"]:
        answers = result["baseline"]["answers"]
        right, balanced = answers["right"], answers["balanced_accuracy"]
        lines.append(
            f"extra-trees, {result['baseline']['how']}: {100 * right['share']:.2f} % of {right['of']} right, balanced {100 * balanced:.2f} %"
        )
    else:
        lines.append(f"no classifier: {result['no_baseline']}")
    if one := result["one_class"]:
        against = (
            ""
            if one["auroc"] is None
            else f", AUROC {one['auroc']:.3f} against {one['foreign']} foreign ones"
        )
        lines.append(
            f"one-class SVM in {one['file']}: {100 * one['outside']['share']:.1f} % of genuine coins called strange{against}"
        )
    return "\n".join(lines)


def _counts(table: FeatureTable) -> dict[str, int]:
    labels = [coin.label or "(none)" for coin in table.coins]
    return {label: labels.count(label) for label in sorted(set(labels))}


def _listed(scores: np.ndarray | None) -> list[float] | None:
    return None if scores is None else scores.tolist()


def _medians(found: FeatureStudy) -> dict[str, dict[str, float]]:
    """The median of each telling measure, by label."""
    by_name = _by_label(found.table, _telling(found))
    return {
        name: {label: _median(values) for label, values in by_label.items()}
        for name, by_label in by_name.items()
    }


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _telling(found: FeatureStudy) -> tuple[str, ...]:
    """The measures that are shown: without a baseline, a few usual ones."""
    return (
        tuple(name for name in USUAL if name in found.table.names)
        if isinstance(found.baseline, str)
        else found.baseline.telling
    )


def _by_label(table: FeatureTable, names: tuple[str, ...]) -> dict[str, dict[str, np.ndarray]]:
    labels, values = np.array([coin.label or "(none)" for coin in table.coins]), table.values()
    return {
        name: {
            label: values[labels == label, table.names.index(name)]
            for label in sorted(set(labels.tolist()))
        }
        for name in names
    }


def _plates(found: FeatureStudy) -> Iterator[Plate]:
    """Every picture of the report, in its order."""
    crops = [Tile(crop, (label or "(none)",)) for label, crop in sorted(found.table.shown.items())]
    sheet = plots.contact_sheet(crops, "One coin of each label, as it was measured", columns=8)
    yield Plate("coins", sheet, "Same radius, same belt colour: what differs is the coin.")
    boxes = plots.distributions(_by_label(found.table, _telling(found)))
    yield Plate(
        "distributions",
        boxes,
        "Box: the middle half of the label's coins; line: the median; whiskers: all but 5 % on either side.",
    )
    if not isinstance(found.baseline, str):
        table = plots.confusion(
            found.baseline.answers.confusion, "The forest on coins it has not seen"
        )
        yield Plate("confusion", table, "Rows: what it was. Columns: what the forest said.")
        losses = plots.importances(found.baseline.families, found.baseline.importance)
        yield Plate(
            "importance",
            losses,
            "Balanced accuracy lost when a family, or one measure, is shuffled among the coins.",
        )
