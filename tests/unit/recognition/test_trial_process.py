"""trial_process: reads a bundle from standard input, and writes whether it can be used."""

import json
import subprocess
import sys

import pytest

from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.bundle_files import CLASSIFIER, GOLDEN, MANIFEST
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.recognition.trial import STARTED, pack_contents
from tests.conftest import BRL, CROWNS, EURO


def run_trial(contents) -> tuple[int, str]:
    """The exit status, and what the process says is wrong."""
    process = subprocess.run(
        [sys.executable, "-m", "coinsorter.recognition.trial_process"],
        input=pack_contents(CROWNS, contents, pick_runtime("auto"), 4),
        capture_output=True,
        check=False,
    )
    started, _, report = process.stdout.partition(b"\n")
    assert started == STARTED
    return process.returncode, json.loads(report)


@pytest.mark.parametrize("path", [CROWNS, BRL, EURO], ids=lambda path: path.name)
def test_shipped_bundles_pass(path):
    assert run_trial(load_bundle(path).contents) == (0, "")


def test_a_network_that_answers_otherwise_is_told(crowns):
    contents = dict(crowns.contents)
    contents[GOLDEN] = load_bundle(EURO).contents[GOLDEN]
    status, problem = run_trial(contents)
    assert status == 0 and "golden crops or answers do not fit" in problem
    contents = {**crowns.contents, CLASSIFIER: b"\x1c\x00\x00\x00TFL3" + bytes(200)}
    assert "classifier does not load" in run_trial(contents)[1]
    contents = {**crowns.contents, MANIFEST: b"["}
    assert "is not YAML" in run_trial(contents)[1]
