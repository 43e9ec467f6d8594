"""Installs coinsorter on a Raspberry Pi: `make install`, `make rollback`, `make uninstall`.

A release is built in a folder of its own and has to pass its self-test with this machine's
settings; only then it becomes the current one. The one before stays, to go back to. This runs on
the system's own Python before any package of coinsorter is installed, so it uses none.
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
RELEASES = HOME / "releases"
CURRENT = HOME / "current"
PREVIOUS = HOME / "previous"
#: A file in a release that says that it was built to its end.
COMPLETE = "complete"
SETTINGS = Path("/etc/coinsorter/config.yaml")
NEWER_SETTINGS = SETTINGS.with_name("config.yaml.new")
#: Beside the settings, as what they name may be relative to where they are.
TRIAL = SETTINGS.with_name("config.yaml.trial")
STATE = Path("/var/lib/coinsorter")
COMMAND = Path("/usr/local/bin/coinsorter")
USER = "coinsorter"
SERVICE = "coinsorter.service"

FIRMWARE = Path("/boot/firmware/config.txt")
OVERLAY = FIRMWARE.parent / "overlays/coinsorter.dtbo"
#: The block of coinsorter's lines in config.txt is between these marks: a Pi 5's bootloader reads
#: no file that config.txt includes.
BEGIN_MARK = f"# coinsorter begin: made by make install from {SETTINGS}"
END_MARK = "# coinsorter end"
MARKS = re.compile(rb"^# coinsorter (begin|end)\b", re.MULTILINE)
BLOCK = re.compile(
    rb"\r?\n?^# coinsorter begin\b.*^# coinsorter end\b[^\n]*\n?", re.MULTILINE | re.DOTALL
)

#: Packages of Raspberry Pi OS.
PACKAGES = [
    "python3-venv",
    "python3-picamera2",
    "python3-gpiozero",
    "python3-lgpio",
    "device-tree-compiler",
]
#: Files and folders of the sources that make a release.
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
#: By a release's file, where the system has it.
PLACES = {
    "systemd/coinsorter-sysusers.conf": Path("/etc/sysusers.d/coinsorter.conf"),
    "systemd/coinsorter.service": Path("/etc/systemd/system/coinsorter.service"),
    "systemd/coinsorter-reboot.service": Path("/etc/systemd/system/coinsorter-reboot.service"),
    "systemd/coinsorter-watchdog.conf": Path("/etc/systemd/system.conf.d/coinsorter-watchdog.conf"),
}
#: Checks settings, bundle, golden crops and packages; the hardware is not touched.
SELF_TEST = ["doctor", "--self-test"]
#: For a release's own Python, as only it can read the settings. It prints the servos' driver, then
#: the packages that it needs and the release lacks, a line each.
LIST_DRIVER_PACKAGES = """
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
    """Does what the one argument names; returns the exit status."""
    actions = {"install": install, "rollback": rollback, "uninstall": uninstall}
    if len(arguments) != 1 or arguments[0] not in actions:
        print(f"usage: install.py {'|'.join(actions)}", file=sys.stderr)
        return 2
    (action,) = arguments
    # Lines come out in step with the output of the commands that it runs.
    sys.stdout.reconfigure(line_buffering=True)
    # The service's user is to read what root installs.
    os.umask(0o022)
    try:
        _check_machine(action)
        actions[action]()
    except InstallError as error:
        print(f"make {action}: {error}", file=sys.stderr)
        return 1
    return 0


def _check_machine(action: str) -> None:
    if not sys.platform.startswith("linux"):
        remedy = "run it on the Raspberry Pi, or try `make demo` here"
        raise InstallError(f"this is {sys.platform}, not Linux; {remedy}")
    if os.geteuid() != 0:
        raise InstallError(f"only root may change the system; run `sudo make {action}`")
    if shutil.which("systemctl") is None:
        what = "this system has no systemd, which starts and watches the machine"
        raise InstallError(f"{what}; run it on Raspberry Pi OS")
    if sys.version_info < (3, 11):  # noqa: UP036 - it runs on whatever Python the system has
        version = sys.version.split()[0]
        needed = "coinsorter needs Raspberry Pi OS Bookworm (Python 3.11) or newer"
        raise InstallError(f"Python {version} is too old; {needed}")


# --- install -------------------------------------------------------------------------------------


def install() -> None:
    """Installs all that a machine needs to sort on power-up; a second time changes nothing."""
    if FIRMWARE.exists():
        _split_around_block(FIRMWARE.read_bytes())  # refuses wrong marks before anything changes
    if os.environ.get("APT", "yes") != "no":
        _install_packages()
    _check_compiler()
    before = _current()
    release = _build()
    _keep_settings(release, before)
    _add_driver_packages(release)
    _self_test(release)
    firmware_files = _make_firmware_files(release) if FIRMWARE.exists() else {}
    if release != before:
        _switch(before, release)
    else:
        _activate(release)  # repairs what was removed since
    _write_firmware_files(firmware_files)
    _remove_old_releases()
    if not _systemctl("is-active"):
        print("coinsorter starts with the next boot, or with `sudo systemctl start coinsorter`")


def _install_packages() -> None:
    missing = [name for name in PACKAGES if not _succeeds("dpkg", "--status", name)]
    if not missing:
        return
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    what = f"apt could not install {' '.join(missing)}"
    remedy = "check the network and `apt-get update`, or install them yourself and run again"
    failure = f"{what}; {remedy} with APT=no"
    _run(failure, "apt-get", "update", "--quiet")
    _run(failure, "apt-get", "install", "--yes", "--no-install-recommends", *missing)


def _check_compiler() -> None:
    if FIRMWARE.exists() and shutil.which("dtc") is None:
        what = "dtc is not there, which compiles the device-tree overlay"
        raise InstallError(f"{what}; run `sudo apt install device-tree-compiler`")


def _build() -> Path:
    """The release of the sources as they are, built if it is not there yet.

    A build that was interrupted starts again from nothing.
    """
    release = RELEASES / _name_release()
    if (release / COMPLETE).exists():
        print(f"{release.name} is there already")
        return release
    print(f"building {release.name}, which takes some minutes")
    shutil.rmtree(release, ignore_errors=True)
    for part in ("models", "systemd"):
        _copy(part, release)
    (release / "config.yaml").write_text(_installed_settings(), encoding="utf-8")
    _make_environment(release / "venv")
    os.sync()  # all of it is on the card before the mark says so
    (release / COMPLETE).touch()
    return release


def _name_release() -> str:
    """The version and a digest: of every file, of Python's version, and of pip's arguments."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {os.environ.get('PIP_ARGS', '')}".encode())
    for part in PARTS:
        for path in sorted(_list_files(SOURCE / part)):
            file_digest = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(SOURCE)} {file_digest}\n".encode())
    return f"{_read_version()}-{digest.hexdigest()[:12]}"


def _list_files(part: Path) -> list[Path]:
    """The files of a part of the sources, without what Python or an editor leaves in it."""
    if part.is_file():
        paths = [part]
    else:
        paths = [path for path in part.rglob("*") if path.is_file()]
    return [path for path in paths if not _is_litter(path)]


def _is_litter(path: Path) -> bool:
    names = path.relative_to(SOURCE).parts
    return any(name.startswith((".", "__pycache__")) for name in names)


def _read_version() -> str:
    text = (SOURCE / "coinsorter/__init__.py").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("__version__")]
    return line.split('"')[1]


def _installed_settings() -> str:
    """The text of the settings that come with the release, with an installed machine's paths."""
    text = (SOURCE / "config.yaml").read_text(encoding="utf-8")
    text = _replace_once(text, "path: var/ledger.db", f"path: {STATE}/ledger.db")
    return _replace_once(text, "bundle: models/", f"bundle: {CURRENT}/models/")


def _replace_once(text: str, old: str, new: str) -> str:
    if text.count(f"  {old}") != 1:
        what = f"{SOURCE}/config.yaml: `{old}` is not in it once"
        raise InstallError(f"{what}; take the config.yaml that came with coinsorter")
    return text.replace(f"  {old}", f"  {new}")


def _make_environment(folder: Path) -> None:
    """A virtual environment that sees the system's packages.

    picamera2 and systemd come from apt only.
    """
    failure = "no virtual environment could be made; install python3-venv"
    _run(failure, sys.executable, "-m", "venv", "--system-site-packages", str(folder))
    # pip writes into the folder that it builds from.
    with tempfile.TemporaryDirectory(prefix="coinsorter-") as stage:
        for part in PARTS:
            _copy(part, Path(stage))
        _pip(folder, "pip could not install coinsorter", stage)


def _pip(environment: Path, failure: str, *requirements: str) -> None:
    python = str(environment / "bin/python")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    arguments = shlex.split(os.environ.get("PIP_ARGS", ""))
    remedy = "check the network and run it again, or name a folder of wheels"
    example = "PIP_ARGS='--no-index --find-links FOLDER'"
    _run(f"{failure}; {remedy} with {example}", *command, *arguments, *requirements)


def _copy(part: str, to: Path) -> None:
    """Copies a part of the sources, readable for all however private the sources are."""
    for path in _list_files(SOURCE / part):
        place = to / path.relative_to(SOURCE)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _keep_settings(release: Path, before: Path | None) -> None:
    """Leaves a technician's settings as they are.

    Where the ones that come with the release are news, they are put beside them.
    """
    shipped = (release / "config.yaml").read_bytes()
    if not SETTINGS.exists():
        _write(SETTINGS, shipped)
        return
    shipped_before = before and (before / "config.yaml").read_bytes()
    if shipped not in (SETTINGS.read_bytes(), shipped_before):
        _write(NEWER_SETTINGS, shipped)


def _add_driver_packages(release: Path) -> None:
    """Adds the packages that the servos' driver in this machine's settings needs.

    pip adds all that the release lacks, or none.
    """
    python = str(release / "venv/bin/python")
    result = _capture(python, "-c", LIST_DRIVER_PACKAGES, str(SETTINGS))
    if result.returncode != 0:
        return  # a mistake in the settings, which the self-test reports
    driver, *missing = result.stdout.splitlines()
    if not missing:
        return
    packages = ", ".join(missing)
    print(f"adding what servo.driver {driver} needs: {packages}")
    what = f"pip could not install what servo.driver {driver} needs ({packages})"
    _pip(release / "venv", f"{what}, so {_describe_current()}", *missing)
    os.sync()


def _describe_current() -> str:
    current = _current()
    return f"{current.name} stays in use" if current else "nothing is in use yet"


def _self_test(release: Path) -> None:
    """Raises InstallError if a release would not work with this machine's settings.

    It is tested with its own models, before it is the current one.
    """
    if release == _current():
        _run_self_test(release, SETTINGS)
        return
    text = SETTINGS.read_text(encoding="utf-8")
    TRIAL.write_text(text.replace(f"{CURRENT}/", f"{release}/"), encoding="utf-8")
    try:
        _run_self_test(release, TRIAL)
    finally:
        TRIAL.unlink()


def _run_self_test(release: Path, settings: Path) -> None:
    program = str(release / "venv/bin/coinsorter")
    result = _capture(program, *SELF_TEST, "--config", str(settings))
    if result.returncode != 0:
        output = (result.stdout + result.stderr).strip().replace(str(TRIAL), str(SETTINGS))
        # the release in use may be older than the command that mends it
        output = output.replace("`coinsorter ", f"`sudo {program} ")
        what = f"{release.name} does not pass its self-test, so {_describe_current()}"
        raise InstallError(f"{what}; mend this and run it again:\n{output}")


def _switch(before: Path | None, release: Path) -> None:
    """Makes a release the current one.

    A machine that is sorting goes on with it, or with the one before if it does not start.
    """
    sorting = _systemctl("is-active")
    _activate(release)
    if sorting and not _systemctl("restart"):
        _activate(before)
        _systemctl("restart")
        what = f"{release.name} does not start, so {before.name} is in use again"
        raise InstallError(f"{what}; `journalctl -u coinsorter` has the reason")
    if before:
        _point(PREVIOUS, before)
        go_back = f"{before.name} is there to go back to, with `sudo make rollback`"
        print(f"{release.name} is in use; {go_back}")
    else:
        print(f"{release.name} is in use")


def _activate(release: Path) -> None:
    """Points everything that runs to a release."""
    _point(CURRENT, release)
    _point(COMMAND, CURRENT / "venv/bin/coinsorter")
    changed = [_write(place, (release / name).read_bytes()) for name, place in PLACES.items()]
    if not _succeeds("id", "--user", USER):
        users = str(PLACES["systemd/coinsorter-sysusers.conf"])
        _run("the user coinsorter could not be made", "systemd-sysusers", users)
    if any(changed):
        _reload()
    if not _systemctl("is-enabled"):
        _run("the service could not be enabled", "systemctl", "--quiet", "enable", SERVICE)


def _make_firmware_files(release: Path) -> dict[Path, bytes]:
    """What firmware and Linux have to know of this machine's pins, by file.

    It is made from the machine's own settings: the shipped ones may drive what is no output here.
    """
    with tempfile.TemporaryDirectory(prefix="coinsorter-") as folder:
        program = str(release / "venv/bin/coinsorter")
        result = _capture(program, "wiring", "--config", str(SETTINGS), "--out", folder)
        if result.returncode != 0:
            problem = f"{SETTINGS} cannot be wired"
            raise InstallError(f"{problem}; mend this and run it again:\n{result.stderr.strip()}")
        overlay = _compile_overlay(Path(folder))
        lines = (Path(folder) / "coinsorter.txt").read_bytes()
    return {OVERLAY: overlay, FIRMWARE: insert_block(FIRMWARE.read_bytes(), lines)}


def _compile_overlay(folder: Path) -> bytes:
    source = str(folder / "coinsorter-overlay.dts")
    compiled = folder / OVERLAY.name
    failure = "the device-tree overlay could not be compiled; its message is above"
    _run(failure, "dtc", "-@", "-I", "dts", "-O", "dtb", "-o", str(compiled), source)
    return compiled.read_bytes()


def _write_firmware_files(files: dict[Path, bytes]) -> None:
    changed = [_write(path, content) for path, content in files.items()]
    if any(changed):
        print(f"{FIRMWARE.parent} has changed, which takes effect with the next boot")


def _remove_old_releases() -> None:
    in_use = {_current(), _release_at(PREVIOUS)}
    for release in RELEASES.iterdir():
        if release not in in_use:
            shutil.rmtree(release)


# --- rollback, uninstall -------------------------------------------------------------------------


def rollback() -> None:
    """Makes the release before the current one again, and the other way round."""
    before = _current()
    release = _release_at(PREVIOUS)
    if release is None:
        what = f"{PREVIOUS} is not there: no other release has been in use"
        raise InstallError(f"{what}; `sudo make install` of the sources that you want")
    _self_test(release)
    _switch(before, release)


def uninstall() -> None:
    """Removes all that install has made, but the ledger and the settings."""
    if FIRMWARE.exists():
        _write(FIRMWARE, remove_block(FIRMWARE.read_bytes()))
    if PLACES["systemd/coinsorter.service"].exists():
        _disable_service()
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


def _disable_service() -> None:
    now = ["--now"] if _is_booted() else []
    failure = "the service could not be stopped"
    _run(failure, "systemctl", "--quiet", "disable", *now, SERVICE)


def _remove_user() -> None:
    if not _succeeds("id", "--user", USER):
        return
    if STATE.exists():
        # Else the ledger would belong to the next user who gets the number. The service of the
        # next installation takes it over.
        failure = "the ledger could not be given to root"
        _run(failure, "chown", "--recursive", "root:root", str(STATE))
    _run("the user coinsorter could not be removed", "userdel", USER)


# --- config.txt ----------------------------------------------------------------------------------


def insert_block(text: bytes, lines: bytes) -> bytes:
    """The text of config.txt with coinsorter's block in it; all else as it is.

    The block takes the place of the one before, else it comes last. lines: what `coinsorter wiring`
    has made. Raises InstallError where the marks are wrong.
    """
    before, after = _split_around_block(text)
    # From [all] on they are for every model of Pi, whatever section the file was in. The first
    # newline ends a last line that has none.
    for_all = lines[lines.index(b"[all]\n") :]
    block = f"\n{BEGIN_MARK}\n".encode() + for_all + f"{END_MARK}\n".encode()
    return before + block + after


def remove_block(text: bytes) -> bytes:
    """The text of config.txt as it was before `insert_block`, byte for byte.

    Raises InstallError where the marks are wrong.
    """
    before, after = _split_around_block(text)
    needs_newline = before and after and not before.endswith(b"\n")
    separator = b"\n" if needs_newline else b""
    return before + separator + after


def _split_around_block(text: bytes) -> tuple[bytes, bytes]:
    """What comes before the block and after it; without one all is before."""
    marks = MARKS.findall(text)
    if not marks:
        return text, b""
    if marks != [b"begin", b"end"]:
        what = f"{FIRMWARE}: `{BEGIN_MARK}` and `{END_MARK}` are not there once each, in this order"
        remedy = "delete what is left of coinsorter's lines, with both marks, and run it again"
        raise InstallError(f"{what}, so nothing was changed; {remedy}")
    before, after = BLOCK.split(text)
    return before, after


# --- files and commands --------------------------------------------------------------------------


def _current() -> Path | None:
    return _release_at(CURRENT)


def _release_at(link: Path) -> Path | None:
    """The release that a link points to; None where there is none."""
    return link.resolve() if link.exists() else None


def _point(link: Path, target: Path) -> None:
    """Points a link to a target at once: who follows it meets the old one or the new one."""
    if link.is_symlink() and link.readlink() == target:
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


def _is_booted() -> bool:
    """Whether systemd runs here: not while a card's image is being prepared (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def _reload() -> None:
    if _is_booted():
        _run("systemd could not read its units again", "systemctl", "daemon-reload")


def _systemctl(action: str) -> bool:
    return _succeeds("systemctl", "--quiet", action, SERVICE)


def _capture(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of a release; nothing is written into the release, which is complete."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def _succeeds(*command: str) -> bool:
    result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return result.returncode == 0


def _run(failure: str, *command: str) -> None:
    """Runs a command and shows its output. Raises InstallError with the message if it fails."""
    if subprocess.run(command).returncode != 0:
        raise InstallError(failure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
