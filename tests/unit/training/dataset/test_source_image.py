"""source_image: an image's bytes, from a file or a ZIP, and no more of them than there may be."""

import os
import zipfile

import pytest

from coinsorter.training.dataset.source_image import SourceImage


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "coins.zip"
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("a.png", b"0123456789")
    with zipfile.ZipFile(path) as reader:
        yield reader


def test_a_file_and_a_member_are_read_alike(tmp_path, archive):
    (tmp_path / "a.png").write_bytes(b"0123456789")
    member = SourceImage(tmp_path / "coins.zip" / "a.png", "", archive=archive, member="a.png")
    for image in (SourceImage(tmp_path / "a.png", ""), member):
        assert (image.read_content(), image.read_head(4)) == (b"0123456789", b"0123")
        with pytest.raises(OSError, match="larger than"):
            image.read_content(max_bytes=9)


def test_a_pipe_and_a_device_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="not a plain file"):
            SourceImage(path, "").read_content()
        with pytest.raises(OSError, match="not a plain file"):
            SourceImage(path, "").read_head(9)


def test_what_is_not_in_the_archive_is_said(archive):
    image = SourceImage("b.png", "", archive=archive, member="b.png")
    with pytest.raises(FileNotFoundError):
        image.read_content()
    assert image.fingerprint() == ""


def test_pages_have_names_of_their_own():
    names = [SourceImage("a.tif", "", page=page, pages=2).name for page in (0, 1)]
    assert names == ["a.tif page 1", "a.tif page 2"]
    assert SourceImage("m\udcfcnze.png", "").name == "m\\udcfcnze.png"
