"""The service under a real systemd: its sandbox, when it is restarted, and how soon it sorts."""

import cv2
import pytest

from tests.conftest import draw_disc
from tests.system.conftest import INSTALL, Outcome, Rig

# A drop-in that puts something else in the machine's place, all else being as in the unit.
INSTEAD = """
instead() {
    mkdir -p /etc/systemd/system/$1.service.d
    printf '[Service]\\nExecStart=\\nExecStart=%s\\n' "$2" \\
        >/etc/systemd/system/$1.service.d/test.conf
    systemctl daemon-reload
    systemctl reset-failed
}
cp guest/*.py /usr/local/lib/
mkdir -p /run/test
"""
REBOOTED = "/bin/sh -c 'echo rebooted >>/run/test/rebooted'"


def settled(field: str) -> str:
    """Waits until the service has come to rest, and leaves its state under a name."""
    return f"""
        until systemctl --quiet is-failed coinsorter; do sleep 0.2; done
        sleep 1
        systemctl show coinsorter --property NRestarts --property Result >rig-out/{field}
        test -e /run/test/rebooted && cp /run/test/rebooted rig-out/{field}-rebooted
        rm -f /run/test/rebooted
    """


@pytest.fixture(scope="module")
def trials(rig: Rig) -> Outcome:
    """A service that writes wherever it can, and services that fail in one way or another."""
    outcome = rig.run(
        f"""
        {INSTALL}
        {INSTEAD}
        instead coinsorter '/usr/bin/python3 /usr/local/lib/sweep.py writable.json'
        systemctl start coinsorter
        cp /var/lib/coinsorter/writable.json rig-out/
        find / -xdev -name trace-of-the-service >rig-out/traces
        find /tmp /var/tmp -maxdepth 1 -name trace-of-the-service >rig-out/public-traces
        systemctl stop coinsorter

        set +e
        instead coinsorter-reboot "{REBOOTED}"
        instead coinsorter '/bin/sh -c "exit 78"'
        systemctl start coinsorter
        {settled("mistake")}
        instead coinsorter '/bin/sh -c "exit 69"'
        systemctl start coinsorter
        {settled("fault")}
        mkdir -p /etc/systemd/system/coinsorter-reboot.service.d
        echo '60.00 60.00' >/run/test/uptime
        instead coinsorter-reboot "{REBOOTED}"
        printf 'BindReadOnlyPaths=/run/test/uptime:/proc/uptime\\n' \\
            >>/etc/systemd/system/coinsorter-reboot.service.d/test.conf
        systemctl daemon-reload
        systemctl start coinsorter
        {settled("fault-after-boot")}
        instead coinsorter '/usr/bin/python3 /usr/local/lib/play.py stuck'
        systemctl start coinsorter
        restarts='systemctl show --value --property NRestarts coinsorter'
        until [ "$($restarts)" = 1 ]; do sleep 0.2; done
        systemctl stop coinsorter
        """
    )
    assert outcome.left.is_dir(), outcome.printed
    return outcome


def test_the_service_can_write_to_its_own_folders_only(trials):
    assert trials.json("writable.json") == [
        "/run/coinsorter",
        "/tmp",
        "/var/lib/coinsorter",
        "/var/tmp",
    ]
    assert "/var/lib/coinsorter/trace-of-the-service" in trials.text("traces")
    assert trials.text("public-traces") == ""  # /tmp and /var/tmp are its own


def test_a_mistake_in_the_settings_is_not_tried_again(trials):
    assert trials.text("mistake") == "Result=exit-code\nNRestarts=0\n"


def test_after_a_fault_of_a_device_it_is_started_five_times_in_all(trials):
    assert "coinsorter.service: Start request repeated too quickly." in trials.journal
    assert (
        trials.text("fault") == "Result=exit-code\nNRestarts=5\n"
    )  # of which systemd refuses the last


def test_only_a_pi_that_has_been_up_for_a_while_is_restarted_when_restarts_do_not_help(trials):
    assert trials.text("fault-rebooted") == "rebooted\n"
    assert not (trials.left / "mistake-rebooted").exists()
    assert not (trials.left / "fault-after-boot-rebooted").exists()
    assert trials.text("fault-after-boot") == trials.text("fault")


def test_a_machine_that_no_frames_come_to_is_killed_and_started_again(trials):
    assert "Watchdog timeout (limit 10s)" in trials.journal


def test_the_installed_machine_starts_stays_up_under_its_watchdog_and_stops(rig, tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), draw_disc(320, 240, 60, width=640, height=480))
    outcome = rig.run(
        f"""
        {INSTALL}
        cp -r given /opt/frames && chmod -R a+rX /opt/frames
        settings=/etc/coinsorter/config.yaml
        sed -i -e 's/source: pi /source: folder /' -e 's#folder: null#folder: /opt/frames#' \\
            -e 's/driver: gpio /driver: mock /' $settings
        systemctl start coinsorter
        systemctl show coinsorter --property InactiveExitTimestampMonotonic \\
            --property ActiveEnterTimestampMonotonic >rig-out/times
        sleep 12
        systemctl is-active coinsorter >rig-out/active
        systemctl stop coinsorter
        systemctl show coinsorter --property Result --property NRestarts >rig-out/end
        """,
        files=tmp_path,
    )
    assert outcome.status == 0, outcome.printed + outcome.journal
    times = dict(line.split("=") for line in outcome.text("times").splitlines())
    took_s = (
        int(times["ActiveEnterTimestampMonotonic"]) - int(times["InactiveExitTimestampMonotonic"])
    ) / 1e6
    print(f"from the unit's start to READY=1: {took_s:.2f} s (bar 3)")
    assert took_s > 0
    assert outcome.text("active") == "active\n"  # for longer than the watchdog waits
    assert outcome.text("end") == "Result=success\nNRestarts=0\n"


def test_the_sandbox_leaves_camera_pins_and_pwm_usable(rig):
    rig.needs("uml")
    outcome = rig.run(
        f"""
        {INSTALL}
        {INSTEAD}
        # Raspberry Pi OS gives these away by its udev rules
        pins='/dev/gpiochip0 /run/gpiosim/sim_gpio6/pull'
        chgrp gpio $pins && chmod g+rw $pins
        chgrp video /dev/dma_heap/* && chmod g+rw /dev/dma_heap/*
        instead coinsorter '/opt/venv/bin/python /usr/local/lib/devices.py'
        systemctl start coinsorter
        cp /var/lib/coinsorter/devices.json rig-out/
        """,
        backend="uml",
    )
    assert outcome.status == 0, outcome.printed + outcome.journal
    assert outcome.json("devices.json") == {
        "camera": [480, 640, 3],
        "servo": 1,
        "revision": True,
        "sysfs": "pull-up",
    }
