"""Every command that README and documents name runs; they say what the program does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.cli import main
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import ROOT, data_folder
from tests.e2e import documents
from tests.e2e.documents import Command

MAX_README_WORDS = 900
REAL = re.compile(r"\b(brl-frames|euro-crops-64|euro-crops)/(\w+)")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, without_hardware) -> Path:
    """A folder as a reader may have one: settings, bundles, photographs, and the commands."""
    folder = tmp_path_factory.mktemp("workshop")
    (folder / "config.yaml").write_text(without_hardware)
    (folder / "models").mkdir()
    for path in (ROOT / "models").iterdir():
        (folder / "models" / path.name).symlink_to(path)
    for name in ("coinsorter", "tools", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    photograph_coins(folder / "photographs", seed=1)
    shutil.copytree(folder / "photographs", folder / "captured")
    photograph_coins(folder / "captured-later", seed=2)
    (folder / "bin").mkdir()
    for name, code in {
        "coinsorter": "from coinsorter.cli import main",
        "coinsorter-train": "from coinsorter.training.train_cli import main",
    }.items():
        write_program(folder / "bin" / name, f"import sys\n{code}\nsys.exit(main())\n")
    write_program(
        folder / "bin" / "python",
        f"import os, sys\nos.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n",
    )
    assert main(["run", "--simulate", "--coins", "4", "--out", str(folder / "demo")]) == 0
    (folder / "var").mkdir()
    shutil.copy(folder / "demo" / "ledger.db", folder / "var")
    return folder


def write_program(path: Path, code: str) -> None:
    path.write_text(
        f"#!{sys.executable}\nif __name__ == '__main__':\n    " + code.replace("\n", "\n    ")
    )
    path.chmod(0o755)


def photograph_coins(folder: Path, seed: int) -> None:
    """Frames of two labels in four bursts each, one coin in each frame."""
    rng = np.random.default_rng(seed)
    for label in ("bit_10", "crown_20"):
        (folder / label).mkdir(parents=True)
        for burst in range(4):
            camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
            for number in range(5):
                sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
                place = (sprite, *rng.uniform(-40, 40, 2))
                pixels = camera.render_frame([place], 30.0 * number)
                name = f"x_{1000 + 500 * burst + 10 * number}.png"
                cv2.imwrite(str(folder / label / name), pixels[..., ::-1])


def bring_photographs(workshop: Path, line: str) -> None:
    """A few real photographs for a command that names them; skips where there are none."""
    for name, part in REAL.findall(line):
        real = data_folder()
        if real is None:
            pytest.skip("no photographs: neither $COINSORTER_DATA nor ../shared/data is there")
        for label in sorted((real / name / part).iterdir()):
            folder = workshop / name / part / label.name
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(label.iterdir())[::10][:12]:
                shutil.copy(path, folder)


@pytest.mark.parametrize("command", list(documents.commands()), ids=str)
def test_a_command_in_the_documents_runs(command: Command, workshop):
    if documents.NOT_OURS.match(command.line):
        return
    if tried := documents.elsewhere(command.line):
        assert_tried_in(*tried)
        return
    line = documents.quick_form(command.line)
    bring_photographs(workshop, line)
    run = subprocess.run(
        line,
        shell=True,
        cwd=workshop,
        env=os.environ
        | {
            "PATH": f"{workshop / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        input=next((text for words, text in documents.TYPED.items() if words in line), ""),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    allowed = documents.STATUS.get(line, {0})
    assert run.returncode in allowed, f"{line}\n{run.stdout[-2000:]}\n{run.stderr[-4000:]}"


def assert_tried_in(path: str, words: str) -> None:
    place = ROOT / path
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert any(words in file.read_text(encoding="utf-8") for file in files)


def test_the_readme_can_be_read_in_one_go():
    words = (ROOT / "README.md").read_text(encoding="utf-8").split()
    assert len(words) <= MAX_README_WORDS


def test_the_readme_shows_the_machine_working():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (path,) = re.findall(r"!\[[^]]*\]\((docs/[^)]+)\)", text)
    assert (ROOT / path).stat().st_size > 10_000
