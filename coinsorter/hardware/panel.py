"""What is wired besides the flaps: feeder, light beam, stop button, status LED, drop sensors."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from gpiozero import LED, Button, Device, DigitalInputDevice, DigitalOutputDevice
from gpiozero.pins import Factory

from coinsorter.config.schema import Config
from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip

#: Contacts of a button bounce for some milliseconds; a thumb holds it for longer than this.
BUTTON_BOUNCE_S = 0.05
#: A coin of 16 mm that falls at 2 m/s covers a sensor for 8 ms, a token's rim for less.
SENSOR_BOUNCE_S = 0.002
#: How long the status LED is on, and off, while the machine is paused.
SLOW_S = 1.0
#: The same for a fault; while it sorts the LED is on all the time.
FAST_S = 0.15

AnyDevice = TypeVar("AnyDevice", bound=Device)


class GpioPanel:
    """The feeder, LED, button and sensors that config.yaml has pins for; the others do nothing.

    Nothing is switched on by opening it. pin_factory: gpiozero's; None for the Pi's own pins.
    now_s: seconds on the monotonic clock. Failures are FlapErrors that name the option.
    """

    def __init__(
        self,
        config: Config,
        pin_factory: Factory | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own_factory: Factory | None = None
        if pin_factory is None and _is_wired(config):
            self._own_factory = gpio_chip.open_pin_factory()
        self._factory = pin_factory or self._own_factory
        self._now_s = now_s
        self._devices: list[Device] = []
        self._feeder: DigitalOutputDevice | None = None
        self._led: LED | None = None
        try:
            self._open_all(config)
        except FlapError:
            self.close()
            raise

    def feed(self, on: bool) -> None:
        """Starts or stops the feeder."""
        if self._feeder:
            _switch("panel.feeder_pin", self._feeder.on if on else self._feeder.off)

    def show(self, state: str) -> None:
        """Shows a state by the LED: "sorting", "paused", "waiting", "fault" or "off"."""
        if self._led:
            _switch("panel.status_led_pin", _light_patterns(self._led)[state])

    def count_presses(self) -> int:
        """How often the stop button was pressed since the last call."""
        return len(self._stop.take())

    def count_beam_breaks(self) -> int:
        """How often something broke the light beam since the last call."""
        return len(self._beam.take())

    def count_drops(self, bin: str) -> int:
        """How many things fell into a bin since the last call."""
        return len(self.take_drop_times_s(bin))

    def take_drop_times_s(self, bin: str) -> list[float]:
        """When things fell into a bin since the last call, seconds on the monotonic clock.

        The times are some milliseconds late, as the pins' changes are noticed.
        """
        return self._drops[bin].take()

    def close(self) -> None:
        """Stops the feeder, switches the LED off, then closes the pins; safe to call twice."""
        devices, self._devices = self._devices, []
        factory, self._own_factory = self._own_factory, None
        outputs = [device for device in devices if isinstance(device, DigitalOutputDevice)]
        gpio_chip.try_all([output.off for output in outputs])
        gpio_chip.try_all([device.close for device in devices])
        if factory:
            gpio_chip.try_all([factory.close])
        self._feeder = None
        self._led = None

    def _open_all(self, config: Config) -> None:
        panel = config.panel
        self._feeder = self._open("panel.feeder_pin", panel.feeder_pin, DigitalOutputDevice)
        self._led = self._open("panel.status_led_pin", panel.status_led_pin, LED)
        self._beam = self._open_input("panel.beam_pin", panel.beam_pin, _open_sensor)
        self._stop = self._open_input("panel.stop_pin", panel.stop_pin, _open_button)
        self._drops: dict[str, _Edges] = {}
        for index, bin_ in enumerate(config.bins):
            option = f"bins[{index}].flap.drop_pin"
            edges = self._open_input(option, bin_.flap.drop_pin, _open_sensor)
            self._drops[bin_.name] = edges

    def _open_input(
        self, option: str, pin: int | None, open_pin: Callable[..., DigitalInputDevice]
    ) -> "_Edges":
        device = self._open(option, pin, open_pin)
        return _Edges(device, self._now_s)

    def _open(
        self, option: str, pin: int | None, open_pin: Callable[..., AnyDevice]
    ) -> AnyDevice | None:
        """A device at a pin; None without a pin. Raises FlapError that names the option."""
        if pin is None:
            return None
        try:
            device = open_pin(pin, pin_factory=self._factory)
        except gpio_chip.list_pin_errors() as error:
            what = f"{option}: GPIO {pin} cannot be opened: {error}"
            raise FlapError(f"{what}; is another program using it?") from error
        self._devices.append(device)
        return device


class _Edges:
    """When an input became active.

    The pins' thread appends, the machine's takes from the other end, which a deque allows.
    """

    def __init__(self, device: DigitalInputDevice | None, now_s: Callable[[], float]) -> None:
        self._times_s: deque[float] = deque()
        self._now_s = now_s
        if device:
            device.when_activated = self._append

    def take(self) -> list[float]:
        """The times since the last call."""
        return [self._times_s.popleft() for _ in range(len(self._times_s))]

    def _append(self) -> None:
        self._times_s.append(self._now_s())


_open_sensor = partial(DigitalInputDevice, pull_up=True, bounce_time=SENSOR_BOUNCE_S)
_open_button = partial(Button, pull_up=True, bounce_time=BUTTON_BOUNCE_S)


def _is_wired(config: Config) -> bool:
    """Whether config.yaml has a pin for anything besides the flaps."""
    panel_pins = config.panel.model_dump().values()
    drop_pins = [bin_.flap.drop_pin for bin_ in config.bins]
    return any(pin is not None for pin in [*panel_pins, *drop_pins])


def _light_patterns(led: LED) -> dict[str, Callable[[], None]]:
    return {
        "sorting": led.on,
        "paused": partial(led.blink, SLOW_S, SLOW_S),
        "waiting": partial(led.blink, FAST_S, SLOW_S),
        "fault": partial(led.blink, FAST_S, FAST_S),
        "off": led.off,
    }


def _switch(option: str, switch: Callable[[], None]) -> None:
    try:
        switch()
    except gpio_chip.list_pin_errors() as error:
        what = f"{option} cannot be switched: {error}"
        raise FlapError(f"{what}; check the wiring, then start again") from error
