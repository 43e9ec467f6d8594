"""`make arm64`: wheels for a Pi resolve, and bundles give their golden answers on emulated ARM.

For each Raspberry Pi OS, Debian's own packages for arm64 are unpacked and the wheels that setup.cfg
asks for are put beside them, once, in the user's cache. Then its Python runs this checkout under
qemu's user mode. Nothing of the emulated system is installed or started here.
"""

import configparser
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from tests.conftest import ROOT

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "coinsorter-arm64"
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
}  # and the packages that they come with
PROCESSOR = "cortex-a72"  # a Pi 4's
# What Linux says of its first core. qemu shows this computer's own, which crashes LiteRT 2.3.
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""


@dataclass(frozen=True)
class System:
    """One Raspberry Pi OS.

    glibc: its minor version, which says what wheels it takes. extra: of setup.cfg.
    """

    suite: str
    python: str
    glibc: int
    extra: str
    runtimes: str


SYSTEMS = (
    System("bookworm", "3.11", 36, "tflite", "tflite-runtime,litert"),
    System("trixie", "3.13", 41, "", "litert"),
)


def main() -> None:
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise SystemExit(
            f"make arm64: {' and '.join(TOOLS.values())} are needed; "
            f"run `sudo apt install {' '.join(missing)}`"
        )
    if os.geteuid() != 0:
        raise SystemExit(
            "make arm64: only root may unpack another system's packages; run `sudo make arm64`"
        )
    passed = [
        _check_golden(system, _build(system)) for system in SYSTEMS
    ]  # all, even after a failure
    if not all(passed):
        raise SystemExit(1)


def requirements(system: System) -> list[str]:
    """What setup.cfg wants on a Pi with that system.

    pip itself would decide its conditions by this computer's Python.
    """
    options = configparser.ConfigParser()
    options.read(ROOT / "setup.cfg")
    lines = options["options"]["install_requires"] + options["options.extras_require"].get(
        system.extra, ""
    )
    wanted = [Requirement(line) for line in lines.splitlines() if line and not line.startswith("#")]
    pi = {"python_version": system.python, "sys_platform": "linux", "platform_machine": "aarch64"}
    return [
        f"{one.name}{one.specifier}"
        for one in wanted
        if one.marker is None or one.marker.evaluate(pi)
    ]


def _build(system: System) -> Path:
    """The folder with that system's packages and the wheels, made if it is not there yet."""
    wanted = requirements(system)
    folder = CACHE / f"{system.suite}-{hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:12]}"
    if not folder.exists():
        print(f"{system.suite}: fetching Debian's packages and wheels (once)", flush=True)
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        _unpack(system, part)
        _add_wheels(system, wanted, part / "wheels")
        part.rename(folder)
    return folder


def _unpack(system: System, folder: Path) -> None:
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=extract",
            "--arch=arm64",
            "--include=python3,libstdc++6",
            system.suite,
            folder,
        ],
        check=True,
    )
    if not (folder / "lib").exists():  # what Debian 13 leaves to a script of its packages
        (folder / "lib").symlink_to("usr/lib")
    (folder / "proc").mkdir(exist_ok=True)
    (folder / "proc" / "cpuinfo").write_text(CPUINFO)


def _add_wheels(system: System, wanted: list[str], folder: Path) -> None:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-warn-conflicts",
        "--no-compile",
    ]
    kind = [
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={system.python}",
        f"--target={folder}",
    ]
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(17, system.glibc + 1)]
    subprocess.run(
        [*pip, *kind, *platforms, "--platform=manylinux2014_aarch64", *wanted], check=True
    )


def _check_golden(system: System, folder: Path) -> bool:
    where = f"{system.suite}, Python {system.python} on arm64 (emulated)"
    bundles = sorted(path.parent for path in (ROOT / "models").glob("*/bundle.yaml"))
    python = [
        "qemu-aarch64-static",
        "-cpu",
        PROCESSOR,
        "-L",
        folder,
        folder / f"usr/bin/python{system.python}",
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}/wheels:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [*python, "-m", "tests.arm64.golden", where, system.runtimes, *bundles],
        cwd=ROOT,
        env=environment,
    )
    if done.returncode < 0:
        print(f"{where}: FAIL: ended by signal {-done.returncode}")
    return done.returncode == 0


if __name__ == "__main__":
    main()
