"""The options of config.yaml with their types, ranges and defaults."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from coinsorter.vision.scale import ScalePlane

#: GPIO numbers on the Pi's header that are free for any use.
Pin = Annotated[int, Field(ge=2, le=27)]
#: A name that is safe in file names, in SQL and on a command line.
BinName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=40)]
#: Text that is not empty, such as a path.
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A part of config.yaml.

    Unknown options are refused, numbers are not read out of text, and nothing changes once read.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class CameraSettings(Section):
    """Where frames come from, and how they are exposed."""

    source: Literal["pi", "usb", "folder"] = "pi"
    usb_device: Annotated[int, Field(ge=0, le=63)] = 0
    folder: Text | None = None
    width_px: Annotated[int, Field(ge=160, le=4056)] = 640
    height_px: Annotated[int, Field(ge=120, le=3040)] = 480
    frames_per_s: Annotated[float, Field(ge=1, le=120)] = 60.0
    exposure_us: Annotated[int, Field(ge=50, le=30000)] = 1500
    gain: Annotated[float, Field(ge=1, le=16)] = 2.0
    red_gain: Annotated[float, Field(ge=0.1, le=32)] | None = None
    blue_gain: Annotated[float, Field(ge=0.1, le=32)] | None = None


class BeltSettings(Section):
    """The belt's speed, and the scale of the camera's view of it."""

    speed_mm_s: Annotated[float, Field(ge=10, le=2000)] = 250.0
    speed_tolerance_percent: Annotated[float, Field(ge=0, le=20)] = 1.5
    px_per_mm: Annotated[float, Field(ge=0.5, le=50)] = 4.0
    tilt_along_percent: Annotated[float, Field(ge=-40, le=40)] = 0.0
    tilt_across_percent: Annotated[float, Field(ge=-40, le=40)] = 0.0
    barrel_percent: Annotated[float, Field(ge=-10, le=10)] = 0.0
    follow_scale: bool = True


class ServoSettings(Section):
    """What makes the servos' pulses, and how long the pulses are; the same for every flap."""

    driver: Literal["gpio", "hardware-pwm", "pca9685", "mock"] = "gpio"
    min_pulse_us: Annotated[int, Field(ge=400, le=1500)] = 500
    max_pulse_us: Annotated[int, Field(ge=1500, le=2600)] = 2500
    release_ms: Annotated[int, Field(ge=100, le=600000)] | None = None
    i2c_address: Annotated[int, Field(ge=64, le=127)] = 64


class FlapSettings(Section):
    """One bin's flap: its servo, its two angles, and where and how fast it is."""

    pin: Annotated[int, Field(ge=0, le=27)]
    rest_deg: Annotated[float, Field(ge=0, le=180)] = 90.0
    open_deg: Annotated[float, Field(ge=0, le=180)] = 135.0
    distance_mm: Annotated[float, Field(ge=10, le=5000)]
    length_mm: Annotated[float, Field(ge=0, le=200)] = 10.0
    travel_ms: Annotated[float, Field(ge=5, le=2000)] = 80.0
    drop_pin: Pin | None = None
    drop_ms: Annotated[float, Field(ge=20, le=5000)] = 400.0


class BinSettings(Section):
    """A bin: its name in the ledger, the labels that belong into it, and its flap."""

    name: BinName
    labels: Annotated[list[str], Field(min_length=1)]
    flap: FlapSettings


class PanelSettings(Section):
    """GPIO numbers of the feeder, the beam, the stop button and the status LED; None: not wired."""

    feeder_pin: Pin | None = None
    beam_pin: Pin | None = None
    stop_pin: Pin | None = None
    status_led_pin: Pin | None = None


class AcceptanceSettings(Section):
    """Thresholds that make the bundle's own stricter for every label; None: the bundle's."""

    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    max_anomaly: Annotated[float, Field(ge=0, le=1000)] | None = None
    max_diameter_error_mm: Annotated[float, Field(ge=0, le=10)] | None = None
    may_loosen: bool = False


class LedgerSettings(Section):
    """Where the ledger is."""

    path: Text = "var/ledger.db"


class RuntimeSettings(Section):
    """Which bundle classifies the coins, and how much work is done for each coin."""

    bundle: Text = "models/crowns"
    interpreter: Literal["auto", "litert", "tflite-runtime"] = "auto"
    threads: Annotated[int, Field(ge=1, le=8)] = 1
    crops_per_coin: Annotated[int, Field(ge=1, le=8)] = 3
    turns_per_crop: Literal[1, 2, 4] = 4


class Config(Section):
    """Everything config.yaml says; see that file for what each option means."""

    camera: CameraSettings = CameraSettings()
    belt: BeltSettings = BeltSettings()
    servo: ServoSettings = ServoSettings()
    bins: Annotated[list[BinSettings], Field(min_length=1, max_length=26)]
    reject_bin: BinName = "reject"
    panel: PanelSettings = PanelSettings()
    acceptance: AcceptanceSettings = AcceptanceSettings()
    ledger: LedgerSettings = LedgerSettings()
    runtime: RuntimeSettings = RuntimeSettings()

    @cached_property
    def scale(self) -> ScalePlane:
        """The scale of the camera's view, as the belt's options describe it."""
        return ScalePlane(
            self.belt.px_per_mm,
            self.belt.tilt_along_percent / 100,
            self.belt.tilt_across_percent / 100,
            self.camera.width_px,
            self.camera.height_px,
            self.belt.barrel_percent / 100,
        )
