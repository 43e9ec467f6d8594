"""coinsorter calibrate view: the camera's scale, from coins of known size."""

import argparse
from dataclasses import replace
from pathlib import Path

from coinsorter.commands._calibration import add_result_options, name_belt_numbers, report_numbers
from coinsorter.commands._options import Subparsers, add_bundle_option, add_command
from coinsorter.commands._printing import show_progress
from coinsorter.commands.option_values import read_number
from coinsorter.config.load import load_config
from coinsorter.recognition.bundle import load_bundle
from coinsorter.tools.calibrate_view import ViewCalibration, fit_view
from coinsorter.vision.scale import ScalePlane

DETAILS = (
    "Each image shows one coin and lies in a folder named as its label. Take a dozen coins or "
    "more, all over the view, also near its corners. Prints what belongs into config.yaml. With "
    "--write it is put there, and everything else in the file stays as it is."
)
#: The bounds of belt.px_per_mm in config.yaml.
MIN_PX_PER_MM = 0.5
MAX_PX_PER_MM = 50.0


def add_parser(actions: Subparsers) -> None:
    """Adds `coinsorter calibrate view`."""
    summary = "the camera's scale plane, from coins of known size"
    parser = add_command(actions, "view", _run_calibrate_view, summary, DETAILS)
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="the camera's frames, in folders named as their labels",
    )
    add_bundle_option(parser, "the bundle that knows the coins' diameters")
    parser.add_argument(
        "--px-per-mm",
        type=read_number(MIN_PX_PER_MM, MAX_PX_PER_MM),
        metavar="N",
        help="the scale, roughly, where the camera was moved far (default: config.yaml's)",
    )
    add_result_options(parser)


def _run_calibrate_view(options: argparse.Namespace) -> None:
    calibration = _calibrate(options)
    numbers = _numbers(calibration.plane)
    skipped = {str(path): reason for path, reason in calibration.skipped.items()}
    result = {
        **numbers,
        "coins": calibration.coins,
        "scatter": calibration.diameter_mad_std,
        "known_to": calibration.scale_sem,
        "left_out": skipped,
    }
    lines = [f"left out: {path}: {reason}" for path, reason in skipped.items()]
    lines.append(_summary(calibration))
    report_numbers(options, name_belt_numbers(numbers), result, lines)


def _calibrate(options: argparse.Namespace) -> ViewCalibration:
    from coinsorter.images.image_io import list_images

    settings = load_config(options.config)
    bundle = load_bundle(options.bundle or options.config.parent / settings.runtime.bundle)
    rough_scale = settings.scale
    if options.px_per_mm:
        rough_scale = replace(rough_scale, px_per_mm=options.px_per_mm)
    paths = list_images(options.folder)
    with show_progress("measuring", len(paths), options.json) as advance:
        return fit_view(paths, bundle, rough_scale, advance)


def _numbers(plane: ScalePlane) -> dict[str, float]:
    return {
        "px_per_mm": round(plane.px_per_mm, 4),
        "tilt_along_percent": round(100 * plane.tilt_along, 2),
        "tilt_across_percent": round(100 * plane.tilt_across, 2),
        "barrel_percent": round(100 * plane.barrel, 2),
    }


def _summary(calibration: ViewCalibration) -> str:
    diameter_percent = 100 * calibration.diameter_mad_std
    scale_percent = 100 * calibration.scale_sem
    return (
        f"{calibration.coins} coins; one diameter is off by {diameter_percent:.1f} % (standard "
        f"deviation), the scale by {scale_percent:.1f} % at most (standard error)"
    )
