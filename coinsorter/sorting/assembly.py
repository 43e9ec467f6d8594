"""Settings and a bundle -> a machine: how the parts are put together.

Camera, flaps, ledger, clock and panel are given; everything else is built here.
"""

from functools import partial

import cv2

from coinsorter.config.schema import Config
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.sorting.acceptance import Rules, tighten_thresholds
from coinsorter.sorting.machine import Machine
from coinsorter.sorting.ports import Camera, Clock, CoinLedger, FlapMover, NoPanel, Panel
from coinsorter.sorting.schedule import FlapSite, Schedule
from coinsorter.sorting.sensor_checks import DropSensorCheck
from coinsorter.vision import crop
from coinsorter.vision.detect import Search, compute_search_radii
from coinsorter.vision.scale import ScaleFollower, ScalePlane
from coinsorter.vision.track import BeltTracker


def assemble_machine(
    config: Config,
    bundle: Bundle,
    runtime: str,
    camera: Camera,
    flaps: FlapMover,
    ledger: CoinLedger,
    clock: Clock,
    panel: Panel | None = None,
) -> Machine:
    """The machine that config.yaml describes, with the given parts for what touches the world.

    OpenCV uses runtime.threads from then on, in the whole process: more threads cost more than
    they save on frames of this size. runtime: a name as `recognition.runtime` knows it.
    """
    cv2.setNumThreads(config.runtime.threads)
    threads, turns = config.runtime.threads, config.runtime.turns_per_crop
    follower = build_scale_follower(config, bundle)
    return Machine(
        camera=camera,
        tracker=build_tracker(config, bundle, follower.plane if follower else config.scale),
        classifier=Classifier(bundle, runtime, threads, turns),
        rules=build_rules(config, bundle),
        schedule=build_schedule(config),
        flaps=flaps,
        ledger=ledger,
        clock=clock,
        search=build_search(bundle, config.scale),
        scale_follower=follower,
        panel=panel or NoPanel(),
        drop_sensors=build_drop_sensors(config, panel),
    )


def build_scale_follower(config: Config, bundle: Bundle) -> ScaleFollower | None:
    """The follower of the view's scale; None where the settings switch it off."""
    if not config.belt.follow_scale:
        return None
    return ScaleFollower(config.scale, bundle.manifest.fusion.diameter_std)


def build_tracker(config: Config, bundle: Bundle, scale: ScalePlane) -> BeltTracker:
    """The tracker of coins on the belt, which cuts crops as the bundle wants them."""
    cut = partial(crop.cut_crop, spec=bundle.crop)
    frame_s = 1 / config.camera.frames_per_s
    return BeltTracker(scale, config.belt.speed_mm_s, frame_s, cut, config.runtime.crops_per_coin)


def build_schedule(config: Config) -> Schedule:
    """The schedule of the flaps, without any plan yet."""
    sites = [
        FlapSite(b.name, b.flap.distance_mm, b.flap.length_mm, b.flap.travel_ms / 1000)
        for b in config.bins
    ]
    speed_tolerance = config.belt.speed_tolerance_percent / 100
    return Schedule(sites, speed_tolerance, 1 / config.camera.frames_per_s)


def build_drop_sensors(config: Config, panel: Panel | None) -> DropSensorCheck:
    """The check of the drop sensors that are wired; without any, or a panel, it watches no bin."""
    if panel is None:
        return DropSensorCheck(NoPanel().count_drops, {})
    within_s = {b.name: b.flap.drop_ms / 1000 for b in config.bins if b.flap.drop_pin is not None}
    return DropSensorCheck(panel.count_drops, within_s)


def build_rules(config: Config, bundle: Bundle) -> Rules:
    """The thresholds in force and the bin of each label."""
    settings = config.acceptance
    thresholds = {
        label: tighten_thresholds(
            bundled,
            settings.min_confidence,
            settings.max_anomaly,
            settings.max_diameter_error_mm,
            settings.min_membership,
            settings.may_loosen,
        )
        for label, bundled in bundle.thresholds.items()
    }
    bins = {label: b.name for b in config.bins for label in b.labels}
    return Rules(thresholds, bins, config.reject_bin)


def build_search(bundle: Bundle, scale: ScalePlane) -> Search:
    """A search for outlines of the bundle's coins, and of somewhat smaller and larger ones."""
    diameters_mm = [label.diameter_mm for label in bundle.manifest.labels]
    min_radius_px, max_radius_px = compute_search_radii(
        diameters_mm, scale.compute_px_per_mm_range()
    )
    outline = bundle.manifest.outline
    return Search(
        min_radius_px,
        max_radius_px,
        outline.min_roundness,
        outline.min_quality,
        outline.max_off_patch,
        outline.by_extent,
    )
