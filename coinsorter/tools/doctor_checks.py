"""What `doctor` checks: every part of the machine, in the order of its findings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from coinsorter.errors import CoinsorterError
from coinsorter.tools.doctor_device_checks import (
    check_camera,
    check_gpio,
    check_permissions,
    check_servos,
)
from coinsorter.tools.doctor_probe import FAULT, Finding, Observation, Probe
from coinsorter.tools.doctor_software_checks import (
    check_models,
    check_packages,
    check_service,
    check_settings,
    check_versions,
)
from coinsorter.tools.doctor_system_checks import (
    check_clock,
    check_ledger,
    check_memory,
    check_supply,
    check_temperature,
    check_watchdog,
)


@dataclass(frozen=True)
class Check:
    """One part's check.

    observe: may raise a CoinsorterError, which is a fault. needs_settings: left out where
    config.yaml cannot be loaded. is_self_test: looks at no hardware.
    """

    part: str
    observe: Callable[[Probe], Observation]
    needs_settings: bool = False
    is_self_test: bool = False


CHECKS = (
    Check("settings", check_settings, is_self_test=True),
    Check("models", check_models, needs_settings=True, is_self_test=True),
    Check("packages", check_packages, needs_settings=True, is_self_test=True),
    Check("service", check_service),
    Check("camera", check_camera, needs_settings=True),
    Check("gpio", check_gpio, needs_settings=True),
    Check("servos", check_servos, needs_settings=True),
    Check("permissions", check_permissions),
    Check("ledger", check_ledger, needs_settings=True),
    Check("watchdog", check_watchdog),
    Check("clock", check_clock),
    Check("temperature", check_temperature),
    Check("supply", check_supply),
    Check("memory", check_memory),
    Check("versions", check_versions),
)


def run_checks(probe: Probe, with_hardware: bool = True) -> Iterator[Finding]:
    """Every finding, as soon as it is there.

    with_hardware: False to look at settings, models and packages only.
    """
    for check in CHECKS:
        is_possible = probe.config is not None or not check.needs_settings
        if is_possible and (with_hardware or check.is_self_test):
            yield run_check(probe, check)


def run_check(probe: Probe, check: Check) -> Finding:
    """The finding of one check.

    An error is a fault, in its own words: what stands after its last semicolon is the remedy.
    """
    try:
        observation = check.observe(probe)
    except CoinsorterError as error:
        observation = _observe_error(error)
    return Finding(check.part, observation.state, observation.what, observation.remedy)


def _observe_error(error: CoinsorterError) -> Observation:
    what, _, remedy = str(error).rpartition("; ")
    if not what:
        return Observation(FAULT, remedy)
    return Observation(FAULT, what, remedy)
