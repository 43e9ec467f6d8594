"""SIGHUP while config.yaml is anything but settings: the machine sorts on with the old ones."""

import os
import shutil
import signal

from tests.e2e.test_service import Service


def _make_folder(path):
    path.mkdir()


def _make_pipe(path):
    os.mkfifo(path)


def _lead_to_zeros(path):
    path.symlink_to("/dev/zero")


def _write_latin_1(path):
    path.write_bytes(b"# M\xfcnzen\n")


def _write_tag(path):
    path.write_text("belt: !!python/object:os.system {}\n")


def _nest(path):
    path.write_text("a: " + "[" * 100_000)


def _leave_away(path):
    pass


DAMAGES = (
    _leave_away,
    _make_folder,
    _make_pipe,
    _lead_to_zeros,
    _write_latin_1,
    _write_tag,
    _nest,
)


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_whatever_the_file_is_frames_and_pings_go_on_and_log_and_status_say_why(
    tmp_path, without_hardware
):
    service = Service(tmp_path, without_hardware)
    path = tmp_path / "config.yaml"
    try:
        service.wait_for("READY=1")
        for number, damage in enumerate(DAMAGES, 1):
            remove(path)
            damage(path)
            service.process.send_signal(signal.SIGHUP)
            service.wait_for("RELOADING=1")
            status = service.wait_for("READY=1")
            assert f"; settings not reloaded: {path}" in status, damage.__name__
            assert service.read_log().count("WARNING not reloaded: ") == number
            service.wait_for("WATCHDOG=1")
        remove(path)
        path.write_text(without_hardware)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("RELOADING=1")
        assert "not reloaded" not in service.wait_for("READY=1")
        assert "Traceback" not in service.read_log()
        assert service.end() == 0
    finally:
        service.close()


def test_the_bundle_may_be_gone_when_the_settings_are_read_again(
    tmp_path, without_hardware, crowns
):
    shutil.copytree(crowns.path, tmp_path / "crowns")
    settings = without_hardware.replace(str(crowns.path), str(tmp_path / "crowns"))
    service = Service(tmp_path, settings)
    try:
        service.wait_for("READY=1")
        shutil.rmtree(tmp_path / "crowns")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("RELOADING=1")
        assert "not reloaded" not in service.wait_for("READY=1")
        service.wait_for("WATCHDOG=1")
    finally:
        service.close()


def test_the_socket_of_systemd_may_vanish(tmp_path, without_hardware):
    service = Service(tmp_path, without_hardware)
    try:
        service.wait_for("READY=1")
        (tmp_path / "notify").unlink()
        service.process.send_signal(signal.SIGHUP)
        while "reloaded" not in service.read_log():
            assert service.process.poll() is None, service.read_log()
        assert service.end() == 0
        assert service.read_log().count("systemd does not hear this service") == 1
    finally:
        service.close()
