"""A bundle that is not known yet is tried in a process of its own, before it is used here.

A network is a program for the interpreter, which checks little of it: an altered one may crash the
process, ask for all memory, or never end. What passes its golden crops in a process of its own,
within limits, is used here, from the same bytes.
"""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from coinsorter.errors import BundleError
from coinsorter.recognition import trust
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.runtime import read_version
from coinsorter.recognition.seal import SHIPPED_DIGESTS

#: Seconds after which a trial is given up that uses no processor time, which has its own limit.
MAX_TRIAL_S = 30.0
#: The last characters of what a process wrote before it could not start.
_MAX_WORDS_LENGTH = 200


def ensure_tried(bundle: Bundle, runtime: str, turns: int) -> None:
    """Check that a bundle's networks can be used, in a process of its own unless it is known.

    runtime, turns: as for `Classifier`. Raises BundleError where they crash the interpreter, take
    too much memory or time, or do not answer the golden crops. Bundles that come with the program,
    those that passed before and those made in this process are known.
    """
    if not bundle.digest or bundle.digest in SHIPPED_DIGESTS:
        return
    version = read_version(runtime)
    trial = f"{bundle.digest} {runtime} {version} {turns} {platform.machine()}"
    if trust.is_remembered(trial):
        return
    _try(bundle, runtime, turns)
    trust.remember(trial)


def _try(bundle: Bundle, runtime: str, turns: int) -> None:
    problem = "its networks take too long"
    try:
        process = subprocess.run(
            # -P: nothing is imported from the folder that the program was started in
            [sys.executable, "-P", "-m", "coinsorter.recognition.trial_process"],
            input=pack_contents(bundle.path, bundle.contents, runtime, turns),
            capture_output=True,
            env=_make_environment(),
            timeout=MAX_TRIAL_S,
            check=False,
        )
        problem = _find_problem(process, runtime)
    except subprocess.TimeoutExpired:
        pass
    except OSError as error:
        problem = f"its networks cannot be tried: {error.strerror}"
    if problem:
        raise BundleError(
            f"bundle {bundle.path}: {problem}; do not use this bundle, copy or train it again"
        )


def _make_environment() -> dict[str, str]:
    """This process's, with its import path, and without systemd's socket."""
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    # the empty path is the folder that we are in
    paths = (os.path.abspath(path) for path in sys.path)  # noqa: PTH100
    return environment | {"PYTHONPATH": os.pathsep.join(paths)}


def _find_problem(process: "subprocess.CompletedProcess[bytes]", runtime: str) -> str:
    """What kept a bundle from passing its trial; empty where it passed."""
    started, _, report = process.stdout.partition(b"\n")
    if started != STARTED:
        words = process.stderr.decode("utf-8", "replace")[-_MAX_WORDS_LENGTH:].split()
        return f"its networks cannot be tried: {' '.join(words)!a}"
    if process.returncode == -signal.SIGPROF:
        return "its networks take too long"
    if process.returncode < 0:
        return f"a network crashes {runtime} ({_name_signal(-process.returncode)})"
    problem: str = json.loads(report) if report else f"its networks do not run on {runtime}"
    return problem


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# What goes to the process, and comes back from it.
#: Its first line, once all is imported.
STARTED = b"started"


def pack_contents(path: Path, contents: Mapping[str, bytes], runtime: str, turns: int) -> bytes:
    """A bundle's files as one text: a line of JSON, then their contents."""
    sizes = {name: len(content) for name, content in contents.items()}
    head = {"path": str(path), "runtime": runtime, "turns": turns, "sizes": sizes}
    return b"\n".join([json.dumps(head).encode(), b"".join(contents.values())])
