"""bundle_files: only plain files of a bundle's own folder are read, and no large ones."""

import os
import shutil
import socket

import pytest

from coinsorter.errors import BundleError
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.bundle_files import (
    CLASSIFIER,
    MANIFEST,
    MAX_BYTES,
    read_bundle_file,
)
from tests.conftest import CROWNS


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(CROWNS, tmp_path / "copy")


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


def make_sparse(path):
    with path.open("wb") as file:
        file.truncate(2**40)


HOSTILE = {
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "No such device": make_socket,
    "larger than": make_sparse,
    "Too many": lambda path: path.symlink_to(path.name),
    "No such file": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("name", MAX_BYTES)
@pytest.mark.parametrize("problem", HOSTILE)
def test_what_is_no_plain_file_is_refused_by_name_and_not_waited_for(tmp_path, name, problem):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    HOSTILE[problem](path)
    with pytest.raises(BundleError, match=f"{name} cannot be read: .*{problem}"):
        read_bundle_file(tmp_path, name)


def test_a_file_may_have_its_limit_and_not_a_byte_more(tmp_path):
    path = tmp_path / MANIFEST
    path.write_bytes(bytes(MAX_BYTES[MANIFEST]))
    assert len(read_bundle_file(tmp_path, MANIFEST)) == MAX_BYTES[MANIFEST]
    path.write_bytes(bytes(MAX_BYTES[MANIFEST] + 1))
    with pytest.raises(BundleError, match="larger than 0.2 MB"):
        read_bundle_file(tmp_path, MANIFEST)


def test_a_link_out_of_the_folder_is_refused(copy):
    (copy / CLASSIFIER).unlink()
    (copy / CLASSIFIER).symlink_to(CROWNS / CLASSIFIER)
    with pytest.raises(BundleError, match=f"{CLASSIFIER} is a link out of the bundle's folder"):
        load_bundle(copy)


def test_a_link_to_the_folder_and_one_within_it_are_followed(copy, tmp_path):
    (copy / CLASSIFIER).rename(copy / "own.tflite")
    (copy / CLASSIFIER).symlink_to("own.tflite")
    (tmp_path / "link").symlink_to(copy)
    assert load_bundle(tmp_path / "link").manifest.name == "crowns"


@pytest.mark.parametrize("folder", ["a\0b", "x" * 5000])
def test_a_name_that_no_folder_can_have_is_no_bundle(tmp_path, folder):
    with pytest.raises(BundleError, match="no such bundle"):
        load_bundle(tmp_path / folder)
