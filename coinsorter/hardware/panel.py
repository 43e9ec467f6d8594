"""What else is wired besides the flaps: feeder, beam, stop button, status LED, and a sensor at a bin's mouth. Each may be missing."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from gpiozero import LED, Button, DigitalInputDevice, DigitalOutputDevice

from coinsorter.config.schema import Config
from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip

# A thumb's contact bounces for some milliseconds. A coin of 16 mm that falls at 2 m/s covers a sensor for 8 ms, a token's rim for less.
BUTTON_BOUNCE_S, SENSOR_BOUNCE_S = 0.05, 0.002
# How long the status LED is on, and off; sorting is on all the time.
SLOW_S, FAST_S = 1.0, 0.15


class GpioPanel:
    """The machine's feeder, LED, button and sensors; what config.yaml has no pin for does nothing and never tells of anything.

    Nothing is switched on by opening it. pin_factory: gpiozero's; None for the Pi's own pins. now_s: seconds on the monotonic clock.
    Failures are FlapErrors that name the option.
    """

    def __init__(
        self, config: Config, pin_factory: Any = None, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        panel = config.panel
        drops = {
            bin_.name: (f"bins[{index}].flap.drop_pin", bin_.flap.drop_pin)
            for index, bin_ in enumerate(config.bins)
        }
        wired = [
            panel.feeder_pin,
            panel.beam_pin,
            panel.stop_pin,
            panel.status_led_pin,
            *(pin for _, pin in drops.values()),
        ]
        self._own = (
            gpio_chip.open_pin_factory()
            if pin_factory is None and any(pin is not None for pin in wired)
            else None
        )
        self._factory = pin_factory or self._own
        self._now_s = now_s
        self._devices: list[Any] = []
        try:
            self._feeder = self._open("panel.feeder_pin", panel.feeder_pin, DigitalOutputDevice)
            self._led = self._open("panel.status_led_pin", panel.status_led_pin, LED)
            self._beam = self._edges("panel.beam_pin", panel.beam_pin, _sensor)
            self._stop = self._edges("panel.stop_pin", panel.stop_pin, _button)
            self._drops = {
                name: self._edges(option, pin, _sensor) for name, (option, pin) in drops.items()
            }
        except FlapError:
            self.close()
            raise

    def feed(self, on: bool) -> None:
        """Lets the feeder feed, or stops it."""
        if self._feeder:
            _drive("panel.feeder_pin", self._feeder.on if on else self._feeder.off)

    def show(self, state: str) -> None:
        """Tells a state by the LED: "sorting", "paused", "fault" or "off"."""
        if self._led:
            _drive("panel.status_led_pin", _lights(self._led)[state])

    def count_presses(self) -> int:
        """How often the stop button has been pressed since last asked."""
        return len(self._stop.take())

    def count_beam_breaks(self) -> int:
        """How often something has broken the beam since last asked."""
        return len(self._beam.take())

    def count_drops(self, bin: str) -> int:
        """How many things have fallen into a bin since last asked."""
        return len(self.take_drop_times_s(bin))

    def take_drop_times_s(self, bin: str) -> list[float]:
        """When things have fallen into a bin since last asked, seconds on the monotonic clock; some milliseconds late, as pins tell of it."""
        return self._drops[bin].take()

    def close(self) -> None:
        """Stops the feeder, switches the LED off, then lets go of the pins; safe to call twice."""
        devices, self._devices = self._devices, []  # feeder and LED come first
        factory, self._own = self._own, None
        gpio_chip.try_all(
            [device.off for device in devices if isinstance(device, DigitalOutputDevice)]
        )
        gpio_chip.try_all(
            [device.close for device in devices] + ([factory.close] if factory else [])
        )
        self._feeder = self._led = None

    def _open(self, option: str, pin: int | None, make: Callable[..., Any]) -> Any:
        if pin is None:
            return None
        try:
            self._devices.append(make(pin, pin_factory=self._factory))
        except gpio_chip.list_pin_errors() as error:
            raise FlapError(
                f"{option}: GPIO {pin} cannot be opened: {error}; is another program using it?"
            ) from error
        return self._devices[-1]

    def _edges(self, option: str, pin: int | None, make: Callable[..., Any]) -> "_Edges":
        return _Edges(self._open(option, pin, make), self._now_s)


class _Edges:
    """When an input became active. The pins' thread appends, the machine's takes from the other end, which a deque allows."""

    def __init__(self, device: DigitalInputDevice | None, now_s: Callable[[], float]) -> None:
        self._times_s: deque[float] = deque()
        if device:
            device.when_activated = lambda: self._times_s.append(now_s())

    def take(self) -> list[float]:
        """Those since last asked."""
        return [self._times_s.popleft() for _ in range(len(self._times_s))]


_sensor = partial(DigitalInputDevice, pull_up=True, bounce_time=SENSOR_BOUNCE_S)
_button = partial(Button, pull_up=True, bounce_time=BUTTON_BOUNCE_S)


def _lights(led: LED) -> dict[str, Callable[[], None]]:
    return {
        "sorting": led.on,
        "paused": partial(led.blink, SLOW_S, SLOW_S),
        "fault": partial(led.blink, FAST_S, FAST_S),
        "off": led.off,
    }


def _drive(option: str, switch: Callable[[], None]) -> None:
    try:
        switch()
    except gpio_chip.list_pin_errors() as error:
        raise FlapError(
            f"{option} cannot be switched: {error}; check the wiring, then start again"
        ) from error
