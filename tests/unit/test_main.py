"""`python -m coinsorter` is the `coinsorter` command."""

import subprocess
import sys

from coinsorter import __version__
from tests.conftest import ROOT


def test_the_package_runs_as_the_command():
    finished = subprocess.run(
        [sys.executable, "-m", "coinsorter", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout == f"coinsorter {__version__}\n"
