"""What firmware and Linux have to know of the lines: config.txt and a device-tree overlay."""

from dataclasses import dataclass

from coinsorter.config.checks import PWM_CHANNELS
from coinsorter.config.schema import Config
from coinsorter.tools.wiring.lines import REMAKE, HeaderLine, list_lines, uses_board

#: Which alternative function of a pin is its hardware PWM, by the firmware's count: 4 is Alt0, 2 is
#: Alt5 (overlays/README on the card).
PWM_FUNCTIONS = {12: 4, 13: 4, 18: 2, 19: 2}
#: Interfaces that would take their pins from the machine, were they switched on.
SHARED_PINS = {
    "dtparam=i2c_arm=off": {2, 3},
    "dtparam=spi=off": {7, 8, 9, 10, 11},
    "enable_uart=0": {14, 15},
    "dtparam=i2s=off": {18, 19, 20, 21},
}


def render_settings(config: Config) -> str:
    """Lines for /boot/firmware/config.txt; the firmware reads 98 characters of each."""
    settings = [
        "# For /boot/firmware/config.txt. Made from config.yaml; to change it, change that and run",
        f"# {REMAKE}",
        "[all]",
    ]
    if config.camera.source == "pi":
        settings.append("camera_auto_detect=1")
    settings.append("dtparam=watchdog=on")
    if uses_board(config):
        settings.append("dtparam=i2c_arm=on")
    settings += _free_pins(config)
    settings.append(
        "# Pins at rest before Linux starts: a servo without pulses is limp, the feeder is off."
    )
    settings += _rest_pins(config)
    settings.append("# The same for Linux: coinsorter-overlay.dts, compiled.")
    settings.append("dtoverlay=coinsorter")
    settings += _set_pwm(config)
    return "\n".join(settings) + "\n"


def _free_pins(config: Config) -> list[str]:
    """Switches off the interfaces that share a pin with something of ours."""
    ours = {line.gpio for line in _list_own_lines(config)}
    return [switch for switch, pins in SHARED_PINS.items() if pins & ours]


def _rest_pins(config: Config) -> list[str]:
    """Outputs driven low, inputs pulled up."""
    settings = []
    for line in _list_own_lines(config):
        level = "op,dl,pd" if line.is_output else "ip,pu"
        settings += [f"# {line.name}", f"gpio={line.gpio}={level}"]
    return settings


def _list_own_lines(config: Config) -> list[HeaderLine]:
    """All lines but the I2C bus, which has a driver of its own."""
    return [line for line in list_lines(config) if line.kind != "bus"]


def _set_pwm(config: Config) -> list[str]:
    if config.servo.driver != "hardware-pwm":
        return []
    pins = sorted(_pwm_pins(config), key=PWM_CHANNELS.__getitem__)
    overlay = "pwm-2chan" if len(pins) == 2 else "pwm"
    channels = [
        f"pin{end}={pin},func{end}={PWM_FUNCTIONS[pin]}"
        for end, pin in zip(("", "2"), pins, strict=False)
    ]
    return [
        "# Hardware PWM. A Pi 5 takes the same line; "
        "its channels are 0 to 3 for GPIO 12, 13, 18, 19.",
        "# The sound of a Pi 3's jack would come out of the same channels.",
        "dtparam=audio=off",
        f"dtoverlay={overlay},{','.join(channels)}",
    ]


def _pwm_pins(config: Config) -> set[int]:
    if config.servo.driver != "hardware-pwm":
        return set()
    return {bin_.flap.pin for bin_ in config.bins}


OVERLAY = """\
/*
 * coinsorter's pins at rest, as the GPIO controller's own default state: Linux sets it when it
 * finds the controller, long before any program runs, and whatever the firmware left behind.
 *
 * Made from config.yaml; to change it, change that and run
 *     {remake}
 * Compile and install:
 *     dtc -@ -I dts -O dtb -o /boot/firmware/overlays/coinsorter.dtbo coinsorter-overlay.dts
 *
 * Outputs are low and pulled down, inputs pulled up. Programs can still take every one of these
 * pins: neither controller's driver is strict. Pins of the hardware PWM only get their pull here;
 * their function is set by the pwm overlay, which could not have them otherwise.
 *
 * BCM2711 (Pi 4): brcm,function is 0 for an input, 1 for an output; brcm,pull is 1 for down, 2 for
 * up. RP1 (Pi 5): its driver reads these properties too, but takes no direction from brcm,function.
 * Outputs get theirs from output-low; inputs have it from reset. The overlay needs no other form.
 *
 * The status LED is no gpio-leds: the kernel would keep its pin, and the program could not open it.
 */
/dts-v1/;
/plugin/;

/ {{
	compatible = "brcm,bcm2835";
{fragment}}};
"""

FRAGMENT = """
	fragment@0 {{
		target = <&gpio>;
		__overlay__ {{
			pinctrl-names = "default";
			pinctrl-0 = {states};
{nodes}
		}};
	}};
"""


@dataclass(frozen=True)
class PinState:
    """A state that the GPIO controller sets: its lines, and the properties that they get."""

    name: str
    lines: list[HeaderLine]
    properties: tuple[str, ...]

    def render(self) -> str:
        """Its node of the device tree."""
        numbers = " ".join(str(line.gpio) for line in self.lines)
        names = ", ".join(f'"gpio{line.gpio}"' for line in self.lines)
        remarks = [f"/* GPIO {line.gpio}: {line.name} */" for line in self.lines]
        properties = [text.format(numbers=numbers, names=names) for text in self.properties]
        body = "".join(f"\t\t\t\t{text}\n" for text in [*remarks, *properties])
        return f"\n\t\t\t{self.name}: {self.name} {{\n{body}\t\t\t}};"


def render_overlay(config: Config) -> str:
    """Device-tree source that brings every pin to rest when Linux starts.

    It has no fragment where no pin is used.
    """
    states = [state for state in _list_states(config) if state.lines]
    fragment = ""
    if states:
        fragment = FRAGMENT.format(
            states=", ".join(f"<&{state.name}>" for state in states),
            nodes="\n".join(state.render() for state in states),
        )
    return OVERLAY.format(remake=REMAKE, fragment=fragment)


def _list_states(config: Config) -> list[PinState]:
    lines = _list_own_lines(config)
    pwm_pins = _pwm_pins(config)
    pwm = [line for line in lines if line.gpio in pwm_pins]
    inputs = [line for line in lines if not line.is_output]
    outputs = [line for line in lines if line.is_output and line.gpio not in pwm_pins]
    pins = "brcm,pins = <{numbers}>;"
    output, pull_down = "brcm,function = <1>;", "brcm,pull = <1>;"
    input_, pull_up = "brcm,function = <0>;", "brcm,pull = <2>;"
    return [
        PinState("coinsorter_low", outputs, (pins, output, pull_down)),
        PinState("coinsorter_level", outputs, ("pins = {names};", "output-low;")),
        PinState("coinsorter_pwm", pwm, (pins, pull_down)),
        PinState("coinsorter_up", inputs, (pins, input_, pull_up)),
    ]
