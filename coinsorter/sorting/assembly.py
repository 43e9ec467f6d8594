"""Settings and a bundle -> a machine: how the parts are put together, whatever the camera, the flaps and the clock are."""

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
from coinsorter.vision.detect import Search
from coinsorter.vision.scale import ScaleFollower, ScalePlane
from coinsorter.vision.track import BeltTracker

# Foreign things may be smaller or larger than any coin of the bundle, and have to be seen all the same.
SEARCH_MARGIN = 0.85, 1.2


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

    OpenCV keeps to runtime.threads from then on, in the whole process: more threads cost more than they save on pictures of this size.
    """
    cv2.setNumThreads(config.runtime.threads)
    frame_s = 1 / config.camera.frames_per_s
    cut = partial(crop.cut, spec=bundle.crop)
    sites = [
        FlapSite(b.name, b.flap.distance_mm, b.flap.length_mm, b.flap.travel_ms / 1000)
        for b in config.bins
    ]
    follower = (
        ScaleFollower(config.scale, bundle.facts.fusion.diameter_spread)
        if config.belt.follow_scale
        else None
    )
    return Machine(
        camera=camera,
        tracker=BeltTracker(
            follower.plane if follower else config.scale,
            config.belt.speed_mm_s,
            frame_s,
            cut,
            config.runtime.crops_per_coin,
        ),
        classifier=Classifier(
            bundle, runtime, config.runtime.threads, config.runtime.turns_per_crop
        ),
        rules=build_rules(config, bundle),
        schedule=Schedule(sites, config.belt.speed_tolerance_percent / 100, frame_s),
        flaps=flaps,
        ledger=ledger,
        clock=clock,
        search=build_search(bundle, config.scale),
        follower=follower,
        panel=panel or NoPanel(),
        drop_sensors=build_drop_sensors(config, panel) if panel else None,
    )


def build_drop_sensors(config: Config, panel: Panel) -> DropSensorCheck | None:
    """The drop sensors that are wired, if any."""
    within_s = {b.name: b.flap.drop_ms / 1000 for b in config.bins if b.flap.drop_pin is not None}
    return DropSensorCheck(panel.count_drops, within_s) if within_s else None


def build_rules(config: Config, bundle: Bundle) -> Rules:
    """The limits in force and the bin of each label."""
    wanted = config.acceptance
    limits = (
        wanted.min_confidence,
        wanted.max_anomaly,
        wanted.max_diameter_error_mm,
        wanted.may_loosen,
    )
    thresholds = {
        name: tighten_thresholds(bundled, *limits) for name, bundled in bundle.thresholds.items()
    }
    return Rules(
        thresholds, {label: b.name for b in config.bins for label in b.labels}, config.reject_bin
    )


def build_search(bundle: Bundle, scale: ScalePlane) -> Search:
    """Outlines of the bundle's coins, somewhat smaller and larger ones included, as this view shows them."""
    diameters = [label.diameter_mm for label in bundle.facts.labels]
    smallest, largest = scale.radii_px(
        SEARCH_MARGIN[0] * min(diameters), SEARCH_MARGIN[1] * max(diameters)
    )
    outline = bundle.facts.outline
    return Search(
        smallest,
        largest,
        outline.min_roundness,
        outline.min_quality,
        outline.max_off_patch,
        outline.by_extent,
    )
