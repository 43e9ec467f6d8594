from typing import Any, NamedTuple

from gpiozero import PinInfo
from gpiozero.pins import Factory

class PinState(NamedTuple):
    timestamp: float
    state: float

class MockPin:
    info: PinInfo
    state: float
    states: list[PinState]
    def __init__(self, factory: MockFactory, info: PinInfo) -> None: ...
    @property
    def factory(self) -> Any: ...  # the factory's own class, MockFactory or one made from it
    def drive_high(self) -> None: ...
    def drive_low(self) -> None: ...
    def _change_state(self, value: float) -> bool: ...

class MockPWMPin(MockPin): ...

class MockFactory(Factory):
    def __init__(
        self, revision: int | None = None, pin_class: type[MockPin] | None = None
    ) -> None: ...
    def pin(self, name: int, pin_class: type[MockPin] | None = None) -> MockPin: ...
    def reset(self) -> None: ...
