"""Which parts doctor looks at, in which order, and what becomes of a check that fails."""

import pytest

from coinsorter.errors import CameraError
from coinsorter.tools.doctor_checks import CHECKS, Check, run_check, run_checks
from coinsorter.tools.doctor_probe import FAULT, OK, Finding, load_probe, report_ok


def find_parts(probe, **options) -> list[str]:
    return [finding.part for finding in run_checks(probe, **options)]


def test_every_part_has_a_finding_in_the_order_of_the_checks(make_probe):
    assert find_parts(make_probe()) == [check.part for check in CHECKS]


def test_without_hardware_only_settings_models_and_packages_are_looked_at(make_probe):
    assert find_parts(make_probe(), with_hardware=False) == ["settings", "models", "packages"]


def test_a_machine_without_settings_is_examined_as_far_as_it_can_be(tmp_path):
    probe = load_probe(tmp_path / "none.yaml", lambda settings: None)
    states = {finding.part: finding.state for finding in run_checks(probe)}
    assert states["settings"] == FAULT and states["versions"] == OK
    assert not {"camera", "models", "gpio", "ledger"} & set(states)


def test_an_observation_becomes_a_finding_of_its_part(make_probe):
    check = Check("belt", lambda probe: report_ok("runs"))
    assert run_check(make_probe(), check) == Finding("belt", OK, "runs")


@pytest.mark.parametrize(
    "message, what, remedy",
    [
        ("gone; check its cable", "gone", "check its cable"),
        ("gone; found: none; check its cable", "gone; found: none", "check its cable"),
        ("gone", "gone", ""),
    ],
)
def test_an_error_is_a_fault_whose_remedy_is_behind_the_last_semicolon(
    make_probe, message, what, remedy
):
    def fail(probe):
        raise CameraError(message)

    finding = run_check(make_probe(), Check("camera", fail))
    assert finding == Finding("camera", FAULT, what, remedy)
