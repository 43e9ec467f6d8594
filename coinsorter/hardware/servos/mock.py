"""servo.driver mock: servos on gpiozero's mock pins; the simulator's are on such pins too."""

from gpiozero import PWMOutputDevice
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import (
    PERIOD_US,
    PULSES_PER_S,
    explain_open_errors,
    explain_pulse_errors,
)


class MockServos:
    """Servos that only a program sees.

    Not for real pins: gpiozero rounds their duty cycle to whole per cent, 200 us of a servo's
    pulse. pin_factory: gpiozero's mock one; None for one of its own.
    """

    def __init__(self, pin_factory: MockFactory | None = None) -> None:
        self._factory = pin_factory or MockFactory(pin_class=MockPWMPin)
        self._devices: dict[int, PWMOutputDevice] = {}

    def pulse(self, pin: int, us: float) -> None:
        """Sends pulses of a width from now on."""
        device = self._open(pin)
        with explain_pulse_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
            device.value = us / PERIOD_US

    def release(self, pin: int) -> None:
        """Ends the pulses."""
        self.pulse(pin, 0.0)

    def close(self) -> None:
        """Ends all pulses and closes the pins; safe to call twice."""
        devices, self._devices = self._devices, {}
        gpio_chip.try_all([device.close for device in devices.values()])

    def _open(self, pin: int) -> PWMOutputDevice:
        if pin not in self._devices:
            with explain_open_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
                device = PWMOutputDevice(pin, frequency=PULSES_PER_S, pin_factory=self._factory)
            self._devices[pin] = device
        return self._devices[pin]
