"""What `doctor` says of the program: its settings, its models, its packages and its service."""

import sys
import time
from importlib import metadata

from coinsorter.config.load import format_mistakes, load_config, read_config
from coinsorter.errors import ConfigError
from coinsorter.hardware.servos.driver_packages import list_missing_packages
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime, read_version
from coinsorter.tools.doctor_probe import (
    SERVICE,
    Observation,
    Probe,
    report_fault,
    report_ok,
    report_warning,
)

#: systemd's words for how a service ended (systemd.exec(5), $SERVICE_RESULT), in ours.
SERVICE_RESULTS = {
    "exit-code": "it gave up",
    "signal": "it was killed",
    "core-dump": "it crashed",
    "watchdog": "the watchdog stopped it: no frames came, or it stood still",
    "timeout": "it took too long to start or to stop",
    "oom-kill": "memory ran out",
}
SERVICE_PROPERTIES = "ActiveState,SubState,NRestarts,Result,StatusText"
#: Packages whose versions are reported, where they are installed.
PACKAGES = (
    "coinsorter",
    "numpy",
    "opencv-python-headless",
    "gpiozero",
    "lgpio",
    "picamera2",
    "ai-edge-litert",
    "tflite-runtime",
)


def check_settings(probe: Probe) -> Observation:
    """Whether config.yaml can be loaded."""
    try:
        load_config(probe.config_path)
    except ConfigError as error:
        mistakes = str(error).splitlines()
        return report_fault(
            f"{len(mistakes)} mistakes, the first: {mistakes[0]}",
            f"run `coinsorter check {probe.config_path}`",
        )
    return report_ok(str(probe.config_path))


def check_models(probe: Probe) -> Observation:
    """Whether the bundle answers its golden crops, and has the labels that the bins name."""
    settings = probe.settings.runtime
    bundle = load_bundle(probe.config_path.parent / settings.bundle)
    interpreter = pick_runtime(settings.interpreter)
    start_s = time.monotonic()
    Classifier(bundle, interpreter, settings.threads).check_golden_crops()
    duration_s = time.monotonic() - start_s
    mistakes = read_config(probe.config_path, bundle.labels, bundle.crop)[1]
    if mistakes:
        first = format_mistakes(probe.config_path, mistakes)[0]
        return report_fault(first, "correct config.yaml, or name another bundle")
    if bundle.manifest.provisional:
        names = ", ".join(bundle.manifest.provisional)
        return report_warning(
            f"{bundle.path}: provisional labels, whose thresholds no held-out coin set: {names}",
            "set them on a desktop, by coinsorter-train calibrate on photographs of all labels",
        )
    crops = len(bundle.golden.crops)
    version = read_version(interpreter)
    return report_ok(
        f"{bundle.path}, sha256 {bundle.digest[:16]}: {crops} golden crops answered on "
        f"{interpreter} {version} in {duration_s:.1f} s"
    )


def check_packages(probe: Probe) -> Observation:
    """Whether the packages are installed that the servos' driver needs besides the release's."""
    driver = probe.settings.servo.driver
    missing = list_missing_packages(driver)
    if missing:
        return report_fault(
            f"servo.driver {driver} lacks {', '.join(missing)}",
            "run `sudo make install` again, which adds it",
        )
    return report_ok(f"all that servo.driver {driver} needs")


def check_service(probe: Probe) -> Observation:
    """What systemd says of the service: its state, and why it was started again."""
    properties = _read_service_properties(probe)
    if not properties:
        return report_warning(
            "systemd does not answer", "start the machine by hand: coinsorter run"
        )
    active = properties.get("ActiveState", "?")
    restarts = int(properties.get("NRestarts") or 0)
    status = properties.get("StatusText") or properties.get("SubState", "?")
    if active == "failed":
        return report_fault(
            f"failed: {_read_last_failure(probe)}",
            "read `journalctl -u coinsorter -n 50`, mend that, then `systemctl restart coinsorter`",
        )
    if status.startswith("fault"):
        return report_fault(f"{active}: {status}", "mend that, then `systemctl restart coinsorter`")
    if restarts > 0:
        return report_warning(
            f"{active}, started again {restarts} times, the last time since "
            f"{_read_last_failure(probe)}",
            "read `journalctl -u coinsorter`: it says why",
        )
    return report_ok(f"{active}: {status}")


def _read_service_properties(probe: Probe) -> dict[str, str]:
    """The properties by name; none where systemd does not answer."""
    output = probe.run(["systemctl", "show", f"--property={SERVICE_PROPERTIES}", SERVICE])
    lines = (output or "").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _read_last_failure(probe: Probe) -> str:
    """How the service last failed since the Pi was switched on."""
    journal = probe.run(
        [
            "journalctl",
            "--unit",
            SERVICE,
            "--boot",
            "--output=cat",
            "--no-pager",
            "--grep",
            "Failed with result '(?!start-limit)",
        ]
    )
    if not journal or "'" not in journal:
        return "why is in a journal that this user may not read"
    result = journal.splitlines()[-1].split("'")[1]
    return SERVICE_RESULTS.get(result, result)


def check_versions(probe: Probe) -> Observation:
    """The versions of the computer, of Python and of the packages."""
    versions = [_read_version(name) for name in PACKAGES]
    installed = ", ".join(version for version in versions if version)
    model = probe.read_file("/proc/device-tree/model") or "no Raspberry Pi"
    return report_ok(f"{model}; Python {sys.version.split()[0]}; {installed}")


def _read_version(name: str) -> str | None:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return None
