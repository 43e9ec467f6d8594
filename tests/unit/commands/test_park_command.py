"""coinsorter park: every flap, brought to rest."""

from coinsorter.config.load import load_config
from coinsorter.hardware.servos import mock


def test_parking_turns_every_flap_to_its_rest_and_nowhere_else(command, settings, monkeypatch):
    sent = []
    monkeypatch.setattr(mock.MockServos, "pulse", lambda self, pin, us: sent.append((pin, us)))
    assert command("park", "--config", settings)[:2] == (0, "every flap is at rest\n")
    assert {us for _, us in sent if us} == {1500} and [pin for pin, us in sent if us] == [
        bin_.flap.pin for bin_ in load_config(settings).bins
    ]
