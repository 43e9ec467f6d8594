"""What tests of tools share: a machine for `doctor` to look at, and photographs of discs."""

import signal
from pathlib import Path

import cv2
import pytest

from coinsorter.config.load import load_config
from coinsorter.errors import CameraError
from coinsorter.tools.doctor_probe import Probe
from coinsorter.vision.scale import ScalePlane
from tests.conftest import CONFIG, CROWNS, draw_disc

SERVICE_STATE = "show --property=ActiveState"  # part of the command that reads the service
SOUND_ANSWERS = {
    "is-active": "inactive",
    SERVICE_STATE: "ActiveState=inactive\nSubState=dead\nNRestarts=0\nResult=success",
    "NTPSynchronized": "yes",
    "RuntimeWatchdogUSec": "15s",
}
SOUND_FILES = {
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
    "proc/meminfo": "MemTotal: 3884444 kB\nMemAvailable: 3100000 kB\n"
    "CmaTotal: 524288 kB\nCmaFree: 500000 kB\n",
    "dev/watchdog0": "",
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
}

# Where a camera that is not quite square to the belt sees coins of these labels and diameters.
TRUE_SCALE = ScalePlane(3.7, -0.06, 0.03, 640, 480, barrel=-0.04)
DIAMETERS = {"bit_10": 18.0, "crown_1": 22.5, "crown_20": 27.5}
PLACES = [(x, y) for x in (70, 240, 400, 570) for y in (70, 240, 410)]


def photograph_discs(folder: Path, plane: ScalePlane = TRUE_SCALE, places=PLACES) -> None:
    """Writes images of discs of known size, in folders named as their labels."""
    for number, (x, y) in enumerate(places):
        label, diameter_mm = list(DIAMETERS.items())[number % len(DIAMETERS)]
        (folder / label).mkdir(parents=True, exist_ok=True)
        image = draw_disc(x, y, plane.px_per_mm_at(x, y) * diameter_mm / 2, 640, 480)
        cv2.imwrite(str(folder / label / f"{number:03}.png"), image[..., ::-1])


def open_no_camera():
    raise CameraError("no camera: gone; check its cable")


def write_files(root, files) -> None:
    """Writes files below a folder; those of None are removed."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)


@pytest.fixture(autouse=True)
def _signals_as_before():
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers):
        signal.signal(number, handler)


@pytest.fixture
def make_probe(tmp_path):
    """Makes a probe of a sound machine without a camera, but for what is changed.

    open_camera: replaces the camera. answers, files: replace those of the sound machine, by name.
    Other arguments replace sections of the settings.
    """
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text().replace("models/crowns", str(CROWNS)))
    shipped = load_config(path)

    def make(open_camera=open_no_camera, answers=None, files=None, **sections) -> Probe:
        write_files(tmp_path / "root", SOUND_FILES | (files or {}))
        known = SOUND_ANSWERS | (answers or {})

        def run(words: list[str]) -> str | None:
            line = " ".join(words)
            return next((answer for part, answer in known.items() if part in line), None)

        settings = shipped.model_copy(update=sections)
        return Probe(path, settings, open_camera, tmp_path / "root", run)

    return make
