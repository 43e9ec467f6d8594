"""What `doctor` says of the devices: camera, GPIO, servos, and the permission to use them."""

import grp
import os
from contextlib import closing

from coinsorter.config.checks import list_pins
from coinsorter.config.schema import Config
from coinsorter.config.yaml_lines import format_option
from coinsorter.hardware import gpio_chip
from coinsorter.records import Frame
from coinsorter.sorting.ports import Camera
from coinsorter.tools.doctor_probe import (
    Observation,
    Probe,
    report_fault,
    report_ok,
    report_warning,
)

#: Least share of the frames per second that config.yaml asks for: a rule of thumb.
MIN_FRAME_RATE_SHARE = 0.8
#: Frames whose rate is measured: some 0.3 s at 60 frames per second.
COUNTED_FRAMES = 20
#: The groups of Raspberry Pi OS that own the camera's and the GPIO's devices.
DEVICE_GROUPS = ("video", "gpio", "render")
DEVICES = ("gpiochip*", "video*", "media*")
MAX_NAMED_DEVICES = 4


def check_camera(probe: Probe) -> Observation:
    """Whether the camera delivers frames of the right size, and how often."""
    if probe.is_service_active():
        return report_ok("in use by the running service")
    with closing(probe.open_camera()) as camera:
        frames = _take_frames(camera)
    if len(frames) < COUNTED_FRAMES:
        return report_fault("delivers no frames", "see camera.source in config.yaml")
    return _check_frames(frames, probe.settings)


def _take_frames(camera: Camera) -> list[Frame]:
    """The next frames, fewer where the camera has no more."""
    frames: list[Frame] = []
    while len(frames) < COUNTED_FRAMES:
        frame = camera.next_frame()
        if frame is None:
            break
        frames.append(frame)
    return frames


def _check_frames(frames: list[Frame], settings: Config) -> Observation:
    sizes = {frame.pixels.shape[1::-1] for frame in frames}
    size_names = " and ".join(f"{width}x{height}" for width, height in sorted(sizes))
    configured_size = (settings.camera.width_px, settings.camera.height_px)
    if sizes != {configured_size}:
        return report_fault(
            f"delivers {size_names}, not {configured_size[0]}x{configured_size[1]}",
            "set camera.width_px and camera.height_px to what it delivers",
        )
    rate = _measure_frame_rate(frames)
    configured_rate = settings.camera.frames_per_s
    if rate < MIN_FRAME_RATE_SHARE * configured_rate:
        return report_warning(
            f"{size_names}, {rate:.0f} frames a second, not {configured_rate:g}",
            "lower camera.frames_per_s, or exposure_us",
        )
    return report_ok(f"{settings.camera.source}: {size_names}, {rate:.0f} frames a second")


def _measure_frame_rate(frames: list[Frame]) -> float:
    duration_s = frames[-1].taken_s - frames[0].taken_s
    return (len(frames) - 1) / max(duration_s, 1e-9)


def check_gpio(probe: Probe) -> Observation:
    """Whether the GPIO chip is there, and no other program holds a pin that config.yaml uses."""
    if probe.settings.servo.driver == "mock":
        return report_ok("no pin is in use, as servo.driver is mock")
    chip = gpio_chip.find_chip()
    used = _find_used_pins(probe.settings)
    holders = {pin: name for pin, name in gpio_chip.read_line_users(chip).items() if pin in used}
    if holders and not probe.is_service_active():
        names = ", ".join(
            f"GPIO {pin} ({used[pin]}) by {name}" for pin, name in sorted(holders.items())
        )
        return report_fault(
            f"held by another program: {names}",
            "stop that program, or take another pin in config.yaml",
        )
    return report_ok(f"gpiochip{chip}, {len(used)} pins in use")


def _find_used_pins(settings: Config) -> dict[int, str]:
    """The option of each GPIO pin that is in use; a servo board's channels are no GPIO pins."""
    has_board = settings.servo.driver == "pca9685"
    return {
        pin: format_option(place)
        for place, pin, _ in list_pins(settings)
        if place[-1] != "pin" or not has_board
    }


def check_servos(probe: Probe) -> Observation:
    """Whether the device is there that makes the servos' pulses."""
    driver = probe.settings.servo.driver
    if driver == "mock":
        return report_warning(
            "servo.driver is mock: no flap moves",
            "set servo.driver in config.yaml once the servos are wired",
        )
    if driver == "hardware-pwm" and not _has_hardware_pwm(probe):
        return report_fault(
            "no hardware PWM",
            "run `sudo make install` once more, or put firmware/coinsorter.txt into "
            "/boot/firmware/config.txt, and start again",
        )
    if driver == "pca9685" and not probe.find_devices("i2c-*"):
        return report_fault(
            "no I2C bus", "set dtparam=i2c_arm=on in /boot/firmware/config.txt and start again"
        )
    return report_ok(f"pulses by {driver}")


def _has_hardware_pwm(probe: Probe) -> bool:
    return any((probe.root / "sys/class/pwm").glob("pwmchip*"))


def check_permissions(probe: Probe) -> Observation:
    """Whether this user may use the devices."""
    if os.geteuid() == 0:
        return report_ok("root")
    groups = {grp.getgrgid(number).gr_name for number in os.getgroups()}
    forbidden = [
        str(path) for path in probe.find_devices(*DEVICES) if not os.access(path, os.R_OK | os.W_OK)
    ]
    if forbidden:
        missing = ", ".join(group for group in DEVICE_GROUPS if group not in groups) or "none"
        names = ", ".join(forbidden[:MAX_NAMED_DEVICES])
        return report_fault(
            f"may not use {names} (groups missing: {missing})",
            "sudo usermod -aG video,gpio,render $USER, then log in again",
        )
    return report_ok(f"groups {', '.join(sorted(groups & set(DEVICE_GROUPS))) or 'none needed'}")
