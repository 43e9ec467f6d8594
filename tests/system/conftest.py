"""An emulated Raspberry Pi for the installed machine.

It is Debian with its real systemd, booted for every run, without a network.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coinsorter.recognition import bundle
from tests.conftest import BRL, ROOT
from tests.system import kernel, photographs

GUEST = Path(__file__).parent / "guest"
# What a checkout needs to hold to be installed, and to be tested.
SOURCES = [
    "Makefile",
    "packaging",
    "coinsorter",
    "models",
    "systemd",
    "config.yaml",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
]
SOURCES += ["tests", "firmware", "benchmarks", "docs", "tools", "CONTRIBUTING.md", "RELEASING.md"]
# The guest's wheels take the place of the network, and it has no packages of a Pi's own.
INSTALL = "make install APT=no PIP_ARGS='--no-index --find-links /opt/wheels'"
# coinsorter's own Python is the system's, as on a Pi
PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)


def rig_script() -> Path | None:
    """What boots the emulated Pi, or None."""
    for place in (os.environ.get("COINSORTER_RIG"), ROOT.parent / "shared" / "rig"):
        if place and (Path(place) / "rig.sh").is_file():
            return Path(place) / "rig.sh"
    return None


@dataclass(frozen=True)
class Outcome:
    """A finished run: exit status, what it printed, its journal, and its folder rig-out."""

    status: int
    printed: str
    journal: str
    left: Path

    def text(self, name: str) -> str:
        return (self.left / name).read_text()

    def json(self, name: str) -> Any:
        return json.loads(self.text(name))


class Rig:
    """Runs scripts as root on a freshly booted Pi, beside the project's sources and `guest`."""

    def __init__(self, script: Path, folder: Path) -> None:
        self._script = script
        self._folder = folder
        self._runs = 0
        self._boots: dict[str, str] = {}
        self._built = kernel.built_folder()

    def run(
        self,
        script: str,
        files: Path | None = None,
        backend: str = "ns",
        timeout_s: int = 300,
        disk: Path | None = None,
        unplug_s: float | None = None,
        memory: str = "1536M",
    ) -> Outcome:
        """Boots, runs a bash script up to its first failure, and fetches what it left in rig-out.

        files: a folder that the script finds as `given`. disk: a Pi's card, kept from run to run;
        such a Pi has a checkout only from its first run. unplug_s: pull the plug so long after the
        script first prints something; then only what was printed is fetched.
        """
        self._runs += 1
        out = self._folder / f"run-{self._runs}"
        work = self._helpers() if disk and disk.exists() else self._sources()
        shutil.rmtree(work / "given", ignore_errors=True)
        if files:
            shutil.copytree(files, work / "given")
        whole = "\n".join(
            [
                "set -eu",
                f"export PATH={PATH}",
                "test ! -d guest/tools || cp guest/tools/* /usr/bin/",
                "mkdir -p rig-out",
                script,
            ]
        )
        options = ["-b", backend, "-w", str(work), "-t", str(timeout_s), "-o", str(out)]
        options += ["-d", str(disk)] if disk else []
        options += ["-p", str(unplug_s)] if unplug_s is not None else []
        environment = {**os.environ, "RIG_DIR": str(self._built), "RIG_MEM": memory}
        done = subprocess.run(
            ["bash", str(self._script), "run", *options, whole],
            capture_output=True,
            text=True,
            env=environment,
        )
        journal = out / "journal.txt"
        return Outcome(
            done.returncode,
            done.stdout + done.stderr,
            journal.read_text() if journal.exists() else "",
            out / "rig-out",
        )

    def needs(self, backend: str) -> None:
        """Skips a test whose kind of Pi does not boot on this computer, with what it said."""
        if backend not in self._boots:
            self._boots[backend] = self._says(backend)
        if (
            self._boots[backend]
            and backend == "uml"
            and (other := kernel.patch_for_amx(self._folder / "patched"))
        ):
            self._built = other
            self._boots[backend] = self._says(backend)
        if self._boots[backend]:
            pytest.skip(
                f"the emulated Raspberry Pi {backend} does not boot on this computer: "
                f"{self._boots[backend]}"
            )

    def _says(self, backend: str) -> str:
        """What a kind of Pi says at last that does not boot; "" if it does."""
        done = self.run("true", backend=backend, timeout_s=90)
        return "" if done.status == 0 else done.printed.strip().splitlines()[-1]

    def _sources(self) -> Path:
        work = self._folder / "work"
        if not work.exists():
            for name in SOURCES:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                work.mkdir(exist_ok=True)
                copy(ROOT / name, work / name)
            shutil.copytree(GUEST, work / "guest")
            (work / "guest" / "tools").mkdir()
            for name in filter(shutil.which, ("make", "dtc")):  # which the guest has not
                shutil.copy(shutil.which(name), work / "guest" / "tools")
        return work

    def _helpers(self) -> Path:
        work = self._folder / "helpers"
        if not work.exists():
            shutil.copytree(GUEST, work / "guest")
        return work


@pytest.fixture(scope="session")
def rig(tmp_path_factory) -> Rig:
    script = rig_script()
    if script is None:
        pytest.skip(
            "no emulated Raspberry Pi: neither $COINSORTER_RIG nor ../shared/rig has a rig.sh"
        )
    if os.geteuid() != 0:
        pytest.skip("the emulated Raspberry Pi can only be booted by root")
    built = subprocess.run(
        ["bash", str(script), "build", "ns", "uml"], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return Rig(script, tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="session")
def card(rig: Rig, data: Path, tmp_path_factory) -> Path:
    """The disk of a Pi with the installed machine, to be copied; its camera shows real coins."""
    rig.needs("uml")
    folder = tmp_path_factory.mktemp("card")
    (folder / "given" / "frames").mkdir(parents=True)
    (folder / "given" / "config.yaml").write_text(photographs.settings())
    photographs.write_frames(
        photographs.coins(data, bundle.load_bundle(BRL), 6, 1), folder / "given" / "frames"
    )
    outcome = rig.run(
        f"bash guest/pi/setup {photographs.FRAMES_PER_S}",
        files=folder / "given",
        backend="uml",
        disk=folder / "disk",
    )
    assert outcome.status == 0, outcome.printed
    return folder / "disk"
