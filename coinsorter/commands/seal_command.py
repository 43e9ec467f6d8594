"""coinsorter seal: the seal of a bundle whose bundle.yaml was changed on purpose."""

import argparse
from pathlib import Path

from coinsorter.commands._options import Subparsers, add_command, add_interpreter_option
from coinsorter.errors import BundleError, InputError
from coinsorter.escape import print_clean
from coinsorter.recognition.bundle import read_bundle
from coinsorter.recognition.bundle_files import MANIFEST, SEAL, read_bundle_file
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.recognition.seal import compute_digest, name_changes, read_seal, write_seal

DETAILS = (
    "Checks the bundle as `run` does at its start, its golden crops too, then writes the SHA-256 "
    "of its bundle.yaml into bundle.sha256. For a bundle whose bundle.yaml you changed yourself, "
    "and for one that is older than seals. Until then, a changed bundle is refused."
)


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter seal`."""
    summary = "accept a change of a bundle's bundle.yaml"
    parser = add_command(commands, "seal", _run_seal, summary, DETAILS)
    parser.add_argument(
        "bundle", type=Path, metavar="BUNDLE", help="the bundle's folder, such as models/brl"
    )
    add_interpreter_option(parser)


def _run_seal(options: argparse.Namespace) -> None:
    folder = options.bundle
    text = read_bundle_file(folder, MANIFEST)
    changes = _describe_changes(folder, text)
    bundle = read_bundle(folder, text)
    interpreter = pick_runtime(options.interpreter or "auto")
    Classifier(bundle, interpreter).check_golden_crops()
    try:
        write_seal(folder, text)
    except OSError as error:
        raise InputError(
            f"{folder / SEAL}: cannot be written: {error.strerror}; check who may write there"
        ) from error
    print_clean(f"{folder}: sealed ({changes}), sha256 {bundle.digest}")


def _describe_changes(folder: Path, text: bytes) -> str:
    """What was changed since the last seal, in words."""
    try:
        digest, parts = read_seal(folder)
    except BundleError:
        return "for the first time"
    if digest == compute_digest(text):
        return "nothing was changed"
    return f"changed: {name_changes(text, parts)}"
