"""Every option that names a file or folder, and whether its command writes there.

A new option of either program needs an entry here; `test_outputs.py` tries those that write.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from coinsorter import cli

#: Options that are only read, by program and command.
READS = {
    ("*", "--config"),
    ("*", "--bundle"),
    ("*", "--ledger"),
    ("coinsorter check", "config"),
    ("coinsorter replay", "folder"),
    ("coinsorter calibrate view", "folder"),
    ("coinsorter ledger restore", "copy"),
    ("coinsorter-train bundle", "data"),
    ("coinsorter-train bundle", "--recipe"),
    ("coinsorter-train bundle", "--anomalies"),
    ("coinsorter-train bundle", "--foreign"),
    ("coinsorter-train gate", "bundle"),
    ("coinsorter-train gate", "data"),
    ("coinsorter-train gate", "--foreign"),
    ("coinsorter-train calibrate", "bundle"),
    ("coinsorter-train calibrate", "data"),
    ("coinsorter-train calibrate", "--anomalies"),
    ("coinsorter-train teach", "bundle"),
    ("coinsorter-train teach", "crops"),
    ("coinsorter-train prepare", "sources"),
    ("coinsorter-train evaluate", "bundle"),
    ("coinsorter-train evaluate", "data"),
    ("coinsorter-train evaluate", "--scale-from"),
    ("coinsorter-train features", "data"),
    ("coinsorter-train features", "--test"),
}
#: Options that name a file to write.
FILES = {
    ("coinsorter snap", "--out"),
    ("coinsorter replay", "--events"),
    ("coinsorter ledger backup", "to"),
    ("coinsorter ledger export", "--to"),
    ("coinsorter-train features", "--svm"),
}
#: Options that name a folder to write into, and names that are written there.
FOLDERS = {
    ("coinsorter run", "--out"): ("ledger.db", "contact-sheet.png"),
    ("coinsorter wiring", "--out"): ("pins.md", "wiring.svg"),
    ("coinsorter capture", "--out"): (),
    ("coinsorter seal", "bundle"): ("bundle.sha256",),
    ("coinsorter-train bundle", "--out"): ("bundle.yaml",),
    ("coinsorter-train gate", "--out"): ("bundle.yaml",),
    ("coinsorter-train calibrate", "--out"): ("bundle.yaml",),
    ("coinsorter-train teach", "--out"): ("bundle.yaml",),
    ("coinsorter-train prepare", "--out"): ("journal.jsonl",),
    ("coinsorter-train evaluate", "--out"): ("report.html", "metrics.json"),
    ("coinsorter-train features", "--out"): ("report.html", "features.csv"),
}


def list_path_options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The command and the option of everything in a parser that is a path."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                yield from list_path_options(child)
        elif action.type is Path:
            yield parser.prog, action.option_strings[-1] if action.option_strings else action.dest


def list_machine_options() -> list[tuple[str, str]]:
    """Those of `coinsorter`."""
    return list(list_path_options(cli._make_parser([])))


def list_training_options() -> list[tuple[str, str]]:
    """Those of `coinsorter-train`."""
    from coinsorter.training import train_cli

    return list(list_path_options(train_cli._make_parser()))
