"""What firmware and Linux have to know of the lines: lines for config.txt, and a device-tree overlay."""

from coinsorter.config.checks import PWM_CHANNELS
from coinsorter.config.schema import Config
from coinsorter.tools.wiring.lines import REMAKE, Line, has_board, lines

# Which alternative function of a pin is its hardware PWM, by the firmware's count: 4 is Alt0, 2 is Alt5 (overlays/README on the card).
PWM_FUNCTIONS = {12: 4, 13: 4, 18: 2, 19: 2}
# Interfaces that would take their pins from the machine, were they switched on.
SHARED = {
    "dtparam=i2c_arm=off": {2, 3},
    "dtparam=spi=off": {7, 8, 9, 10, 11},
    "enable_uart=0": {14, 15},
    "dtparam=i2s=off": {18, 19, 20, 21},
}


def settings(config: Config) -> str:
    """Lines for /boot/firmware/config.txt, none longer than the 98 characters that the firmware reads."""
    found = [
        "# For /boot/firmware/config.txt. Made from config.yaml; to change it, change that and run",
        f"# {REMAKE}",
        "[all]",
        *(["camera_auto_detect=1"] if config.camera.source == "pi" else []),
        "dtparam=watchdog=on",
        *(["dtparam=i2c_arm=on"] if has_board(config) else []),
        *_freed(config),
        "# Pins at rest before Linux starts: a servo without pulses is limp, the feeder is off.",
    ]
    for line in lines(config):
        if line.kind != "bus":
            found += [
                f"# {line.name}",
                f"gpio={line.gpio}={'op,dl,pd' if line.is_output else 'ip,pu'}",
            ]
    return (
        "\n".join(
            [
                *found,
                "# The same for Linux: coinsorter-overlay.dts, compiled.",
                "dtoverlay=coinsorter",
                *_pwm(config),
            ]
        )
        + "\n"
    )


def _freed(config: Config) -> list[str]:
    """Switches off the interfaces that share a pin with something of ours."""
    ours = {line.gpio for line in lines(config) if line.kind != "bus"}
    return [switch for switch, pins in SHARED.items() if pins & ours]


def _pwm(config: Config) -> list[str]:
    if config.servo.driver != "hardware-pwm":
        return []
    pins = sorted((bin_.flap.pin for bin_ in config.bins), key=PWM_CHANNELS.__getitem__)
    ends = ("", "2")
    chosen = ",".join(
        f"pin{end}={pin},func{end}={PWM_FUNCTIONS[pin]}"
        for end, pin in zip(ends, pins, strict=False)
    )
    return [
        "# Hardware PWM. A Pi 5 takes the same line; its channels are 0 to 3 for GPIO 12, 13, 18, 19.",
        "# The sound of a Pi 3's jack would come out of the same channels.",
        "dtparam=audio=off",
        f"dtoverlay={'pwm-2chan' if len(pins) == 2 else 'pwm'},{chosen}",
    ]


OVERLAY = """\
/*
 * coinsorter's pins at rest, as the GPIO controller's own default state: Linux sets it when it finds the controller, long before
 * any program runs, and whatever the firmware left behind.
 *
 * Made from config.yaml; to change it, change that and run
 *     {remake}
 * Compile and install:
 *     dtc -@ -I dts -O dtb -o /boot/firmware/overlays/coinsorter.dtbo coinsorter-overlay.dts
 *
 * Outputs are low and pulled down, inputs pulled up. Programs can still take every one of these pins: neither controller's driver is
 * strict. Pins of the hardware PWM only get their pull here; their function is set by the pwm overlay, which could not have them otherwise.
 *
 * BCM2711 (Pi 4): brcm,function is 0 for an input, 1 for an output; brcm,pull is 1 for down, 2 for up.
 * RP1 (Pi 5): its driver reads these properties too, but takes no direction from brcm,function. Outputs get theirs from output-low;
 * inputs have it from reset. The overlay needs no other form there.
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


def overlay(config: Config) -> str:
    """Device-tree source that brings every pin to rest when Linux starts; without any fragment where no pin is used."""
    pwm = (
        {bin_.flap.pin for bin_ in config.bins} if config.servo.driver == "hardware-pwm" else set()
    )
    own = [line for line in lines(config) if line.kind != "bus"]
    pulled, up = (
        [line for line in own if line.gpio in pwm],
        [line for line in own if not line.is_output],
    )
    low = [line for line in own if line.is_output and line.gpio not in pwm]
    states = [
        _state(
            "coinsorter_low",
            low,
            ("brcm,pins = <{numbers}>;", "brcm,function = <1>;", "brcm,pull = <1>;"),
        ),
        _state("coinsorter_level", low, ("pins = {names};", "output-low;")),
        _state("coinsorter_pwm", pulled, ("brcm,pins = <{numbers}>;", "brcm,pull = <1>;")),
        _state(
            "coinsorter_up",
            up,
            ("brcm,pins = <{numbers}>;", "brcm,function = <0>;", "brcm,pull = <2>;"),
        ),
    ]
    used = {name: node for name, node in states if node}
    fragment = (
        FRAGMENT.format(
            states=", ".join(f"<&{name}>" for name in used), nodes="\n".join(used.values())
        )
        if used
        else ""
    )
    return OVERLAY.format(remake=REMAKE, fragment=fragment)


def _state(name: str, of: list[Line], properties: tuple[str, ...]) -> tuple[str, str]:
    """A pin state's name and its node; no node where it holds no pins."""
    numbers, names = (
        " ".join(str(line.gpio) for line in of),
        ", ".join(f'"gpio{line.gpio}"' for line in of),
    )
    body = "".join(f"\t\t\t\t{text.format(numbers=numbers, names=names)}\n" for text in properties)
    remarks = "".join(f"\t\t\t\t/* GPIO {line.gpio}: {line.name} */\n" for line in of)
    return name, f"\n\t\t\t{name}: {name} {{\n{remarks}{body}\t\t\t}};" if of else ""
