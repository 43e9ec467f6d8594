# What coinsorter uses of adafruit-circuitpython-pca9685.
from adafruit_extended_bus import ExtendedI2C

class PWMChannel:
    duty_cycle: int

class PCA9685:
    frequency: float
    channels: list[PWMChannel]
    def __init__(self, i2c_bus: ExtendedI2C, *, address: int = 0x40) -> None: ...
