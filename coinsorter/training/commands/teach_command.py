"""coinsorter-train teach: one label more for a bundle, from a few crops, without training."""

import argparse
from pathlib import Path

from pydantic import ValidationError

from coinsorter.commands._options import Subparsers, add_force_option
from coinsorter.commands.option_values import read_number
from coinsorter.errors import InputError
from coinsorter.escape import print_clean
from coinsorter.training.commands._training_options import add_command, check_apart
from coinsorter.training.export.bundle_in_use import claim_bundle

DESCRIPTION = """\
Adds a label to a bundle without training: its coins are known by where the
classifier puts them (nearest class mean) and by their reliefs. Three crops do,
thirty of several coins do better. All else stays as it is. The label is
provisional: its thresholds are the strictest of the other labels', until
`coinsorter-train calibrate` has set them on photographs of all labels.
"""
EXAMPLES = """\
examples:
  coinsorter-train teach models/brl 200 crops/200 --diameter 28 --value 2 --currency BRL \\
      --out models/brl-taught
  coinsorter-train teach models/first token a.png b.png c.png --diameter 24 --out models/second
"""


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter-train teach`."""
    summary = "add a label to a bundle from a few crops, without training"
    parser = add_command(commands, "teach", _run_teach, summary, DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "bundle", type=Path, metavar="BUNDLE", help="the model bundle's folder, such as models/brl"
    )
    parser.add_argument("label", metavar="LABEL", help="the new label's name")
    parser.add_argument(
        "crops",
        nargs="+",
        type=Path,
        metavar="CROPS",
        help="images that one of its coins fills, or folders of such",
    )
    parser.add_argument(
        "--diameter",
        type=read_number(5, 100),
        required=True,
        metavar="MM",
        help="as the mint states it",
    )
    parser.add_argument(
        "--value", type=read_number(0, 1e6), default=0.0, metavar="N", help="default: 0"
    )
    parser.add_argument("--currency", default="", metavar="NAME", help="such as BRL")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the bundle that knows it"
    )
    add_force_option(parser)


def _run_teach(options: argparse.Namespace) -> None:
    check_apart(options.out, options.bundle, *options.crops)
    claim = claim_bundle(options.out, options.force)
    from coinsorter.recognition.bundle import Label
    from coinsorter.training.teach import teach_label

    fields = {
        "name": options.label,
        "value": options.value,
        "currency": options.currency,
        "diameter_mm": options.diameter,
    }
    try:
        label = Label.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"label {options.label!r}: {first['loc'][0]}: {first['msg']}") from error
    manifest = teach_label(options.bundle, label, options.crops, options.out, claim)
    taught = manifest.labels[-1].taught
    print_clean(
        f"{options.out}: knows {options.label} by {taught} crops, provisionally: set its "
        "thresholds by `coinsorter-train calibrate` on photographs of all labels"
    )
