"""Flaps by hand: a technician turns one to a pulse, and finds the pulses of rest and open."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from coinsorter.config.schema import SERVO_RANGE_DEG, BinSettings, Config, ServoSettings
from coinsorter.hardware.flaps import angle_to_pulse_us

HELP = (
    "+N, -N or a number: microseconds; rest, open: take the present position for it; "
    "show rest, show open: turn there; next: the next flap; end: no more"
)
#: Angles that differ by less are the same: config.yaml gets a tenth of a degree.
ANGLE_TOLERANCE_DEG = 0.05


class JoggedFlaps(Protocol):
    """Flaps that can be turned to any pulse width."""

    def jog(self, bin: str, us: float) -> None:
        """Turns one flap to a pulse width in microseconds."""


def convert_to_degrees(us: float, servo: ServoSettings) -> float:
    """The angle that a pulse turns a servo to: the inverse of `pulse_us`."""
    return SERVO_RANGE_DEG * (us - servo.min_pulse_us) / (servo.max_pulse_us - servo.min_pulse_us)


@dataclass
class FlapTrial:
    """One flap while a technician tries where it rests and where it opens; pulses in microseconds.

    Nothing moves before the first command.
    """

    flaps: JoggedFlaps
    bin: BinSettings
    servo: ServoSettings

    def __post_init__(self) -> None:
        self.pulses_us = {
            "rest": angle_to_pulse_us(self.bin.flap.rest_deg, self.servo),
            "open": angle_to_pulse_us(self.bin.flap.open_deg, self.servo),
        }
        self.us = self.pulses_us["rest"]

    def obey(self, command: str) -> str:
        """Does what one line says; returns the answer.

        Nothing moves beyond the servo's own range, nor at a command that is not known.
        """
        if command in self.pulses_us:
            self.pulses_us[command] = self.us
            return f"{command}: {self._describe(self.us)}"
        position = command.removeprefix("show ")
        if position != command and position in self.pulses_us:
            return self._turn_to(self.pulses_us[position])
        try:
            number = float(command)
        except ValueError:
            return HELP
        is_step = command[0] in "+-"
        return self._turn_to(self.us + number if is_step else number)

    def _turn_to(self, us: float) -> str:
        low_us, high_us = self.servo.min_pulse_us, self.servo.max_pulse_us
        if not low_us <= us <= high_us:
            return f"{us:.0f} us is beyond {low_us} to {high_us}; nothing moved"
        self.flaps.jog(self.bin.name, us)
        self.us = us
        return self._describe(us)

    def _describe(self, us: float) -> str:
        return f"{us:.0f} us, {convert_to_degrees(us, self.servo):.1f} degrees"

    @property
    def angles_deg(self) -> dict[str, float]:
        """The angles that belong into config.yaml and differ from what it has, by their option."""
        angles = {
            f"{name}_deg": round(convert_to_degrees(us, self.servo), 1)
            for name, us in self.pulses_us.items()
        }
        return {name: angle for name, angle in angles.items() if self._is_new(name, angle)}

    def _is_new(self, name: str, angle_deg: float) -> bool:
        configured_deg: float = getattr(self.bin.flap, name)
        return abs(angle_deg - configured_deg) > ANGLE_TOLERANCE_DEG


def try_flaps(
    config: Config,
    flaps: JoggedFlaps,
    bins: list[str],
    read_line: Callable[[str], str],
    show: Callable[[str], None],
) -> dict[tuple[str | int, ...], float]:
    """The angles that a technician chooses for some flaps, one after the other.

    Each flap is turned to rest first. read_line: prompts for a line and returns it, "end" at the
    end of all typing. show: prints an answer. Returns angles by the place of their option in
    config.yaml.
    """
    numbers: dict[tuple[str | int, ...], float] = {}
    for index, bin_ in enumerate(config.bins):
        if bin_.name not in bins:
            continue
        trial = FlapTrial(flaps, bin_, config.servo)
        last_command = _try_flap(trial, read_line, show)
        for name, angle in trial.angles_deg.items():
            numbers[("bins", index, "flap", name)] = angle
        if last_command == "end":
            break
    return numbers


def _try_flap(
    trial: FlapTrial, read_line: Callable[[str], str], show: Callable[[str], None]
) -> str:
    """The command that ended the trial: "next" or "end"."""
    name = trial.bin.name
    show(f"{name}: {trial.obey('show rest')}")
    command = read_line(f"{name} > ").strip()
    while command not in ("next", "end"):
        show(trial.obey(command))
        command = read_line(f"{name} > ").strip()
    return command
