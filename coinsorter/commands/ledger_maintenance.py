"""What keeps a ledger: verify, backup, restore, migrate and prune, of `coinsorter ledger`."""

import argparse
import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from coinsorter.commands._ledger_options import add_ledger_options, find_ledger
from coinsorter.commands._options import Subparsers, add_command, add_json_option
from coinsorter.commands.option_values import read_whole_number
from coinsorter.escape import print_clean
from coinsorter.ledger.backup import back_up, migrate, prune, restore
from coinsorter.ledger.ledger import now_utc
from coinsorter.ledger.verification import LedgerReport, verify_ledger

#: Days that rows can be kept at most: a hundred years, as ledger.keep_days in the settings.
MAX_KEEP_DAYS = 36_500

_VERIFY = (
    "Looks at every row, also while the machine runs: the file's pages and references, that no "
    "coin is counted twice and none is missing, that each landed where it was sent, that the "
    "counts are what the rows say, and that all coins seen are in bins, rejected, uncertain or on "
    "their way. Prints a line for each mistake. Exits with 0 for a sound ledger, 1 for mistakes, "
    "66 where there is no ledger, 74 where the file cannot be read."
)
_BACKUP = (
    "Writes the ledger of this moment into one new file, also while the machine runs, and verifies "
    "it. The file is there whole or not at all. Keep it on another disk than the ledger."
)
_RESTORE = (
    "Verifies a copy that `coinsorter ledger backup` has made, and puts it in the ledger's place. "
    "What was there is kept beside it, as ledger.db.replaced-TIME. Refused while the machine runs: "
    "`sudo systemctl stop coinsorter` first. Run it as the user of the service: "
    "`sudo -u coinsorter coinsorter ledger restore FILE`."
)
_MIGRATE = (
    "The machine does this itself at its start; a ledger of millions of rows takes minutes, for "
    "which the service's start does not wait. The old file is kept beside the ledger, as "
    "ledger.db.v1-TIME or ledger.db.v2-TIME, by its format."
)
_PRUNE = (
    "Rows leave in blocks of 4096, the oldest first; the newest block stays. Their counts stay: "
    "`totals`, also by run and by day, are as before. `tail` and `export` show the rows that are "
    "still there. Refused while the machine runs; the setting ledger.keep_days does the same while "
    "it sorts."
)


def add_maintenance(actions: Subparsers) -> None:
    """Adds the actions to `coinsorter ledger`."""
    _add_verify(actions)
    _add_backup(actions)
    _add_restore(actions)
    _add_migrate(actions)
    _add_prune(actions)


def _add_verify(actions: Subparsers) -> None:
    verify = add_command(actions, "verify", _run_verify, "whether the ledger is whole", _VERIFY)
    add_ledger_options(verify)
    add_json_option(verify, "what was found")


def _add_backup(actions: Subparsers) -> None:
    summary = "a copy of the ledger, while the machine runs"
    backup = add_command(actions, "backup", _run_backup, summary, _BACKUP)
    backup.add_argument("to", type=Path, metavar="FILE", help="the copy, a new file")
    add_ledger_options(backup)


def _add_restore(actions: Subparsers) -> None:
    summary = "a copy put in the ledger's place"
    action = add_command(actions, "restore", _run_restore, summary, _RESTORE)
    action.add_argument("copy", type=Path, metavar="FILE", help="the copy")
    add_ledger_options(action)


def _add_migrate(actions: Subparsers) -> None:
    summary = "a ledger of an older version brought to today's format"
    add_ledger_options(add_command(actions, "migrate", _run_migrate, summary, _MIGRATE))


def _add_prune(actions: Subparsers) -> None:
    action = add_command(actions, "prune", _run_prune, "old rows deleted, counts kept", _PRUNE)
    action.add_argument(
        "--keep-days",
        type=read_whole_number(1, MAX_KEEP_DAYS),
        required=True,
        metavar="N",
        help="rows that are older than so many days leave",
    )
    add_ledger_options(action)


def _run_verify(options: argparse.Namespace) -> int:
    path = find_ledger(options)
    report = verify_ledger(path)
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        for line in report.mistakes:
            print_clean(f"{path}: {line}")
        if not report.mistakes:
            print_clean(f"{path}: sound, {_describe(report)}")
    return 1 if report.mistakes else 0


def _run_backup(options: argparse.Namespace) -> None:
    report = back_up(find_ledger(options), options.to)
    print_clean(f"{options.to}: {_describe(report)}")


def _run_restore(options: argparse.Namespace) -> None:
    path = find_ledger(options)
    report, old = restore(path, options.copy, now_utc())
    print_clean(f"{path}: {_describe(report)}")
    if old:
        print_clean(f"the replaced ledger is {old}")


def _run_migrate(options: argparse.Namespace) -> None:
    path = find_ledger(options)
    old = migrate(path, now_utc())
    print_clean(
        f"{path}: the old ledger is {old}" if old else f"{path}: is of today's format already"
    )


def _run_prune(options: argparse.Namespace) -> None:
    path = find_ledger(options)
    rows = prune(path, now_utc() - timedelta(days=options.keep_days))
    print_clean(f"{path}: {rows} rows have left, their counts stay")


def _describe(report: LedgerReport) -> str:
    totals = report.totals
    return (
        f"format {report.format}, {report.rows} rows; {totals['seen']} coins seen: "
        f"{sum(totals['bins'].values())} in bins or rejected, {totals['uncertain']} uncertain, "
        f"{totals['open']} on their way"
    )
