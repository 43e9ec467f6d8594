"""The report of an evaluation: its figures, metrics.json, and a summary of a few lines."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.files.atomic import replace_folder
from coinsorter.files.owned_folder import check_folder
from coinsorter.training import html_report, report_folder
from coinsorter.training.evaluation import plots
from coinsorter.training.evaluation.crop_scale import CropScale
from coinsorter.training.evaluation.damage import DamageStudy
from coinsorter.training.evaluation.evaluate import (
    MAX_MISTAKES,
    Evaluation,
    EvaluationSettings,
    evaluate_bundle,
)
from coinsorter.training.evaluation.figures import Tile, draw_contact_sheet
from coinsorter.training.evaluation.metrics import EvaluationMetrics
from coinsorter.training.evaluation.predictions import (
    Prediction,
    select_foreign,
    select_genuine,
)
from coinsorter.training.evaluation.rotation import RotationStudy
from coinsorter.training.parallel import HERE, Workers
from coinsorter.training.progress import OpenProgress
from coinsorter.training.report_folder import ReportFigure


def write_evaluation_report(
    settings: EvaluationSettings,
    out: Path,
    open_progress: OpenProgress,
    force: bool = False,
    workers: Workers = HERE,
) -> dict[str, Any]:
    """Evaluates, and writes report.html, its figures as PNGs and metrics.json to `out`.

    workers: see `evaluate_bundle`. Returns what metrics.json says. An earlier report in `out` is
    replaced; with `force`, what else is there. Raises InputError where there is nothing to evaluate
    or no place to write to, BundleError for an unsound bundle.
    """
    claim = report_folder.make_claim(force, settings.data, settings.bundle, settings.scale_from)
    check_folder(out, claim)
    evaluation = evaluate_bundle(settings, open_progress, workers)
    figures = list(_draw_figures(evaluation))
    result = describe_as_json(evaluation)
    html = html_report.render_template(
        "evaluation.html",
        evaluation=evaluation,
        result=result,
        plates={figure.name: figure for figure in figures},
        max_mistakes=MAX_MISTAKES,
    )
    with replace_folder(out, claim) as folder:
        report_folder.write_report(folder, html, figures, result)
    return result


def describe_as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything that metrics.json says: numbers, strings and None."""
    settings, bundle = evaluation.settings, evaluation.bundle
    rotation, damage, ood = evaluation.rotation, evaluation.damage, evaluation.ood
    return {
        "bundle": {
            "name": bundle.manifest.name,
            "path": str(settings.bundle),
            "digest": bundle.digest,
        },
        "data": {
            "path": str(settings.data),
            "crops": settings.crops,
            "scale": _describe_scale(evaluation.crop_scale),
            "unreadable": list(evaluation.unreadable),
        },
        "runtime": evaluation.runtime,
        **_describe_metrics(evaluation.metrics),
        "worst": [
            _describe_mistake(kind, prediction)
            for kind, predictions in evaluation.mistakes.items()
            for prediction in predictions
        ],
        "rotations": _describe_rotation(rotation) if rotation else None,
        "damage": _describe_damage(damage) if damage else None,
        "strangers": asdict(ood) if ood else None,
    }


def _describe_scale(scale: CropScale | None) -> dict[str, float] | None:
    return {"px_per_mm": scale.px_per_mm, "spread": scale.mad_std} if scale else None


def _describe_metrics(metrics: EvaluationMetrics) -> dict[str, Any]:
    figures = asdict(metrics)
    return {"pictures": figures.pop("images"), **figures}


def _describe_mistake(kind: str, prediction: Prediction) -> dict[str, Any]:
    return {
        "what": kind,
        "path": str(prediction.path),
        "true": prediction.label,
        "predicted": prediction.predicted or None,
        "confidence": prediction.confidence,
        "anomaly": prediction.anomaly if np.isfinite(prediction.anomaly) else None,
        "membership": prediction.membership if np.isfinite(prediction.membership) else None,
        "diameter_mm": prediction.diameter_mm,
        "reason": prediction.reason,
    }


def _describe_rotation(study: RotationStudy) -> dict[str, Any]:
    return {
        "angles_deg": study.angles_deg,
        "accuracy": study.accuracy,
        "by_picture": study.image_accuracy,
        "lowest": study.lowest,
        "highest": study.highest,
        "spread": study.accuracy_range,
    }


def _describe_damage(study: DamageStudy) -> dict[str, Any]:
    return {
        "synthetic": True,
        "intact_rejected": asdict(study.intact_rejected),
        "kinds": {kind: asdict(metrics) for kind, metrics in study.kinds.items()},
    }


def summarize_evaluation(result: Mapping[str, Any]) -> str:
    """The figures that matter most, of what metrics.json says, in a few lines."""
    lines = [_summarize_counts(result)]
    if result["data"]["scale"]:
        lines.append(_summarize_scale(result["data"]["scale"]))
    lines.append(_summarize_answers(result["all_answered"]))
    lines += _summarize_machine(result["machine"])
    if result["anomaly"]["auroc"] is not None:
        lines.append(_summarize_anomaly(result["anomaly"]))
    if result["membership"] and result["membership"]["auroc"] is not None:
        lines.append(_summarize_membership(result["membership"]))
    if result["strangers"]:
        lines.append(_summarize_ood(result["strangers"]))
    if result["rotations"]:
        rotation = result["rotations"]
        lowest, highest = _percent(rotation["lowest"]), _percent(rotation["highest"])
        lines.append(f"rotated: {lowest} to {highest} right")
    if result["damage"]:
        kinds = result["damage"]["kinds"]
        areas = ", ".join(f"{kind} {own['auroc']:.3f}" for kind, own in kinds.items())
        lines.append(f"damaged (synthetic), AUROC: {areas}")
    return "\n".join(lines)


def _summarize_counts(result: Mapping[str, Any]) -> str:
    unreadable = len(result["data"]["unreadable"])
    return (
        f"{result['genuine']} genuine coins, {result['foreign']} foreign objects, "
        f"{unreadable} unreadable"
    )


def _summarize_scale(scale: Mapping[str, float]) -> str:
    return (
        f"crops measured at {scale['px_per_mm']:.2f} px per mm, "
        f"each {_percent(scale['spread'])} off"
    )


def _summarize_answers(answers: Mapping[str, Any]) -> str:
    right = answers["right"]
    return (
        f"every coin answered: {_percent(right['share'])} right "
        f"({_percent(right['low_95'])} to {_percent(right['high_95'])} at 95 %), "
        f"balanced {_percent(answers['balanced_accuracy'])}, "
        f"macro F1 {_percent(answers['macro_f1'])}"
    )


def _summarize_machine(machine: Mapping[str, Any]) -> list[str]:
    accepted = machine["genuine_accepted"]["share"]
    false = machine["false_accepts"]
    wrong = machine["wrong_labels"]["count"]
    foreign = machine["foreign_accepted"]["count"]
    return [
        f"the machine: {_percent(accepted)} of genuine coins accepted",
        f"false accepts: {false['count']} of {false['of']} accepted "
        f"(wrong labels {wrong}, foreign {foreign}), "
        f"at most {_percent(false['at_most_95'])} at 95 %",
    ]


def _summarize_membership(membership: Mapping[str, Any]) -> str:
    return (
        f"the gate: AUROC {membership['auroc']:.3f}; at its threshold "
        f"TPR {membership['tpr']['share']:.3f}, TNR {membership['tnr']['share']:.3f}"
    )


def _summarize_anomaly(anomaly: Mapping[str, Any]) -> str:
    return (
        f"anomaly score: AUROC {anomaly['auroc']:.3f}; at the thresholds "
        f"TPR {anomaly['tpr']['share']:.3f}, TNR {anomaly['tnr']['share']:.3f}"
    )


def _summarize_ood(ood: Mapping[str, Mapping[str, float | None]]) -> str:
    areas = []
    for evidence in ("with_diameter", "without_diameter"):
        area = ood[evidence].get("all")
        if area is not None:
            areas.append(f"{area:.3f} {evidence.replace('_', ' ')}")
    return "foreign objects, all evidence fused: AUROC " + ", ".join(areas)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _draw_figures(evaluation: Evaluation) -> Iterator[ReportFigure]:
    """Every figure of the report, in its order."""
    yield from _draw_confusions(evaluation.metrics)
    yield from _draw_confidence(evaluation.metrics)
    yield from _draw_anomaly(evaluation)
    if evaluation.rotation:
        caption = (
            f"Each coin's crop rotated to {evaluation.settings.rotation_steps} angles; "
            "the machine averages four quarter turns of it."
        )
        yield ReportFigure("rotations", plots.plot_rotation(evaluation.rotation), caption)
    if evaluation.damage:
        yield from _draw_damage(evaluation.damage)
    for kind, predictions in evaluation.mistakes.items():
        tiles = [_describe_tile(p, evaluation.settings.data) for p in predictions]
        name = f"worst-{kind.replace(' ', '-')}"
        yield ReportFigure(name, draw_contact_sheet(tiles, kind.capitalize()), "")


def _draw_confusions(metrics: EvaluationMetrics) -> Iterator[ReportFigure]:
    answers, machine = metrics.all_answered, metrics.machine
    matrix = plots.plot_confusion_matrix(answers.confusion, "Every coin answered")
    yield ReportFigure("confusion-all", matrix, "Rows: the truth. Columns: the likeliest label.")
    title = "The machine: accepted or rejected"
    matrix = plots.plot_confusion_matrix(machine.answers.confusion, title)
    yield ReportFigure("confusion-machine", matrix, "Rows: the truth. Columns: where it went.")
    scores = plots.plot_label_scores(answers, "By label, every coin answered")
    yield ReportFigure("per-label", scores, "The label's coins in brackets.")


def _draw_confidence(metrics: EvaluationMetrics) -> Iterator[ReportFigure]:
    accepted = metrics.machine.genuine_accepted.share
    wrong = metrics.machine.wrong_labels.share
    machine = (accepted, wrong) if accepted is not None and wrong is not None else None
    curve = plots.plot_risk_coverage(metrics.risk_coverage, machine)
    caption = "On the left only the surest coins are answered, on the right all of them."
    yield ReportFigure("risk-coverage", curve, caption)
    diagram = plots.plot_reliability(metrics.reliability)
    caption = (
        "On the line, nine in ten coins of confidence 0.9 are right. "
        "Bars: how many coins, on a logarithmic scale."
    )
    yield ReportFigure("reliability", diagram, caption)


def _draw_anomaly(evaluation: Evaluation) -> Iterator[ReportFigure]:
    labels = evaluation.bundle.labels
    with_coin = [p for p in evaluation.predictions if p.has_coin]
    genuine = [p.anomaly for p in select_genuine(with_coin, labels)]
    foreign = [p.anomaly for p in select_foreign(with_coin, labels)]
    if genuine and foreign:
        curve = plots.plot_roc(evaluation.metrics.anomaly)
        yield ReportFigure("roc", curve, "Up and to the left is better.")
    thresholds = [own.max_anomaly for own in evaluation.bundle.thresholds.values()]
    histogram = plots.plot_anomaly_scores(genuine, foreign, thresholds)
    caption = "Beyond the threshold of its label a coin is rejected."
    yield ReportFigure("anomaly", histogram, caption)


def _draw_damage(study: DamageStudy) -> Iterator[ReportFigure]:
    aurocs = {kind: own.auroc for kind, own in study.kinds.items()}
    rejected = {kind: own.rejected.share for kind, own in study.kinds.items()}
    figure = plots.plot_damage(aurocs, rejected, study.intact_rejected.share)
    yield ReportFigure("damage", figure, "Synthetic damage: drawn onto the crops.")
    examples = plots.plot_damage_examples(study.examples)
    caption = "Synthetic damage on real crops, as the networks get them."
    yield ReportFigure("damage-examples", examples, caption)


def _describe_tile(prediction: Prediction, data: Path) -> Tile:
    path = str(prediction.path.relative_to(data))
    fate = "accepted" if prediction.accepted else f"rejected: {prediction.reason}"
    if not prediction.has_coin:
        return Tile(prediction.crop, (path, f"{prediction.label}, {fate}"))
    anomaly = f"anomaly {prediction.anomaly:.1f}"
    if np.isfinite(prediction.membership):
        anomaly += f", membership {prediction.membership:.1f}"
    if prediction.diameter_mm is not None:
        anomaly += f", {prediction.diameter_mm:.2f} mm"
    lines = (
        path,
        f"{prediction.label} called {prediction.predicted}",
        f"confidence {prediction.confidence:.4f}",
        anomaly,
        fate,
    )
    return Tile(prediction.crop, lines)
