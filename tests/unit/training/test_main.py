"""`python -m coinsorter.training` is the `coinsorter-train` command."""

import subprocess
import sys

from coinsorter import __version__
from tests.conftest import ROOT


def test_the_training_package_runs_as_the_command():
    words = [sys.executable, "-m", "coinsorter.training", "--version"]
    finished = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout == f"coinsorter-train {__version__}\n"
