"""Files of unknown origin."""

import os
import socket

import pytest

from coinsorter.files.bounded import open_plain, read_bounded


def test_a_file_of_the_largest_size_is_read_and_a_larger_one_is_not(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    assert read_bounded(path, 1000) == b"x" * 1000
    with pytest.raises(OSError, match="larger than 0.000999 MB"):
        read_bounded(path, 999)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a pipe, not a plain file"):
        read_bounded(tmp_path / "pipe", 10)


def test_a_link_to_an_endless_device_is_not_read(tmp_path):
    (tmp_path / "link").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="it is a device"):
        open_plain(tmp_path / "link")


def test_folders_and_sockets_are_no_plain_files(tmp_path):
    with pytest.raises(OSError, match="folder"):
        open_plain(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError):
            open_plain(tmp_path / "socket")


def test_a_link_to_a_plain_file_is_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"coins")
    (tmp_path / "link").symlink_to("file")
    assert read_bounded(tmp_path / "link", 5) == b"coins"


def test_a_file_whose_size_is_not_its_length_is_bounded_too():
    with pytest.raises(OSError, match="larger"):  # of size 0, as everything in /proc
        read_bounded("/proc/self/maps", 10)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 10)
