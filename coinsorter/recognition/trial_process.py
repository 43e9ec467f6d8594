"""The process that tries a bundle: `python -m coinsorter.recognition.trial_process`.

It reads the bundle from standard input, as `trial.pack_contents` packs it, and writes "started",
then in JSON what is wrong with it: "" for nothing.
"""

import json
import os
import resource
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2

from coinsorter.errors import BundleError
from coinsorter.recognition.bundle import Bundle, build_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import import_interpreter
from coinsorter.recognition.trial import STARTED

#: Bytes that a bundle may take beyond the program itself; the largest of ours takes 20 MB.
MAX_DATA_BYTES = 128_000_000
#: Address space beyond the program's: data, and what is reserved and never used.
MAX_ADDRESS_BYTES = 512_000_000
#: Processor time for the golden crops, in that of starting this process: so a slow computer has
#: more. The slowest of ours takes a quarter of it.
MAX_CPU_SHARE = 3.0
#: And at least so much, in seconds.
MIN_CPU_S = 1.0
#: Files that may be open.
MAX_FILES = 64


def main() -> None:
    """Try one bundle."""
    head = json.loads(sys.stdin.buffer.readline())
    contents = {name: sys.stdin.buffer.read(size) for name, size in head["sizes"].items()}
    import_interpreter(head["runtime"])
    cv2.setNumThreads(1)
    sys.stdout.buffer.write(STARTED + b"\n")
    sys.stdout.flush()
    report = os.dup(1)
    _close_output()
    _limit_resources()
    problem = _try_bundle(Path(head["path"]), contents, head["runtime"], head["turns"])
    os.write(report, json.dumps(problem).encode())


def _try_bundle(path: Path, contents: dict[str, bytes], runtime: str, turns: int) -> str:
    try:
        bundle: Bundle = build_bundle(path, contents)
        # without a digest it counts as made here, and is not tried once more
        classifier = Classifier(replace(bundle, digest=""), runtime, turns=turns)
        classifier.check_golden_crops()
    except BundleError as error:
        return str(error).removeprefix(f"bundle {path}: ").split("; ")[0]
    except MemoryError:
        return "its networks take too much memory"
    return ""


def _close_output() -> None:
    """The interpreter's own lines go nowhere."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)


def _limit_resources() -> None:
    """Whatever the bundle asks for, this process takes no more, and leaves nothing behind."""
    pages = [int(count) for count in Path("/proc/self/statm").read_text().split()]
    page = resource.getpagesize()
    _limit(resource.RLIMIT_AS, pages[0] * page + MAX_ADDRESS_BYTES)
    _limit(resource.RLIMIT_DATA, pages[5] * page + MAX_DATA_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, MAX_FILES)
    # the timer's signal ends the process, whatever it is in
    signal.setitimer(signal.ITIMER_PROF, max(MIN_CPU_S, MAX_CPU_SHARE * time.process_time()))


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
