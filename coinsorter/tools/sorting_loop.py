"""The loop of a machine that sorts: frames, what systemd hears, settings that are read again."""

import logging
from pathlib import Path

from coinsorter.config.schema import Config
from coinsorter.hardware.systemd import SystemdNotifier
from coinsorter.recognition.bundle import Bundle
from coinsorter.sorting.assembly import build_rules
from coinsorter.sorting.machine import Machine
from coinsorter.tools.settings_reload import SettingsReload
from coinsorter.tools.signal_requests import SignalRequests

log = logging.getLogger(__name__)


class SortingLoop:
    """Sorts until a signal says stop or the camera has no more frames.

    config_path: the file of the settings, which SIGHUP reads again.
    """

    def __init__(
        self,
        machine: Machine,
        bundle: Bundle,
        service: SystemdNotifier,
        signals: SignalRequests,
        config_path: Path,
    ) -> None:
        self._machine = machine
        self._bundle = bundle
        self._service = service
        self._signals = signals
        self._config_path = config_path
        self._reload = SettingsReload(config_path, bundle.labels)
        self._reload_problem = ""

    def run(self) -> None:
        """Tells systemd that the machine is ready, and sorts."""
        self._machine.start()
        self._service.report_ready(self.describe_state())
        while not self._signals.stop and self._machine.step():
            self._service.report_alive(self._machine.camera.heartbeat_s, self.describe_state)
            self._reload_settings()

    def describe_state(self) -> str:
        """What the machine does, in one line for `systemctl status`."""
        machine = self._machine
        why = machine.failure or machine.waiting_for
        reason = f": {why}" if why else ""
        if machine.waiting_for:
            reason += "; goes on by itself"
        name = self._bundle.manifest.name
        state = f"{machine.state}{reason}; {machine.coins_seen} things seen with {name}"
        if self._reload_problem:
            return f"{state}; settings not reloaded: {self._reload_problem}"
        return state

    def _reload_settings(self) -> None:
        """Begins to read the settings where SIGHUP came, and takes them when they are read."""
        if self._signals.take_reload():
            self._service.report_reloading()
            self._reload.start()
        result = self._reload.take_result()
        if result is None:
            return
        self._reload_problem = result.problem
        if result.settings:
            self._reload_problem = self._take_rules(result.settings)
        if self._reload_problem:
            log.warning("not reloaded: %s", self._reload_problem)
        self._service.report_ready(self.describe_state())

    def _take_rules(self, settings: Config) -> str:
        """Takes acceptance and labels from the settings; why not, empty where it was done."""
        known_bins = {site.bin for site in self._machine.schedule.sites}
        if {bin_.name for bin_ in settings.bins} - known_bins:
            return f"{self._config_path}: bins are added only at a start"
        self._machine.rules = build_rules(settings, self._bundle)
        log.info("%s: thresholds and labels reloaded; all else only at a start", self._config_path)
        return ""
