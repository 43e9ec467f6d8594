"""trial: what a network does to its interpreter, it does in another process."""

import shutil
import sys

import numpy as np
import pytest

from coinsorter.errors import BundleError
from coinsorter.recognition import trust
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.bundle_files import AUTOENCODER, CLASSIFIER
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import LITERT, list_runtimes, pick_runtime
from tests.conftest import BRL, CROWNS
from tests.unit.recognition.sealed import read_facts, replace_sealed, write_sealed


@pytest.fixture(autouse=True)
def nothing_known(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(trust, "_passed", set())


@pytest.fixture
def unknown(tmp_path):
    """A bundle that does not come with the program, and is sealed."""
    folder = shutil.copytree(CROWNS, tmp_path / "unknown")
    facts = read_facts(folder)
    facts["name"] = "unknown"
    write_sealed(folder, facts)
    return folder


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Lets processes that are started from now on have an interpreter that does something else."""
    if LITERT not in list_runtimes():
        pytest.skip("LiteRT is not installed")

    def write(lines: str) -> None:
        package = tmp_path / "packages" / "ai_edge_litert"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        body = "".join(f"        {line}\n" for line in lines.splitlines())
        (package / "interpreter.py").write_text(
            "import ctypes, os, sys\n"
            "class Interpreter:\n    def __init__(self, **options):\n" + body
        )
        monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])

    return write


def use(folder):
    return Classifier(load_bundle(folder), pick_runtime("auto"))


def test_an_unknown_bundle_is_tried_once_and_then_used(unknown, tmp_path):
    use(unknown).check_golden_crops()
    (line,) = (tmp_path / trust.FILE).read_text().splitlines()
    assert line.startswith(f"{load_bundle(unknown).digest} {pick_runtime('auto')} ")


def test_shipped_bundles_are_not_tried(tmp_path):
    use(CROWNS)
    assert not (tmp_path / trust.FILE).exists()


@pytest.mark.parametrize(
    "lines, complaint",
    [
        ("os.abort()", r"a network crashes litert .SIGABRT.; do not use this bundle"),
        ("ctypes.string_at(0)", r"a network crashes litert .SIGSEGV.; do not use"),
        ("while True: pass", "its networks take too long; do not use"),
        ("bytearray(10**9)", "its networks take too much memory; do not use"),
        ("[bytearray(10**6) for _ in range(10**4)]", "too much memory; do not use"),
        ("raise ValueError('\\x1b[2J')", "classifier does not load on litert: '.x1b.2J'; do not"),
        ("raise KeyError", "its networks do not run on litert; do not use"),
        ("sys.exit(0)", "its networks do not run on litert; do not use"),
        ("os.write(1, b'\"\"'); os.write(2, b'x' * 10**6); os._exit(0)", "do not run on litert"),
        ("syntax error", "cannot be tried: .*SyntaxError"),
    ],
)
def test_what_ends_the_trial_is_one_line_and_this_process_goes_on(
    unknown, interpreter, tmp_path, lines, complaint
):
    bundle = load_bundle(unknown)
    interpreter(lines)
    with pytest.raises(BundleError, match=complaint) as error:
        Classifier(bundle, LITERT)
    assert str(error.value).startswith(f"bundle {unknown}: ") and "\n" not in str(error.value)
    assert not (tmp_path / trust.FILE).exists()


def test_a_bundle_that_passed_is_not_tried_again(unknown, interpreter, monkeypatch):
    use(unknown)
    monkeypatch.setattr(trust, "_passed", set())  # as after a restart
    interpreter("os.abort()")
    use(unknown).check_golden_crops()


@pytest.mark.parametrize(
    "name, source, complaint",
    [
        (CLASSIFIER, BRL / CLASSIFIER, r"classifier answers \[\(6,\), \(128,\)\], not 9 logits"),
        (AUTOENCODER, CROWNS / CLASSIFIER, "autoencoder answers .* not half a crop"),
        (CLASSIFIER, CROWNS / AUTOENCODER, "classifier"),
    ],
)
def test_another_network_with_its_hash_and_a_seal_is_refused(unknown, name, source, complaint):
    replace_sealed(unknown, name, source.read_bytes())
    with pytest.raises(BundleError, match=complaint):
        use(unknown)


def test_a_file_that_is_no_network_is_refused_without_a_trial(unknown):
    replace_sealed(unknown, CLASSIFIER, bytes(1000))
    with pytest.raises(BundleError, match=f"{CLASSIFIER}: is no network of TensorFlow Lite"):
        load_bundle(unknown)


def test_altered_networks_with_hash_and_seal_never_crash_this_process(unknown):
    content = (CROWNS / CLASSIFIER).read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(2):
        altered = bytearray(content)
        for place in rng.integers(8, len(altered), 500):
            altered[place] = rng.integers(256)
        replace_sealed(unknown, CLASSIFIER, bytes(altered))
        with pytest.raises(BundleError, match=str(unknown)):
            use(unknown)


def test_the_trial_needs_no_import_path_but_this_processes_own(unknown, tmp_path, monkeypatch):
    (tmp_path / "elsewhere" / "coinsorter").mkdir(parents=True)
    (tmp_path / "elsewhere" / "coinsorter" / "__init__.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    use(unknown).check_golden_crops()
