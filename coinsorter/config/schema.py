"""The options of config.yaml with their types, ranges and defaults."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from coinsorter.config.syntax import name_character
from coinsorter.vision.scale import ScalePlane

#: What a servo turns through between servo.min_pulse_us and servo.max_pulse_us, degrees.
SERVO_RANGE_DEG = 180.0
#: Degrees that a servo turns to.
Angle = Annotated[float, Field(ge=0, le=SERVO_RANGE_DEG)]
#: Per cent that the scale at a border differs from that in the middle.
Tilt = Annotated[float, Field(ge=-40, le=40)]
#: Gain of a colour for the white balance.
ColourGain = Annotated[float, Field(ge=0.1, le=32)]
#: GPIO numbers on the Pi's header that are free for any use.
Pin = Annotated[int, Field(ge=2, le=27)]
# A name that is safe in file names, in SQL and on a command line.
BinName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=40)]


def _check_visible(text: str) -> str:
    if not text.isprintable():
        odd = next(character for character in text if not character.isprintable())
        raise _make_odd_text(f"holds {name_character(odd)}; delete it")
    if text != text.strip():
        raise _make_odd_text("begins or ends with a space; delete it")
    return text


def _check_path(path: str) -> str:
    if path.startswith("~"):
        raise _make_odd_text("begins with ~, which stands for nothing here; write it out")
    return path


def _make_odd_text(problem: str) -> PydanticCustomError:
    return PydanticCustomError("odd_text", "{problem}", {"problem": problem})


#: Text that is not empty, and in which all can be seen; longer ones are no names.
Text = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_check_visible)]
#: A file or a folder, relative to config.yaml.
PathText = Annotated[Text, AfterValidator(_check_path)]


class Section(BaseModel):
    """A part of config.yaml.

    Unknown options are refused, numbers are not read out of text, and nothing changes once read.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class CameraSettings(Section):
    """Where frames come from, and how they are exposed."""

    source: Literal["pi", "usb", "folder"] = "pi"
    usb_device: int = Field(0, ge=0, le=63)
    folder: PathText | None = None
    width_px: int = Field(640, ge=160, le=4056)
    height_px: int = Field(480, ge=120, le=3040)
    frames_per_s: float = Field(60.0, ge=1, le=120)
    exposure_us: int = Field(1500, ge=50, le=30000)
    gain: float = Field(2.0, ge=1, le=16)
    red_gain: ColourGain | None = None
    blue_gain: ColourGain | None = None


class BeltSettings(Section):
    """The belt's speed, and the scale of the camera's view of it."""

    speed_mm_s: float = Field(250.0, ge=10, le=2000)
    speed_tolerance_percent: float = Field(1.5, ge=0, le=20)
    px_per_mm: float = Field(4.0, ge=0.5, le=50)
    tilt_along_percent: Tilt = 0.0
    tilt_across_percent: Tilt = 0.0
    barrel_percent: float = Field(0.0, ge=-10, le=10)
    follow_scale: bool = True


class ServoSettings(Section):
    """What makes the servos' pulses, and how long the pulses are; the same for every flap."""

    driver: Literal["gpio", "hardware-pwm", "pca9685", "mock"] = "gpio"
    min_pulse_us: int = Field(500, ge=400, le=1500)
    max_pulse_us: int = Field(2500, ge=1500, le=2600)
    release_ms: int | None = Field(None, ge=100, le=600000)
    i2c_address: int = Field(64, ge=64, le=127)


class FlapSettings(Section):
    """One bin's flap: its servo, its two angles, and where and how fast it is."""

    pin: int = Field(ge=0, le=27)
    rest_deg: Angle = 90.0
    open_deg: Angle = 135.0
    distance_mm: float = Field(ge=10, le=5000)
    length_mm: float = Field(10.0, ge=0, le=200)
    travel_ms: float = Field(80.0, ge=5, le=2000)
    drop_pin: Pin | None = None
    drop_ms: float = Field(400.0, ge=20, le=5000)


class BinSettings(Section):
    """A bin: its name in the ledger, the labels that belong into it, and its flap."""

    name: BinName
    labels: list[Text] = Field(min_length=1)
    flap: FlapSettings


class PanelSettings(Section):
    """GPIO numbers of the feeder, the beam, the stop button and the status LED; None: not wired."""

    feeder_pin: Pin | None = None
    beam_pin: Pin | None = None
    stop_pin: Pin | None = None
    status_led_pin: Pin | None = None


class AcceptanceSettings(Section):
    """Thresholds that make the bundle's own stricter for every label; None: the bundle's."""

    min_confidence: float | None = Field(None, ge=0, le=1)
    max_anomaly: float | None = Field(None, ge=0, le=1000)
    max_diameter_error_mm: float | None = Field(None, ge=0, le=10)
    min_membership: float | None = Field(None, ge=-30, le=30)
    may_loosen: bool = False


class LedgerSettings(Section):
    """Where the ledger is, and how long its rows stay."""

    path: PathText = "var/ledger.db"
    keep_days: int | None = Field(None, ge=1, le=36500)


class RuntimeSettings(Section):
    """Which bundle classifies the coins, and how much work is done for each coin."""

    bundle: PathText = "models/crowns"
    interpreter: Literal["auto", "litert", "tflite-runtime"] = "auto"
    threads: int = Field(1, ge=1, le=8)
    crops_per_coin: int = Field(3, ge=1, le=8)
    turns_per_crop: Literal[1, 2, 4] = 4


class Config(Section):
    """Everything config.yaml says; see that file for what each option means."""

    camera: CameraSettings = CameraSettings()
    belt: BeltSettings = BeltSettings()
    servo: ServoSettings = ServoSettings()
    bins: list[BinSettings] = Field(min_length=1, max_length=26)
    reject_bin: BinName = "reject"
    panel: PanelSettings = PanelSettings()
    acceptance: AcceptanceSettings = AcceptanceSettings()
    ledger: LedgerSettings = LedgerSettings()
    runtime: RuntimeSettings = RuntimeSettings()

    @cached_property
    def scale(self) -> ScalePlane:
        """The scale of the camera's view, as the belt's options describe it."""
        belt = self.belt
        camera = self.camera
        return ScalePlane(
            belt.px_per_mm,
            belt.tilt_along_percent / 100,
            belt.tilt_across_percent / 100,
            camera.width_px,
            camera.height_px,
            belt.barrel_percent / 100,
        )
