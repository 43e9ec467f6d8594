"""One fault after the other for an installed machine; writes rig-out/faults.json.

With the word "all" every one, else the quicker half of them.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

SIM = Path("/sys/kernel/config/gpio-sim")
SILENT = Path("/run/silent")
CAMERA = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
TRACE = Path("/sys/kernel/tracing/trace")
LONGEST_S = 150  # for anything that is waited for
results: dict[str, dict] = {}


def ran(*words: str, **environment: str) -> str:
    return subprocess.run(
        words, capture_output=True, text=True, env=os.environ | environment
    ).stdout


def service() -> dict[str, str]:
    names = "ActiveState,SubState,NRestarts,Result,StatusText,MainPID,ExecMainStatus"
    return dict(
        line.split("=", 1)
        for line in ran("systemctl", "show", "coinsorter", f"--property={names}").splitlines()
    )


def doctor() -> dict[str, list[str]]:
    """Its findings, with the virtual camera at the frame rate that the service has."""
    services = ran("systemctl", "show", "--value", "--property=Environment", "coinsorter").split()
    camera = dict(
        setting.split("=", 1) for setting in services if setting.startswith(("RIG_", "MALLOC_"))
    )
    findings = json.loads(
        ran("coinsorter", "doctor", "--config", "/etc/coinsorter/config.yaml", "--json", **camera)
    )
    return {
        finding["part"]: [finding["state"], f"{finding['what']}; {finding['remedy']}"]
        for finding in findings
    }


def journal(since: float) -> str:
    return ran(
        "journalctl", "--unit=coinsorter", "--no-pager", "--output=cat", f"--since=@{since:.3f}"
    )


def ledger(question: str) -> list[tuple]:
    with sqlite3.connect("file:/var/lib/coinsorter/ledger.db?mode=ro", uri=True) as book:
        return book.execute(question).fetchall()


def changes() -> int:
    """How often any pin changes in half a second: servos get pulses or not."""
    TRACE.write_text("")
    time.sleep(0.5)
    return len(re.findall(" set ", TRACE.read_text()))


def until(what, wanted=True):
    begun_s = time.monotonic()
    while (now := what()) != wanted:
        if time.monotonic() > begun_s + LONGEST_S:
            raise SystemExit(
                f"waited in vain: {now}, not {wanted}\n{journal(time.time() - LONGEST_S)}"
            )
        time.sleep(1)  # asking costs what waits for the answer: this computer has one processor


def sorting(more: int = 2) -> None:
    """Waits until the service is active and has decided on some more coins."""
    until(lambda: service()["ActiveState"], "active")
    before = ledger("SELECT count(*) FROM coins")[0][0]
    until(lambda: ledger("SELECT count(*) FROM coins")[0][0] >= before + more)


def state_after_failure() -> str:
    """The service's state; newer versions of systemd call the end of its wait "queued"."""
    return service()["SubState"].removesuffix("-queued")


def failed_once() -> str:
    """Starts the service, waits until it fails, and stops it; returns its state after that."""
    ran("systemctl", "reset-failed", "coinsorter")
    ran("systemctl", "start", "--no-block", "coinsorter")
    until(lambda: state_after_failure() in ("auto-restart", "failed"))
    state = state_after_failure()
    ran("systemctl", "stop", "coinsorter")
    return state


def report(fault: str, since: float, **more: object) -> None:
    results[fault] = {"service": service(), "doctor": doctor(), "said": journal(since), **more}
    print(fault, results[fault]["service"], flush=True)


def gpio_chips(*labels: str) -> None:
    """Replaces the GPIO chips by new ones with these labels, numbered in this order."""
    for chip in SIM.iterdir():
        (chip / "live").write_text("0")
        for line in (chip / "bank0").glob("line*"):
            line.rmdir()
        (chip / "bank0").rmdir()
        chip.rmdir()
    for number, label in enumerate(labels):
        chip = SIM / f"new{number}"
        (chip / "bank0").mkdir(parents=True)
        (chip / "bank0" / "num_lines").write_text("54")
        (chip / "bank0" / "label").write_text(label)
        (chip / "live").write_text("1")
    ran("udevadm", "settle")


def start() -> None:
    ran("systemctl", "reset-failed", "coinsorter")
    ran("systemctl", "start", "coinsorter")


def camera_falls_silent_for_a_while() -> None:
    sorting()
    since = time.time()
    SILENT.touch()
    until(lambda: "camera: no frame for" in journal(since))
    SILENT.unlink()
    sorting()
    report(
        "camera silent for a while",
        since,
        incidents=ledger("SELECT what, place FROM incidents ORDER BY id"),
    )


def camera_falls_silent() -> None:
    since = time.time()
    SILENT.touch()
    until(state_after_failure, "auto-restart")
    pulsing = changes()
    ran(
        "systemctl", "stop", "coinsorter"
    )  # or the doctor and the next start would have the camera by turns
    report("camera silent", since, pulsing=pulsing, then=failed_once())
    SILENT.unlink()
    start()
    sorting()


def camera_is_absent() -> None:
    ran("systemctl", "stop", "coinsorter")
    since = time.time()
    shutil.move(CAMERA, "/run/virtual.yaml")
    report("camera absent", since, then=failed_once(), pulsing=changes())
    shutil.move("/run/virtual.yaml", CAMERA)


def gpio_chip_is_absent() -> None:
    since = time.time()
    gpio_chips("another-chip")
    report("chip absent", since, then=failed_once())


def gpio_chip_is_renumbered() -> None:
    since = time.time()
    gpio_chips("another-chip", "pinctrl-bcm2711")
    start()
    sorting()
    report("chip renumbered", since, pulsing=changes())
    ran("systemctl", "stop", "coinsorter")


def pin_is_in_use() -> None:
    since = time.time()
    holder = subprocess.Popen(["gpioset", "-c", "gpiochip1", "13=0"])
    report("pin in use", since, then=failed_once(), pulsing=changes())
    holder.kill()
    holder.wait()


def process_is_hit(fault: str, blow: signal.Signals) -> None:
    start()
    sorting()
    before, since = service(), time.time()
    os.kill(int(before["MainPID"]), blow)
    time.sleep(0.3)
    pulsing = changes()
    until(lambda: service()["MainPID"] not in (before["MainPID"], "0"))
    sorting()
    still_open = ledger(
        "SELECT count(*) FROM coins WHERE landed IS NULL AND run < (SELECT max(id) FROM runs)"
    )[0][0]
    report(fault, since, pulsing=pulsing, still_open=still_open)
    ran("systemctl", "stop", "coinsorter")


def second_process_comes() -> None:
    """root and a technician in the group gpio call commands beside the sorting service."""
    ran("useradd", "--groups", "gpio", "technician")
    start()
    sorting()
    since, pid = time.time(), service()["MainPID"]
    runs_before = ledger("SELECT count(*) FROM runs")
    settings = ("--config", "/etc/coinsorter/config.yaml")
    technician = ("runuser", "-u", "technician", "--")
    calls = {
        "run by root": ("coinsorter", "run", *settings),
        "park by root": ("coinsorter", "park", *settings),
        "park by a technician": (*technician, "coinsorter", "park", *settings),
        "jog by a technician": (*technician, "coinsorter", "jog", "bin_025", *settings),
    }
    second = {}
    for name, words in calls.items():
        done = subprocess.run(words, capture_output=True, text=True, cwd="/")
        second[name] = [done.returncode, done.stderr]
    sorting()
    is_untouched = ledger("SELECT count(*) FROM runs") == runs_before
    facts = {"second": second, "pid": pid, "is_untouched": is_untouched, "pulsing": changes()}
    report("second process", since, **facts)
    ran("systemctl", "stop", "coinsorter")
    parked = subprocess.run((*technician, "coinsorter", "park", *settings), cwd="/")
    results["second process"]["parked_after"] = parked.returncode


def service_is_killed() -> None:
    process_is_hit("service killed", signal.SIGKILL)


def watchdog_is_starved() -> None:
    process_is_hit("watchdog starved", signal.SIGSTOP)


FAULTS = [
    camera_falls_silent_for_a_while,
    camera_falls_silent,
    camera_is_absent,
    gpio_chip_is_absent,
    gpio_chip_is_renumbered,
    pin_is_in_use,
    watchdog_is_starved,
    service_is_killed,
    second_process_comes,
]
# These leave out what takes longest, or what another one shows in part.
QUICK_FAULTS = [
    camera_falls_silent_for_a_while,
    camera_is_absent,
    gpio_chip_is_renumbered,
    pin_is_in_use,
    service_is_killed,
]
for happen in FAULTS if sys.argv[1:] == ["all"] else QUICK_FAULTS:
    happen()
Path("rig-out/faults.json").write_text(json.dumps(results))
