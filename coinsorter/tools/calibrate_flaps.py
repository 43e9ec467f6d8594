"""Flaps by hand: one turned to a pulse, and the pulses of rest and open found by trying."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from coinsorter.config import Bin, Config
from coinsorter.config import Servo as ServoSettings
from coinsorter.hardware.flaps import DEGREES, pulse_us

HELP = "+N, -N or a number: microseconds; rest, open: take this for it; show: turn there; next: the next flap; end: no more"


class Jogged(Protocol):
    def jog(self, bin: str, us: float) -> None:
        """Turns one flap to a pulse width."""


def degrees(us: float, servo: ServoSettings) -> float:
    """The angle that a pulse turns a servo to: `devices.flaps.pulse_us`, the other way round."""
    return DEGREES * (us - servo.min_pulse_us) / (servo.max_pulse_us - servo.min_pulse_us)


@dataclass
class FlapTrial:
    """One flap while a technician tries where it rests and where it opens; pulses in microseconds."""

    flaps: Jogged
    bin: Bin
    servo: ServoSettings

    def __post_init__(self) -> None:
        self.found = {
            "rest": pulse_us(self.bin.flap.rest_deg, self.servo),
            "open": pulse_us(self.bin.flap.open_deg, self.servo),
        }
        self.us = self.found["rest"]

    def obey(self, word: str) -> str:
        """Does what one line says; returns what to tell. Nothing moves beyond the servo's own range."""
        if word in self.found:
            self.found[word] = self.us
            return f"{word}: {self.us:.0f} us, {degrees(self.us, self.servo):.1f} degrees"
        if word.startswith("show ") and word[5:] in self.found:
            return self._turned(self.found[word[5:]])
        try:
            number = float(word)
        except ValueError:
            return HELP
        return self._turned(self.us + number if word[0] in "+-" else number)

    def _turned(self, us: float) -> str:
        if not self.servo.min_pulse_us <= us <= self.servo.max_pulse_us:
            return f"{us:.0f} us is beyond {self.servo.min_pulse_us} to {self.servo.max_pulse_us}; nothing moved"
        self.flaps.jog(self.bin.name, us)
        self.us = us
        return f"{us:.0f} us, {degrees(us, self.servo):.1f} degrees"

    @property
    def angles_deg(self) -> dict[str, float]:
        """What belongs into config.yaml, as far as it is another than before."""
        now = {f"{name}_deg": round(degrees(us, self.servo), 1) for name, us in self.found.items()}
        return {
            name: angle
            for name, angle in now.items()
            if abs(angle - getattr(self.bin.flap, name)) > 0.05
        }


def calibrated(
    config: Config,
    flaps: Jogged,
    bins: list[str],
    ask: Callable[[str], str],
    tell: Callable[[str], None],
) -> dict[tuple, float]:
    """What a technician finds for some flaps, one after the other, as `config.changed` wants it; rest is shown first.

    ask: prompts for a line, "" or EOFError at its end.
    """
    numbers: dict[tuple, float] = {}
    for index, bin_ in enumerate(config.bins):
        if bin_.name not in bins:
            continue
        trial = FlapTrial(flaps, bin_, config.servo)
        tell(f"{bin_.name}: {trial.obey('show rest')}")
        word = ask(f"{bin_.name} > ").strip()
        while word not in ("next", "end"):
            tell(trial.obey(word))
            word = ask(f"{bin_.name} > ").strip()
        numbers |= {
            ("bins", index, "flap", name): angle for name, angle in trial.angles_deg.items()
        }
        if word == "end":
            break
    return numbers
