"""Puts coinsorter onto a Raspberry Pi and takes it off again: `make install`, `make rollback`, `make uninstall`.

A release is built in a folder of its own and has to pass its self-test with this machine's settings; only then it becomes the current one. The
one before stays, to go back to. Runs on the system's own Python, before anything of coinsorter's is there, so it uses nothing else.
"""

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
HOME = Path("/opt/coinsorter")
CURRENT, PREVIOUS = HOME / "current", HOME / "previous"
SETTINGS = Path("/etc/coinsorter/config.yaml")
NEWER_SETTINGS = SETTINGS.with_name("config.yaml.new")
# Beside the settings, as what they name may be relative to where they are.
TRIAL = SETTINGS.with_name("config.yaml.trial")
STATE = Path("/var/lib/coinsorter")
COMMAND = Path("/usr/local/bin/coinsorter")
FIRMWARE = Path("/boot/firmware/config.txt")
# Our lines in config.txt stand between these: a Pi 5's bootloader reads no file that config.txt includes.
BEGIN, END = f"# coinsorter begin: made by make install from {SETTINGS}", "# coinsorter end"
MARKS = re.compile(rb"^# coinsorter (begin|end)\b", re.MULTILINE)
OURS = re.compile(
    rb"\r?\n?^# coinsorter begin\b.*^# coinsorter end\b[^\n]*\n?", re.MULTILINE | re.DOTALL
)

PACKAGES = [
    "python3-venv",
    "python3-picamera2",
    "python3-systemd",
    "python3-gpiozero",
    "python3-lgpio",
    "device-tree-compiler",
]
# Parts of a release, and what of it has its place elsewhere.
PARTS = [
    "coinsorter",
    "models",
    "systemd",
    "config.yaml",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
]
PLACES = {
    "systemd/coinsorter-sysusers.conf": Path("/etc/sysusers.d/coinsorter.conf"),
    "systemd/coinsorter.service": Path("/etc/systemd/system/coinsorter.service"),
    "systemd/coinsorter-reboot.service": Path("/etc/systemd/system/coinsorter-reboot.service"),
    "systemd/coinsorter-watchdog.conf": Path("/etc/systemd/system.conf.d/coinsorter-watchdog.conf"),
}
OVERLAY = FIRMWARE.parent / "overlays/coinsorter.dtbo"
# Settings, bundle, golden crops and packages: nothing of the hardware is touched.
SELF_TEST = ["doctor", "--self-test"]
# Asked of a release's own Python, as only it can read the settings: which driver the servos have, and what that lacks, a line each.
DRIVER_AND_NEEDS = """
import sys
from pathlib import Path
from coinsorter.config.load import load_config
from coinsorter.hardware.servos.driver_packages import list_missing_packages
driver = load_config(Path(sys.argv[1])).servo.driver
print(driver, *list_missing_packages(driver), sep="\\n")
"""


class InstallError(Exception):
    """What keeps coinsorter from being installed; the machine is as it was before."""


def main(arguments: list[str]) -> int:
    actions = {"install": install, "rollback": rollback, "uninstall": uninstall}
    if len(arguments) != 1 or arguments[0] not in actions:
        print(f"usage: install.py {'|'.join(actions)}", file=sys.stderr)
        return 2
    sys.stdout.reconfigure(
        line_buffering=True
    )  # in step with the words of the commands that it runs
    os.umask(0o022)  # the service's user is to read what root installs
    try:
        _check_machine(arguments[0])
        actions[arguments[0]]()
    except InstallError as error:
        print(f"make {arguments[0]}: {error}", file=sys.stderr)
        return 1
    return 0


def _check_machine(action: str) -> None:
    if not sys.platform.startswith("linux"):
        raise InstallError(
            f"this is {sys.platform}, not Linux; run it on the Raspberry Pi, or try `make demo` here"
        )
    if os.geteuid() != 0:
        raise InstallError(f"only root may change the system; run `sudo make {action}`")
    if shutil.which("systemctl") is None:
        raise InstallError(
            "this system has no systemd, which starts and watches the machine; run it on Raspberry Pi OS"
        )
    if sys.version_info < (3, 11):
        raise InstallError(
            f"Python {sys.version.split()[0]} is too old; coinsorter needs Raspberry Pi OS Bookworm (Python 3.11) or newer"
        )


# -- install --------------------------------------------------------------------------------------------------------------------------


def install() -> None:
    """Everything that a machine needs to sort on power-up. Where it is there already, nothing changes."""
    if FIRMWARE.exists():
        _around_ours(FIRMWARE.read_bytes())  # before anything changes: its marks are whole
    if os.environ.get("APT", "yes") != "no":
        _install_packages()
    if FIRMWARE.exists() and shutil.which("dtc") is None:
        raise InstallError(
            "dtc is not there, which compiles the device-tree overlay; run `sudo apt install device-tree-compiler`"
        )
    before, release = _current(), _build()
    _keep_settings(release, before)
    _add_what_driver_needs(release)
    _self_test(release)
    for_firmware = _for_firmware(release) if FIRMWARE.exists() else {}
    if release != before:
        _change(before, release)
    else:
        _activate(release)  # mends what has been removed since
    if for_firmware:
        _add_to_firmware(for_firmware)
    _remove_old()
    if not _systemctl("is-active"):
        print("coinsorter starts with the next boot, or with `sudo systemctl start coinsorter`")


def _install_packages() -> None:
    missing = [name for name in PACKAGES if not _succeeds("dpkg", "--status", name)]
    if not missing:
        return
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    how = (
        "check the network and `apt-get update`, or install them yourself and run again with APT=no"
    )
    _run(f"apt could not install {' '.join(missing)}; {how}", "apt-get", "update", "--quiet")
    _run(
        f"apt could not install {' '.join(missing)}; {how}",
        "apt-get",
        "install",
        "--yes",
        "--no-install-recommends",
        *missing,
    )


def _build() -> Path:
    """The release of the sources as they are, built if it is not there yet. A build that was interrupted is begun anew."""
    release = HOME / "releases" / _name()
    if (release / "complete").exists():
        print(f"{release.name} is there already")
        return release
    print(f"building {release.name}, which takes some minutes")
    shutil.rmtree(release, ignore_errors=True)
    for part in ("models", "systemd"):
        _copy(part, release)
    (release / "config.yaml").write_text(_settings_text(), encoding="utf-8")
    _make_environment(release / "venv")
    os.sync()  # all of it is on the card before anything says so
    (release / "complete").touch()
    return release


def _name() -> str:
    """The version, and what else makes a release another one: every file in it, the Python that it is for, what pip is told."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {os.environ.get('PIP_ARGS', '')}".encode())
    for part in PARTS:
        for path in sorted(_files(SOURCE / part)):
            digest.update(
                f"{path.relative_to(SOURCE)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return f"{_version()}-{digest.hexdigest()[:12]}"


def _files(part: Path) -> list[Path]:
    """The files of a part of the sources, without what Python or an editor has left in it."""
    found = [part] if part.is_file() else [path for path in part.rglob("*") if path.is_file()]
    return [
        path
        for path in found
        if not any(name.startswith((".", "__pycache__")) for name in path.relative_to(SOURCE).parts)
    ]


def _version() -> str:
    (line,) = [
        line
        for line in (SOURCE / "coinsorter/__init__.py").read_text(encoding="utf-8").splitlines()
        if line.startswith("__version__")
    ]
    return line.split('"')[1]


def _settings_text() -> str:
    """The settings that come with the release, with the places of an installed machine in them."""
    text = (SOURCE / "config.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("path: var/ledger.db", f"path: {STATE}/ledger.db"),
        ("bundle: models/", f"bundle: {CURRENT}/models/"),
    ):
        if text.count(f"  {old}") != 1:
            raise InstallError(
                f"{SOURCE}/config.yaml: `{old}` is not in it once; take the config.yaml that came with coinsorter"
            )
        text = text.replace(f"  {old}", f"  {new}")
    return text


def _make_environment(folder: Path) -> None:
    """A virtual environment that sees the system's packages: picamera2 and systemd come from apt only."""
    _run(
        "no virtual environment could be made; install python3-venv",
        sys.executable,
        "-m",
        "venv",
        "--system-site-packages",
        str(folder),
    )
    with tempfile.TemporaryDirectory(
        prefix="coinsorter-"
    ) as stage:  # pip writes into the folder that it builds from
        for part in PARTS:
            _copy(part, Path(stage))
        _pip(folder, "pip could not install coinsorter", stage)


def _pip(environment: Path, otherwise: str, *what: str) -> None:
    pip = [
        str(environment / "bin/python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    how = "check the network and run it again, or name a folder of wheels with PIP_ARGS='--no-index --find-links FOLDER'"
    _run(f"{otherwise}; {how}", *pip, *shlex.split(os.environ.get("PIP_ARGS", "")), *what)


def _copy(part: str, to: Path) -> None:
    """A part of the sources, readable for all however private the sources are."""
    for path in _files(SOURCE / part):
        place = to / path.relative_to(SOURCE)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _keep_settings(release: Path, before: Path | None) -> None:
    """A technician's settings stay as they are; where the ones that come with the release are news, they are put beside them."""
    shipped = (release / "config.yaml").read_bytes()
    if not SETTINGS.exists():
        _write(SETTINGS, shipped)
    elif shipped not in (SETTINGS.read_bytes(), before and (before / "config.yaml").read_bytes()):
        _write(NEWER_SETTINGS, shipped)


def _add_what_driver_needs(release: Path) -> None:
    """The packages that the servos' driver in this machine's settings needs and the release has not; pip adds all of them or none."""
    command = [str(release / "venv/bin/python"), "-c", DRIVER_AND_NEEDS, str(SETTINGS)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode != 0:
        return  # a mistake in the settings, of which the self-test tells
    driver, *missing = done.stdout.splitlines()
    if missing:
        print(f"adding what servo.driver {driver} needs: {', '.join(missing)}")
        _pip(
            release / "venv",
            f"pip could not install what servo.driver {driver} needs ({', '.join(missing)}), so {_kept()}",
            *missing,
        )
        os.sync()


def _kept() -> str:
    return f"{_current().name} stays in use" if _current() else "nothing is in use yet"


def _self_test(release: Path) -> None:
    """Asks a release whether it would work with this machine's settings, its own models included, before it is the current one."""
    if release == _current():
        _try(release, SETTINGS)
        return
    TRIAL.write_text(
        SETTINGS.read_text(encoding="utf-8").replace(f"{CURRENT}/", f"{release}/"), encoding="utf-8"
    )
    try:
        _try(release, TRIAL)
    finally:
        TRIAL.unlink()


def _try(release: Path, settings: Path) -> None:
    command = [str(release / "venv/bin/coinsorter"), *SELF_TEST, "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().replace(str(TRIAL), str(SETTINGS))
        raise InstallError(
            f"{release.name} does not pass its self-test, so {_kept()}; mend this and run it again:\n{said}"
        )


def _change(before: Path | None, release: Path) -> None:
    """Makes a release the current one. A machine that is sorting goes on with it, or with the one before if it does not come up."""
    sorting = _systemctl("is-active")
    _activate(release)
    if sorting and not _systemctl("restart"):
        _activate(before)
        _systemctl("restart")
        raise InstallError(
            f"{release.name} does not start, so {before.name} is in use again; `journalctl -u coinsorter` has the reason"
        )
    if before:
        _point(PREVIOUS, before)
    print(
        f"{release.name} is in use"
        + (f"; {before.name} is there to go back to, with `sudo make rollback`" if before else "")
    )


def _activate(release: Path) -> None:
    """Points everything that runs to a release."""
    _point(CURRENT, release)
    _point(COMMAND, CURRENT / "venv/bin/coinsorter")
    changed = [_write(place, (release / name).read_bytes()) for name, place in PLACES.items()]
    if not _succeeds("id", "--user", "coinsorter"):
        _run(
            "the user coinsorter could not be made",
            "systemd-sysusers",
            str(PLACES["systemd/coinsorter-sysusers.conf"]),
        )
    if any(changed):
        _reload()
    if not _systemctl("is-enabled"):
        _run(
            "the service could not be enabled",
            "systemctl",
            "--quiet",
            "enable",
            "coinsorter.service",
        )


def _for_firmware(release: Path) -> dict[Path, bytes]:
    """What firmware and Linux have to know of this machine's pins, made from its own settings: the shipped ones may drive what is no output here."""
    with tempfile.TemporaryDirectory(prefix="coinsorter-") as folder:
        command = [
            str(release / "venv/bin/coinsorter"),
            "wiring",
            "--config",
            str(SETTINGS),
            "--out",
            folder,
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=_environment())
        if done.returncode != 0:
            raise InstallError(
                f"{SETTINGS} cannot be wired; mend this and run it again:\n{done.stderr.strip()}"
            )
        compiled = Path(folder) / OVERLAY.name
        compiler = [
            "dtc",
            "-@",
            "-I",
            "dts",
            "-O",
            "dtb",
            "-o",
            str(compiled),
            f"{folder}/coinsorter-overlay.dts",
        ]
        _run("the device-tree overlay could not be compiled; its message is above", *compiler)
        lines = (Path(folder) / "coinsorter.txt").read_bytes()
        return {OVERLAY: compiled.read_bytes(), FIRMWARE: with_ours(FIRMWARE.read_bytes(), lines)}


def _add_to_firmware(files: dict[Path, bytes]) -> None:
    changed = [_write(path, content) for path, content in files.items()]
    if any(changed):
        print(f"{FIRMWARE.parent} has changed, which takes effect with the next boot")


def _remove_old() -> None:
    kept = {_current(), _release(PREVIOUS)}
    for release in (HOME / "releases").iterdir():
        if release not in kept:
            shutil.rmtree(release)


# -- rollback, uninstall --------------------------------------------------------------------------------------------------------------


def rollback() -> None:
    """The release before is the current one again, and the other way round."""
    before, release = _current(), _release(PREVIOUS)
    if release is None:
        raise InstallError(
            f"{PREVIOUS} is not there: no other release has been in use; `sudo make install` of the sources that you want"
        )
    _self_test(release)
    _change(before, release)


def uninstall() -> None:
    """Removes all that install has made, but the ledger and the settings."""
    if FIRMWARE.exists():
        _write(FIRMWARE, without_ours(FIRMWARE.read_bytes()))
    if PLACES["systemd/coinsorter.service"].exists():
        _run(
            "the service could not be stopped",
            "systemctl",
            "--quiet",
            "disable",
            *(["--now"] if _booted() else []),
            "coinsorter.service",
        )
    for path in (*PLACES.values(), OVERLAY, COMMAND, NEWER_SETTINGS, TRIAL):
        path.unlink(missing_ok=True)
    for folder in {place.parent for place in PLACES.values()}:
        with contextlib.suppress(OSError):  # other things are in it
            folder.rmdir()
    shutil.rmtree(HOME, ignore_errors=True)
    _reload()
    _remove_user()
    for path in (SETTINGS, STATE):
        if path.exists():
            print(f"{path} stays; remove it yourself if it is not needed any more")
    print(f"packages of apt stay as well: {' '.join(PACKAGES)}")


def _remove_user() -> None:
    if not _succeeds("id", "--user", "coinsorter"):
        return
    if STATE.exists():  # or the ledger would belong to whoever gets the number next; the next installation's service takes it over
        _run(
            "the ledger could not be given to root", "chown", "--recursive", "root:root", str(STATE)
        )
    _run("the user coinsorter could not be removed", "userdel", "coinsorter")


# -- config.txt -----------------------------------------------------------------------------------------------------------------------


def with_ours(text: bytes, lines: bytes) -> bytes:
    """The text of config.txt with our lines in it, where they are already, else at its end; all else as it is.

    lines: what `coinsorter wiring` has made.
    """
    before, after = _around_ours(text)
    # From [all] on they are for every model of Pi, whatever section the file was in. Our first newline ends a last line that has none.
    section = f"\n{BEGIN}\n".encode() + lines[lines.index(b"[all]\n") :] + f"{END}\n".encode()
    return before + section + after


def without_ours(text: bytes) -> bytes:
    """The text of config.txt as it was before `with_ours`, byte for byte."""
    before, after = _around_ours(text)
    apart = b"\n" if before and after and not before.endswith(b"\n") else b""
    return before + apart + after


def _around_ours(text: bytes) -> tuple[bytes, bytes]:
    """What stands before our lines and after them; without them all is before. Raises InstallError where a mark is amiss."""
    marks = MARKS.findall(text)
    if not marks:
        return text, b""
    if marks != [b"begin", b"end"]:
        how = "delete what is left of coinsorter's lines, with both marks, and run it again"
        raise InstallError(
            f"{FIRMWARE}: `{BEGIN}` and `{END}` are not there once each, in this order, so nothing was changed; {how}"
        )
    before, after = OURS.split(text)
    return before, after


# -- small things ---------------------------------------------------------------------------------------------------------------------


def _current() -> Path | None:
    return _release(CURRENT)


def _release(link: Path) -> Path | None:
    """The release that a link points to; None where there is none."""
    return link.resolve() if link.exists() else None


def _point(link: Path, target: Path) -> None:
    """Points a link to a target at once, so that whoever follows it finds the old or the new."""
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return
    new = link.with_name(f"{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _write(path: Path, content: bytes) -> bool:
    """Writes a file, whole or not at all, if it holds anything else; returns whether it did."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.part")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return True


def _booted() -> bool:
    """Whether systemd runs here: not while a card's image is being prepared (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def _reload() -> None:
    if _booted():
        _run("systemd could not read its units again", "systemctl", "daemon-reload")


def _systemctl(action: str) -> bool:
    return _succeeds("systemctl", "--quiet", action, "coinsorter.service")


def _environment() -> dict[str, str]:
    """For Python of a release, which is complete as it is: nothing is to be written into it."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def _succeeds(*command: str) -> bool:
    return (
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        == 0
    )


def _run(otherwise: str, *command: str) -> None:
    """Runs a command, whose own words are shown. Raises InstallError with what to say where it fails."""
    if subprocess.run(command).returncode != 0:
        raise InstallError(otherwise)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
