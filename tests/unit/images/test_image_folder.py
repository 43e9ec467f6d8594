"""image_folder: content tells what is an image, and nothing is passed over uncounted."""

import os

import pytest

from coinsorter.images.image_folder import describe_passed_over, is_hidden, scan_folder
from tests.unit.image_files import encode, smooth_image

JPEG = encode(".jpg", smooth_image(8, 8))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photographs" / "10c").mkdir(parents=True)
    return tmp_path / "photographs"


def names(folder) -> list[str]:
    return [path.name for path in scan_folder(folder).images]


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPG", "a.jpe", "a.jfif", "a", "a.jpg_large", "a.bak", "a.txt", "a.png"]
)
def test_a_jpeg_is_an_image_whatever_it_is_called(folder, name):
    (folder / "10c" / name).write_bytes(JPEG)
    assert names(folder) == [name]


@pytest.mark.parametrize("name", ["a.heic", "a.gif", "a.dng", "a.NEF", "a.pgm", "a.jpg", "a.webp"])
def test_what_is_called_an_image_is_one_if_only_to_be_refused(folder, name):
    (folder / "10c" / name).write_bytes(b"")
    assert names(folder) == [name]


def test_what_is_no_image_is_counted(folder):
    for name in ("README.md", "b.md", "c.xml", "LICENSE", "empty", ".hidden", "Thumbs.db"):
        (folder / "10c" / name).write_bytes(b"")
    (folder / "__MACOSX" / "deep").mkdir(parents=True)
    (folder / "__MACOSX" / "deep" / "a.jpg").write_bytes(JPEG)
    os.mkfifo(folder / "pipe")
    scan = scan_folder(folder)
    assert scan.images == []
    assert scan.passed_over == {
        ".md": 2,
        ".xml": 1,
        "without ending": 2,
        "hidden": 3,
        "no plain file": 1,
    }
    assert describe_passed_over(scan.passed_over).startswith("2 .md, 1 .xml, 3 hidden, 1 no plain")


def test_linked_folders_are_followed_and_each_is_read_once(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jpg").write_bytes(JPEG)
    (folder / "25c").symlink_to(elsewhere, target_is_directory=True)
    (folder / "25c-again").symlink_to(elsewhere, target_is_directory=True)
    (folder / "10c" / "round").symlink_to(folder, target_is_directory=True)
    scan = scan_folder(folder)
    assert [path.relative_to(folder).as_posix() for path in scan.images] == ["25c/a.jpg"]
    assert scan.passed_over == {"link back to a folder": 2}


def test_a_folder_that_cannot_be_opened_is_counted(folder, monkeypatch):
    (folder / "10c" / "a.jpg").write_bytes(JPEG)
    (folder / "25c").mkdir()
    own = type(folder).iterdir

    def iterdir(path):
        if path.name == "25c":
            raise PermissionError(13, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(type(folder), "iterdir", iterdir)
    assert scan_folder(folder).passed_over == {"folder that cannot be opened": 1}


@pytest.mark.parametrize("path", ["._a.jpg", ".git/a.jpg", "10c/desktop.ini", "@eaDir/a.jpg"])
def test_what_systems_leave_is_hidden(folder, path):
    assert is_hidden((folder / path).relative_to(folder))
    assert not is_hidden((folder / "a.jpg").relative_to(folder))
