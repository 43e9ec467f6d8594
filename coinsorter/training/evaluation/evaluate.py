"""A bundle and pictures whose truth is known -> a report: what it gets right, what it lets through, and its worst mistakes to look at."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.atomic import replace_folder
from coinsorter.errors import InputError
from coinsorter.images import list_images
from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.tools.image_replay import WRONG_SIZE
from coinsorter.training import html_report, report_folder
from coinsorter.training.evaluation import damage, metrics, ood, plots, predictions, rotation
from coinsorter.training.evaluation.metrics import EvaluationMetrics
from coinsorter.training.evaluation.plots import Tile
from coinsorter.training.evaluation.predictions import (
    CropScale,
    FolderPredictions,
    Prediction,
    Predictor,
)
from coinsorter.training.progress import OpenProgress
from coinsorter.training.report_folder import Plate

WORST = 12  # mistakes shown of each kind
FIRST = 10  # pictures after which it is plain that they are no frames


@dataclass(frozen=True)
class EvaluationSettings:
    """What an evaluation is of.

    crops: pictures are ready crops, not frames. scale_from: other such crops, of known coins, that tell the scale of both. turns: steps of
    the rotation study, 0 for none. damaged: draw damage onto the coins.
    """

    bundle: Path
    data: Path
    crops: bool = False
    turns: int = 0
    damaged: bool = False
    scale_from: Path | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was found out. worst: the worst mistakes, by what they are."""

    asked: EvaluationSettings
    models: Bundle
    records: tuple[Prediction, ...]
    unreadable: tuple[str, ...]
    metrics: EvaluationMetrics
    worst: dict[str, list[Prediction]]
    turned: rotation.RotationStudy | None
    damaged: damage.DamageStudy | None
    strangers: ood.OodMetrics | None


def evaluate(asked: EvaluationSettings, out: Path, bar: OpenProgress) -> dict[str, Any]:
    """Writes report.html, its pictures as PNGs and metrics.json to `out`, replacing an earlier report there; returns what metrics.json says.

    Raises InputError where there is nothing to judge or nowhere to write, BundleError where the bundle is not sound.
    """
    report_folder.check(out, asked.data, asked.bundle)
    models = bundle.load_bundle(asked.bundle)
    classifier = Classifier(models, runtime.pick_runtime("auto"))
    classifier.check_golden_crops()
    scale = _crop_scale(asked, models, bar)
    found = findings(asked, Predictor(models, classifier, scale), bar)
    plates = list(_plates(found))
    result = plain(found, classifier.runtime, scale)
    html = html_report.render_template(
        "evaluation.html",
        found=found,
        result=result,
        plates={p.name: p for p in plates},
        most_shown=WORST,
    )
    with replace_folder(out) as new:
        report_folder.fill(new, html, plates, result)
    return result


def _crop_scale(asked: EvaluationSettings, models: Bundle, bar: OpenProgress) -> CropScale | None:
    if asked.scale_from is None:
        return None
    if not asked.crops:
        raise InputError(
            "--scale-from is for ready crops; add --crops, or leave it out: in frames the bundle's view tells the scale"
        )
    if asked.scale_from.resolve() == asked.data.resolve():
        raise InputError(
            f"--scale-from {asked.scale_from}: is what is judged; name other crops, such as those that were trained on"
        )
    with bar("measuring", len(list_images(asked.scale_from))) as tell:
        return CropScale.measured(asked.scale_from, models, tell)


def findings(asked: EvaluationSettings, judge: Predictor, bar: OpenProgress) -> Evaluation:
    """Judges every picture, counts, and makes the studies that were asked for."""
    models, pictures = judge.models, predictions.pictures(asked.data, judge, asked.crops)
    records = _judge_all(asked, pictures, bar)
    genuine = [r for r in records if r.label in models.labels]
    _check_seen(asked, len(pictures), genuine)
    found = [r for r in genuine if r.found]
    foreign = [
        r for r in records if r.found and r.label is not None and r.label not in models.labels
    ]
    counted = metrics.measure(
        records,
        list(models.labels),
        {name: own.max_anomaly for name, own in models.thresholds.items()},
    )
    unreadable = tuple(str(path) for path in pictures.unreadable)
    return Evaluation(
        asked,
        models,
        tuple(records),
        unreadable,
        counted,
        worst(records, set(models.labels)),
        *_studies(asked, judge, found, foreign, bar),
    )


def _judge_all(
    asked: EvaluationSettings, pictures: FolderPredictions, bar: OpenProgress
) -> list[Prediction]:
    records: list[Prediction] = []
    with bar("judging", len(pictures)) as tell:
        for record in pictures:
            records.append(record)
            tell(len(records))
            if (
                len(records) == FIRST
            ):  # ready crops are taken for frames: say so before thousands are gone through
                _check_shape(asked, records)
        if pictures.unreadable:
            tell(len(pictures))
    return records


def _check_shape(asked: EvaluationSettings, records: list[Prediction]) -> None:
    if all(r.reason == WRONG_SIZE for r in records):
        raise InputError(
            f"{asked.data}: its pictures have not the shape of the view of bundle {asked.bundle}; if each is one ready crop, add --crops"
        )


def _check_seen(asked: EvaluationSettings, pictures: int, genuine: list[Prediction]) -> None:
    if not genuine:
        raise InputError(
            f"{asked.data}: of its {pictures} pictures none in a folder named as a label can be read"
        )
    _check_shape(asked, genuine)
    if not any(r.found for r in genuine):
        raise InputError(
            f"{asked.data}: no coin was found in any of {len(genuine)} pictures; if each is one ready crop, add --crops"
        )


def _studies(
    asked: EvaluationSettings,
    judge: Predictor,
    found: list[Prediction],
    foreign: list[Prediction],
    bar: OpenProgress,
) -> tuple:
    """The study of rotations, of damage and of foreign things: what was asked for, else None."""
    turned = damaged = strangers = None
    if asked.turns:
        with bar("turning", asked.turns) as tell:
            turned = rotation.study(judge, found, asked.turns, tell)
    if asked.damaged:
        with bar("damaging", len(damage.KINDS)) as tell:
            damaged = damage.study(judge, found, tell)
    if foreign:
        with bar("foreign things", len(found) + len(foreign)) as tell:
            strangers = ood.study(judge, found + foreign, tell)
    return turned, damaged, strangers


def worst(records: list[Prediction], labels: set[str]) -> dict[str, list[Prediction]]:
    """The worst first: genuine coins called wrong, the surest first; called right but rejected, the strangest first; foreign ones let in."""
    genuine, foreign = (
        [r for r in records if r.label in labels],
        [r for r in records if r.label is not None and r.label not in labels],
    )
    lists = {
        "called wrong": sorted(
            (r for r in genuine if r.found and not r.right), key=lambda r: -r.confidence
        ),
        "rejected though right": sorted(
            (r for r in genuine if r.right and not r.accepted), key=lambda r: -r.anomaly
        ),
        "no coin found": [r for r in genuine if not r.found],
        "foreign but accepted": sorted(
            (r for r in foreign if r.accepted), key=lambda r: -r.confidence
        ),
    }
    return {what: found[:WORST] for what, found in lists.items() if found}


def plain(found: Evaluation, interpreter: str, scale: CropScale | None = None) -> dict[str, Any]:
    """Everything that metrics.json says: numbers, strings and None. scale: of the ready crops, where it was measured."""
    models, asked = found.models, found.asked
    return {
        "bundle": {
            "name": models.manifest.name,
            "path": str(asked.bundle),
            "digest": models.digest,
        },
        "data": {
            "path": str(asked.data),
            "crops": asked.crops,
            "scale": scale and asdict(scale),
            "unreadable": list(found.unreadable),
        },
        "runtime": f"{interpreter} {runtime.read_version(interpreter)}",
        **asdict(found.metrics),
        "worst": [_mistake(what, r) for what, records in found.worst.items() for r in records],
        "rotations": asdict(found.turned) if found.turned else None,
        "damage": _plain_damage(found.damaged) if found.damaged else None,
        "strangers": asdict(found.strangers) if found.strangers else None,
    }


def _mistake(what: str, r: Prediction) -> dict[str, Any]:
    facts = {
        "what": what,
        "path": str(r.path),
        "true": r.label,
        "predicted": r.predicted or None,
        "confidence": r.confidence,
    }
    return {
        **facts,
        "anomaly": r.anomaly if np.isfinite(r.anomaly) else None,
        "diameter_mm": r.diameter_mm,
        "reason": r.reason,
    }


def _plain_damage(study: damage.DamageStudy) -> dict[str, Any]:
    kinds = {kind: asdict(own) for kind, own in study.kinds.items()}
    return {
        "synthetic": study.synthetic,
        "intact_rejected": asdict(study.intact_rejected),
        "kinds": kinds,
    }


def summarize_evaluation(result: dict[str, Any]) -> str:
    """The figures that matter most, of what metrics.json says, in a few lines."""
    every, machine, anomaly = result["all_answered"], result["machine"], result["anomaly"]
    scale = result["data"]["scale"]
    right, wrong, parts = (
        every["right"],
        machine["false_accepts"],
        (machine["wrong_labels"]["count"], machine["foreign_accepted"]["count"]),
    )
    lines = [
        f"{result['genuine']} genuine coins, {result['foreign']} foreign things, {len(result['data']['unreadable'])} unreadable",
        *(
            [
                f"crops measured at {scale['px_per_mm']:.2f} px per mm, each {_percent(scale['spread'])} off"
            ]
            if scale
            else []
        ),
        f"every coin answered: {_percent(right['share'])} right ({_percent(right['low_95'])} to {_percent(right['high_95'])} at 95 %), "
        f"balanced {_percent(every['balanced_accuracy'])}, macro F1 {_percent(every['macro_f1'])}",
        f"the machine: {_percent(machine['genuine_accepted']['share'])} of genuine coins accepted",
        f"false accepts: {wrong['count']} of {wrong['of']} accepted (wrong labels {parts[0]}, foreign {parts[1]}), at most {_percent(wrong['at_most_95'])} at 95 %",
    ]
    if anomaly["auroc"] is not None:
        lines.append(
            f"anomaly score: AUROC {anomaly['auroc']:.3f}; at the limits TPR {anomaly['tpr']['share']:.3f}, TNR {anomaly['tnr']['share']:.3f}"
        )
    if result["strangers"]:
        areas = {
            what: result["strangers"][what].get("all")
            for what in ("with_diameter", "without_diameter")
        }
        lines.append(
            "foreign things, all evidence fused: AUROC "
            + ", ".join(
                f"{area:.3f} {what.replace('_', ' ')}"
                for what, area in areas.items()
                if area is not None
            )
        )
    if result["rotations"]:
        lines.append(
            f"turned: {_percent(result['rotations']['lowest'])} to {_percent(result['rotations']['highest'])} right"
        )
    if result["damage"]:
        lines.append(
            "damaged (synthetic), AUROC: "
            + ", ".join(
                f"{kind} {own['auroc']:.3f}" for kind, own in result["damage"]["kinds"].items()
            )
        )
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _plates(found: Evaluation) -> Iterator[Plate]:
    """Every picture of the report, in its order."""
    m = found.metrics
    told = (m.machine.genuine_accepted.share, m.machine.wrong_labels.share)
    at_limits = (told[0], told[1]) if told[0] is not None and told[1] is not None else None
    yield Plate(
        "confusion-all",
        plots.confusion(m.all_answered.confusion, "Every coin answered"),
        "Rows: what it was. Columns: its likeliest label.",
    )
    went = plots.confusion(m.machine.answers.confusion, "The machine: accepted or rejected")
    yield Plate("confusion-machine", went, "Rows: what it was. Columns: where it went.")
    yield Plate(
        "per-label",
        plots.per_label(m.all_answered, "By label, every coin answered"),
        "The label's coins in brackets.",
    )
    yield Plate(
        "risk-coverage",
        plots.risk_coverage(m.risk_coverage, at_limits),
        "Left is only the surest coins, right is all of them.",
    )
    says = "On the line, nine in ten coins of confidence 0.9 are right. Bars: how many coins, on a logarithmic scale."
    yield Plate("reliability", plots.reliability(m.reliability), says)
    yield from _anomaly_plates(found)
    if found.turned:
        says = f"Each coin's crop turned to {found.asked.turns} angles; the machine averages four quarter turns of it."
        yield Plate("rotations", plots.rotations(found.turned), says)
    if found.damaged:
        yield from _damage_plates(found.damaged)
    for what, records in found.worst.items():
        tiles = [_tile(r, found.asked.data) for r in records]
        yield Plate(
            f"worst-{what.replace(' ', '-')}", plots.contact_sheet(tiles, what.capitalize()), ""
        )


def _anomaly_plates(found: Evaluation) -> Iterator[Plate]:
    seen, labels = (
        [r for r in found.records if r.found and r.label is not None],
        found.models.labels,
    )
    genuine, foreign = (
        [r.anomaly for r in seen if (r.label in labels) is known] for known in (True, False)
    )
    if genuine and foreign:
        yield Plate("roc", plots.roc(found.metrics.anomaly), "Up and to the left is better.")
    limits = [own.max_anomaly for own in found.models.thresholds.values()]
    yield Plate(
        "anomaly",
        plots.anomaly_scores(genuine, foreign, limits),
        "Beyond the limit of its label a coin is rejected.",
    )


def _damage_plates(study: damage.DamageStudy) -> Iterator[Plate]:
    aurocs = {kind: own.auroc for kind, own in study.kinds.items()}
    rejected = {kind: own.rejected.share for kind, own in study.kinds.items()}
    yield Plate(
        "damage",
        plots.damage(aurocs, rejected, study.intact_rejected.share),
        "Synthetic damage: drawn onto the crops.",
    )
    yield Plate(
        "damage-examples",
        plots.damage_examples(study.examples),
        "Synthetic damage on real crops, as the networks get them.",
    )


def _tile(r: Prediction, data: Path) -> Tile:
    path, fate = (
        str(r.path.relative_to(data)),
        "accepted" if r.accepted else f"rejected: {r.reason}",
    )
    if not r.found:
        return Tile(r.crop, (path, f"{r.label}, {fate}"))
    size = "" if r.diameter_mm is None else f", {r.diameter_mm:.2f} mm"
    return Tile(
        r.crop,
        (
            path,
            f"{r.label} called {r.predicted}",
            f"confidence {r.confidence:.4f}",
            f"anomaly {r.anomaly:.1f}{size}",
            fate,
        ),
    )
