"""Uses every kind of device in the machine's sandbox; leaves the results in its state directory."""

import json
import os
import socket
from pathlib import Path

import lgpio
from picamera2 import Picamera2

# As the folders of a Pi's PWM chips, it belongs to the group gpio.
PULL = Path("/run/gpiosim/sim_gpio6/pull").resolve()


def camera() -> list[int]:
    with Picamera2() as opened:
        opened.configure(
            opened.create_video_configuration(
                main={"size": (640, 480), "format": "RGB888"}, buffer_count=4
            )
        )
        opened.start()
        return list(opened.capture_array("main").shape)


def servo() -> int:
    chip = lgpio.gpiochip_open(0)
    lgpio.tx_servo(chip, 5, 1500)
    sent = lgpio.tx_busy(chip, 5, lgpio.TX_PWM)
    lgpio.gpiochip_close(chip)
    return sent


def revision() -> bool:
    return "Revision" in Path("/proc/cpuinfo").read_text()


def sysfs() -> str:
    PULL.write_text("pull-up")
    return PULL.read_text().strip()


def try_part(part) -> object:
    try:
        return part()
    except (OSError, RuntimeError, IndexError, lgpio.error) as error:
        return repr(error)


results = {part.__name__: try_part(part) for part in (camera, servo, revision, sysfs)}
Path(os.environ["STATE_DIRECTORY"], "devices.json").write_text(json.dumps(results))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
    to.connect(os.environ["NOTIFY_SOCKET"])
    to.send(b"READY=1")
