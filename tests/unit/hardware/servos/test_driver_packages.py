"""The packages that a servo driver needs, as setup.cfg names them."""

import configparser

import pytest

from coinsorter.config.checks import SERVO_PINS
from coinsorter.hardware.servos.driver_packages import list_missing_packages
from tests.conftest import ROOT


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes packages known to Python: by name what each requires."""

    def install(packages: dict[str, list[str]]) -> None:
        for name, requires in packages.items():
            folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
            folder.mkdir()
            lines = [
                "Metadata-Version: 2.1",
                f"Name: {name}",
                "Version: 1.0",
                *(f"Requires-Dist: {one}" for one in requires),
            ]
            (folder / "METADATA").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


NEEDS = [
    'pin-maker>=1.0; extra == "fine"',
    'board-maker >= 2 ; extra == "board"',
    'bus.maker[all]~=1; extra == "board"',
    "pip>=1",
]


@pytest.mark.parametrize(
    "there, driver, missing",
    [
        ([], "gpio", []),
        ([], "fine", ["pin-maker>=1.0"]),
        ([], "board", ["board-maker >= 2", "bus.maker[all]~=1"]),
        (["bus.maker"], "board", ["board-maker >= 2"]),
        (["pin-maker", "bus.maker", "board-maker"], "board", []),
        (["pin-maker"], "fine", []),
    ],
)
def test_packages_that_a_driver_needs_and_are_not_installed_are_listed(
    installed, there, driver, missing
):
    installed({"coinsorter": NEEDS, **{name: [] for name in there}})
    assert list_missing_packages(driver) == missing


def test_setup_cfg_has_an_extra_for_every_driver_that_needs_one():
    """Those of the others come with every release, or with apt."""
    project = configparser.ConfigParser()
    project.read(ROOT / "setup.cfg")
    assert SERVO_PINS.keys() & project["options.extras_require"].keys() == SERVO_PINS.keys() - {
        "gpio",
        "mock",
    }
