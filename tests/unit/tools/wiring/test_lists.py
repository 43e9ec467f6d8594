"""lists: the pin table and the parts follow from the settings."""

import pytest
import yaml
from hypothesis import given

from coinsorter.config.schema import Config
from coinsorter.tools import wiring
from coinsorter.tools.wiring import lists
from tests.conftest import ROOT
from tests.unit.tools.wiring.machines import (
    BOARD,
    FULL,
    HEADER,
    any_machine,
    machine,
    machines,
    wired,
)


@any_machine
@given(machines())
def test_the_table_has_every_pin_in_use_with_its_place_and_name(of):
    rows = [
        row.strip("| ").split(" | ")
        for row in wiring.render_pin_table(of).split("## ")[0].splitlines()
        if row.startswith("| ")
    ][2:]
    buses = (
        {(3, "GPIO 2", "I2C data", "both"), (5, "GPIO 3", "I2C clock", "both")}
        if of.servo.driver == "pca9685"
        else set()
    )
    used = {
        (HEADER[gpio], f"GPIO {gpio}", name, "output" if driven else "input")
        for gpio, (name, driven) in wired(of).items()
    }
    assert {
        (int(pin), gpio, name, direction) for pin, gpio, name, direction, *_ in rows
    } == used | buses
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)


def counts(of) -> dict[str, int]:
    rows = [
        row.strip("| ").split(" | ")
        for row in wiring.render_parts(of).splitlines()
        if row.startswith("| ")
    ][2:]
    return {part: int(count) for part, count, *_ in rows}


def test_parts_are_counted_from_the_settings():
    assert counts(FULL)["servo"] == counts(FULL)["return spring"] == 8
    assert counts(FULL)["drop or beam sensor"] == 9
    assert {"feeder MOSFET", "resistor 10 kΩ", "button", "LED and resistor 330 Ω"} <= set(
        counts(FULL)
    )
    assert counts(BOARD)["servo board"] == 1


def test_parts_that_nothing_asks_for_are_left_out():
    optional = {
        "servo board",
        "drop or beam sensor",
        "feeder MOSFET",
        "resistor 10 kΩ",
        "button",
        "LED and resistor 330 Ω",
    }
    assert not optional & set(counts(machine([5])))


@pytest.mark.parametrize(
    "servos, fuse, supply", [(1, 1, 2), (2, 2, 3), (5, 4, 6), (6, 5, 7), (8, 7.5, 10), (26, 25, 33)]
)
def test_the_fuse_bears_every_servo_stalled_and_blows_before_the_supply_gives_in(
    servos, fuse, supply
):
    assert (lists.choose_fuse_a(servos), lists.choose_supply_a(servos)) == (fuse, supply)


def test_the_servos_speed_follows_from_the_quickest_flap():
    of = yaml.safe_load((ROOT / "config.yaml").read_text())
    of["bins"][3]["flap"]["travel_ms"] = 60  # for 45 degrees, so 80 ms for 60
    assert "| 0.08 s per 60° or faster" in wiring.render_parts(Config.model_validate(of))
