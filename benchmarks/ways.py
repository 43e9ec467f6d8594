"""Every way of calling the programs, as real processes: `python -m benchmarks.ways`.

tests/e2e/ways_of_calling.py lists them: streams that are full, closed or unread, files of every
kind, other users, folders that are gone. Printed are the ways that ended with a traceback, hung,
took too much memory, changed a file of another user's or did not say what is wrong in one line;
then the figures. Ends with 1 where there are any. Takes some minutes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.calling import MAX_MB, MAX_S, Called, Place, call
from tests.e2e.ways_of_calling import WAYS


def main() -> int:
    options = _read_options()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        ways = [way for way in WAYS if options.only in way.name][options.first :: options.every]
        all_called = [_call_and_print(number, way, place) for number, way in enumerate(ways)]
    failing = [called for called in all_called if called.problems]
    slow = [called for called in all_called if called.took_s > MAX_S]
    for called in slow:
        print(f"{called.took_s:.1f} s: {called.way.name}")
    slowest_s = max(called.took_s for called in all_called)
    peak_mb = max(called.peak_mb for called in all_called)
    print(f"{len(all_called)} ways: {len(failing)} wrong, {len(slow)} over {MAX_S:g} s")
    print(f"slowest {slowest_s:.1f} s (bar {MAX_S:g}), at most {peak_mb:.0f} MB (bar {MAX_MB})")
    return 1 if failing or slow else 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.ways", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each so many (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="the first of these (default: 0)")
    parser.add_argument("--only", default="", help="ways whose name has this in it")
    return parser.parse_args()


def _call_and_print(number: int, way: object, place: Place) -> Called:
    called = call(way, place)
    if called.problems:
        print(f"{number}: {way.name}: {'; '.join(called.problems)}", flush=True)
        print("    " + called.err[-1500:].replace("\n", "\n    "), flush=True)
    return called


if __name__ == "__main__":
    sys.exit(main())
