"""ports: parts of hardware fit the protocols, and a machine without a panel runs as well."""

import inspect

import pytest

from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.hardware.clock import ManualClock, MonotonicClock
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.panel import GpioPanel
from coinsorter.ledger.background_ledger import BackgroundLedger
from coinsorter.ledger.ledger import Ledger
from coinsorter.sorting import ports


def list_methods(cls: type) -> dict[str, list[str]]:
    """The names of the arguments of every public method."""
    methods = inspect.getmembers(cls, inspect.isfunction)
    return {
        name: list(inspect.signature(method).parameters)
        for name, method in methods
        if not name.startswith("_")
    }


@pytest.mark.parametrize(
    "part, port",
    [
        (FolderCamera, ports.Camera),
        (Flaps, ports.FlapMover),
        (GpioPanel, ports.Panel),
        (ports.NoPanel, ports.Panel),
        (Ledger, ports.CoinLedger),
        (BackgroundLedger, ports.CoinLedger),
        (ManualClock, ports.Clock),
        (MonotonicClock, ports.Clock),
    ],
    ids=lambda cls: cls.__name__,
)
def test_a_part_has_every_method_of_its_port(part, port):
    wanted, methods = list_methods(port), list_methods(part)
    assert wanted.items() <= methods.items()


def test_a_panel_on_which_nothing_is_wired_counts_nothing():
    panel = ports.NoPanel()
    panel.feed(True)
    panel.show("sorting")
    assert panel.count_presses() == panel.count_beam_breaks() == panel.count_drops("a") == 0
