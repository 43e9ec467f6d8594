"""The whole evaluation: what a bundle makes of images whose truth is known."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from coinsorter.errors import InputError
from coinsorter.images.image_io import list_images
from coinsorter.recognition import runtime
from coinsorter.recognition.bundle import Bundle, load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.tools.image_replay import WRONG_SIZE
from coinsorter.training.evaluation.crop_scale import CropScale, measure_crop_scale
from coinsorter.training.evaluation.damage import DamageStudy, study_damage
from coinsorter.training.evaluation.damage_drawing import KINDS
from coinsorter.training.evaluation.metrics import EvaluationMetrics, compute_metrics
from coinsorter.training.evaluation.ood import OodMetrics, measure_ood
from coinsorter.training.evaluation.predictions import (
    FolderPredictions,
    Prediction,
    Predictor,
    predict_folder,
    select_foreign,
    select_genuine,
)
from coinsorter.training.evaluation.rotation import RotationStudy, study_rotation
from coinsorter.training.parallel import HERE, Workers
from coinsorter.training.progress import OpenProgress

#: Mistakes of each kind that the report shows: two rows of a contact sheet.
MAX_MISTAKES = 12
#: Images after which it is plain that ready crops were taken for frames.
FIRST_IMAGES = 10


@dataclass(frozen=True)
class EvaluationSettings:
    """What is evaluated, and how.

    crops: the images are ready crops, not frames. rotation_steps: angles of the rotation study, 0
    for none. damage: whether to study drawn damage. scale_from: a folder of other such crops, of
    known coins, by which the scale of all is measured.
    """

    bundle: Path
    data: Path
    crops: bool = False
    rotation_steps: int = 0
    damage: bool = False
    scale_from: Path | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that an evaluation found out.

    runtime: what the networks ran on, with its version. unreadable: files that are no images.
    mistakes: the worst ones, by kind. crop_scale, rotation, damage: None where they were not
    measured. ood: None where there are no foreign objects.
    """

    settings: EvaluationSettings
    bundle: Bundle
    runtime: str
    crop_scale: CropScale | None
    predictions: tuple[Prediction, ...]
    unreadable: tuple[str, ...]
    metrics: EvaluationMetrics
    mistakes: dict[str, list[Prediction]]
    rotation: RotationStudy | None
    damage: DamageStudy | None
    ood: OodMetrics | None


def evaluate_bundle(
    settings: EvaluationSettings, open_progress: OpenProgress, workers: Workers = HERE
) -> Evaluation:
    """The figures of a bundle on images whose truth is known.

    workers: share ready crops and studies; frames are taken one by one, as on the machine. Raises
    InputError where there is nothing to evaluate, BundleError where the bundle is not sound.
    """
    bundle = load_bundle(settings.bundle)
    classifier = Classifier(bundle, runtime.pick_runtime("auto"))
    classifier.check_golden_crops()
    crop_scale = _measure_crop_scale(settings, bundle, open_progress)
    predictor = Predictor(bundle, classifier, crop_scale)
    images = predict_folder(settings.data, predictor, settings.crops, workers)
    predictions = _predict_all(settings, images, open_progress)
    _check_coins_found(settings, len(images), select_genuine(predictions, bundle.labels))
    labels = list(bundle.labels)
    has_gate = bundle.manifest.judges_membership
    with_coin = [p for p in predictions if p.has_coin]
    genuine = select_genuine(with_coin, bundle.labels)
    foreign = select_foreign(with_coin, bundle.labels)
    return Evaluation(
        settings=settings,
        bundle=bundle,
        runtime=f"{classifier.runtime} {runtime.read_version(classifier.runtime)}",
        crop_scale=crop_scale,
        predictions=tuple(predictions),
        unreadable=tuple(str(path) for path in images.unreadable),
        metrics=compute_metrics(predictions, labels, bundle.thresholds, has_gate),
        mistakes=list_mistakes(predictions, bundle.labels),
        rotation=_study_rotation(settings, predictor, genuine, open_progress, workers),
        damage=_study_damage(settings, predictor, genuine, open_progress, workers),
        ood=_measure_ood(predictor, genuine, foreign, open_progress, workers),
    )


def _measure_crop_scale(
    settings: EvaluationSettings, bundle: Bundle, open_progress: OpenProgress
) -> CropScale | None:
    folder = settings.scale_from
    if folder is None:
        return None
    if not settings.crops:
        raise InputError(
            "--scale-from is for ready crops; add --crops, or leave it out: "
            "frames are measured by the bundle's view"
        )
    if folder.resolve() == settings.data.resolve():
        raise InputError(
            f"--scale-from {folder}: is what is evaluated; name other crops, "
            "such as those that were trained on"
        )
    with open_progress("measuring", len(list_images(folder))) as report_progress:
        return measure_crop_scale(folder, bundle, report_progress)


def _predict_all(
    settings: EvaluationSettings, images: FolderPredictions, open_progress: OpenProgress
) -> list[Prediction]:
    predictions: list[Prediction] = []
    with open_progress("classifying", len(images)) as report_progress:
        for prediction in images:
            predictions.append(prediction)
            report_progress(len(predictions))
            if len(predictions) == FIRST_IMAGES:
                _check_shape(settings, predictions)
        if images.unreadable:
            report_progress(len(images))
    return predictions


def _check_shape(settings: EvaluationSettings, predictions: Sequence[Prediction]) -> None:
    """Raises InputError where no image has the shape of the camera's view."""
    if all(p.reason == WRONG_SIZE for p in predictions):
        raise InputError(
            f"{settings.data}: its images have not the shape of the view of bundle "
            f"{settings.bundle}; if each is one ready crop, add --crops"
        )


def _check_coins_found(
    settings: EvaluationSettings, image_count: int, genuine: Sequence[Prediction]
) -> None:
    """Raises InputError where there is no coin whose label is known."""
    if not genuine:
        raise InputError(
            f"{settings.data}: of its {image_count} images none in a folder named as a label "
            "can be read"
        )
    _check_shape(settings, genuine)
    if not any(p.has_coin for p in genuine):
        raise InputError(
            f"{settings.data}: no coin was found in any of {len(genuine)} images; "
            "if each is one ready crop, add --crops"
        )


def list_mistakes(
    predictions: Sequence[Prediction], labels: Collection[str]
) -> dict[str, list[Prediction]]:
    """The worst mistakes by kind, at most MAX_MISTAKES of each; kinds without any are left out.

    Wrong labels and accepted foreign objects: the most confident first. Genuine coins that were
    called rightly but rejected: the most anomalous first.
    """
    genuine = select_genuine(predictions, labels)
    foreign = select_foreign(predictions, labels)
    wrong = [p for p in genuine if p.has_coin and not p.is_correct]
    rejected = [p for p in genuine if p.is_correct and not p.accepted]
    accepted = [p for p in foreign if p.accepted]
    mistakes = {
        "called wrong": sorted(wrong, key=lambda p: -p.confidence),
        "rejected though right": sorted(rejected, key=lambda p: -p.anomaly),
        "no coin found": [p for p in genuine if not p.has_coin],
        "foreign but accepted": sorted(accepted, key=lambda p: -p.confidence),
    }
    return {kind: worst[:MAX_MISTAKES] for kind, worst in mistakes.items() if worst}


def _study_rotation(
    settings: EvaluationSettings,
    predictor: Predictor,
    genuine: list[Prediction],
    open_progress: OpenProgress,
    workers: Workers,
) -> RotationStudy | None:
    steps = settings.rotation_steps
    if not steps:
        return None
    with open_progress("rotating", len(genuine)) as report_progress:
        return study_rotation(predictor, genuine, steps, report_progress, workers)


def _study_damage(
    settings: EvaluationSettings,
    predictor: Predictor,
    genuine: list[Prediction],
    open_progress: OpenProgress,
    workers: Workers,
) -> DamageStudy | None:
    if not settings.damage:
        return None
    with open_progress("damaging", len(KINDS)) as report_progress:
        return study_damage(predictor, genuine, report_progress, workers)


def _measure_ood(
    predictor: Predictor,
    genuine: list[Prediction],
    foreign: list[Prediction],
    open_progress: OpenProgress,
    workers: Workers,
) -> OodMetrics | None:
    if not foreign:
        return None
    predictions = genuine + foreign
    with open_progress("foreign objects", len(predictions)) as report_progress:
        return measure_ood(predictor, predictions, report_progress, workers)
