# What coinsorter uses of gpiozero, which ships no types.
from collections.abc import Callable
from typing import Self

from gpiozero.pins import Factory

class Device:
    def close(self) -> None: ...

class DigitalOutputDevice(Device):
    def __init__(self, pin: int, *, pin_factory: Factory | None = None) -> None: ...
    def on(self) -> None: ...
    def off(self) -> None: ...

class LED(DigitalOutputDevice):
    def blink(self, on_time: float = 1, off_time: float = 1) -> None: ...

class PWMOutputDevice(Device):
    value: float
    def __init__(
        self, pin: int, *, frequency: int = 100, pin_factory: Factory | None = None
    ) -> None: ...

class DigitalInputDevice(Device):
    when_activated: Callable[[], None] | None
    def __init__(
        self,
        pin: int,
        *,
        pull_up: bool | None = False,
        bounce_time: float | None = None,
        pin_factory: Factory | None = None,
    ) -> None: ...

class Button(DigitalInputDevice): ...

class PinInfo:
    name: str

class HeaderInfo:
    pins: dict[int, PinInfo]

class PiBoardInfo:
    headers: dict[str, HeaderInfo]
    @classmethod
    def from_revision(cls, revision: int) -> Self: ...
