"""What the hardware's tests share: a stand-in for lgpio, and settings for a servo driver."""

import sys
from types import ModuleType

import pytest


class LgpioError(Exception):
    """What lgpio calls `error`."""


class Lgpio(ModuleType):
    """Stands in for lgpio: chips with lines, each held by one handle at most.

    pulses: by line, (high, low) in microseconds. broken: lines that take no pulses.
    """

    error = LgpioError

    def __init__(self, labels: dict[int, str]) -> None:
        super().__init__("lgpio")
        self.labels = labels
        self.handles = {}
        self.held = {}
        self.pulses = {}
        self.levels = {}
        self.broken = set()

    def gpiochip_open(self, number):
        if number not in self.labels:
            raise self.error("can not open gpiochip")
        handle = 100 + len(self.handles)
        self.handles[handle] = number
        return handle

    def gpiochip_close(self, handle):
        self.handles[handle] = None

    def gpio_get_chip_info(self, handle):
        return [0, 54, f"gpiochip{self._chip(handle)}", self.labels[self._chip(handle)]]

    def gpio_get_line_info(self, handle, line):
        self._chip(handle)
        return [0, line, 3 if line in self.held else 0, "", "lg" if line in self.held else ""]

    def gpio_claim_output(self, handle, line, level=0):
        self._chip(handle)
        if self.held.setdefault(line, handle) != handle:
            raise self.error("GPIO busy")
        self.levels[line] = level

    def gpio_free(self, handle, line):
        self._own(handle, line)
        del self.held[line]

    def gpio_write(self, handle, line, level):
        self._own(handle, line)
        self.levels[line] = level

    def tx_pulse(self, handle, line, high_us, low_us):
        self._own(handle, line)
        if line in self.broken:
            raise self.error("TX queue full")
        self.pulses[line] = (int.__index__(high_us), int.__index__(low_us))
        self.levels[line] = 1

    def _chip(self, handle):
        if self.handles.get(handle) is None:
            raise self.error("unknown handle")
        return self.handles[handle]

    def _own(self, handle, line):
        self._chip(handle)
        if self.held.get(line) != handle:
            raise self.error("GPIO not allocated")


@pytest.fixture
def lgpio(monkeypatch, tmp_path):
    """A Pi 4's chips."""
    module = Lgpio({0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"})
    monkeypatch.setitem(sys.modules, "lgpio", module)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    return module


def with_driver(config, driver: str, *pins: int):
    """The settings with another driver, and as many bins as pins.

    The flaps are quick, so that no test waits for them.
    """
    flaps = [
        b.flap.model_copy(update={"pin": pin, "travel_ms": 1.0})
        for b, pin in zip(config.bins, pins or [b.flap.pin for b in config.bins])
    ]
    bins = [b.model_copy(update={"flap": flap}) for b, flap in zip(config.bins, flaps)]
    return config.model_copy(
        update={"bins": bins, "servo": config.servo.model_copy(update={"driver": driver})}
    )
