"""A Dask scheduler and its workers on this computer, as real processes."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: Seconds that scheduler and workers may take to start.
START_S = 120.0


@contextmanager
def start_cluster(workers: int, *options: str) -> Iterator[str]:
    """The address of a scheduler with some workers; skips the test where Dask is not installed."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("Dask is not installed: pip install -e '.[cluster]'")
    with tempfile.TemporaryDirectory() as name, ExitStack() as processes:
        folder = Path(name)
        file = folder / "scheduler.json"
        scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        start(processes, folder, *scheduler, "--scheduler-file", str(file))
        address = wait_for_address(file)
        if workers:
            count = ("--nworkers", str(workers)) if workers > 1 else ()
            start(processes, folder, "worker", address, "--no-dashboard", *count, *options)
        yield address


def start(processes: ExitStack, folder: Path, program: str, *options: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{program}", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    processes.callback(process.wait)
    processes.callback(process.terminate)


def wait_for_address(file: Path) -> str:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        if file.exists() and file.stat().st_size:
            return json.loads(file.read_text())["address"]
        time.sleep(0.1)
    raise TimeoutError("the scheduler did not start")
