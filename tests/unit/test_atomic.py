"""atomic: a file or a folder is replaced whole, or nothing is changed."""

from pathlib import Path

import pytest

from coinsorter.atomic import replace_file, replace_folder, write_file
from coinsorter.errors import InputError


class BreakdownError(Exception):
    """What interrupts a test's writing."""


def list_names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    return path


def test_a_file_is_there_once_it_is_whole(old):
    with replace_file(old) as new:
        new.write_text("new")
        assert old.read_text() == "old" and new.suffix == ".txt"
    assert old.read_text() == "new" and list_names(old.parent) == ["file.txt"]


def test_a_file_that_was_not_finished_changes_nothing(old):
    with pytest.raises(BreakdownError), replace_file(old) as new:
        new.write_text("half")
        raise BreakdownError
    assert old.read_text() == "old" and list_names(old.parent) == ["file.txt"]


def test_text_that_was_not_finished_changes_nothing(old):
    with pytest.raises(BreakdownError), write_file(old) as file:
        file.write("half")
        raise BreakdownError
    assert old.read_text() == "old" and list_names(old.parent) == ["file.txt"]


def test_text_keeps_its_line_ends_and_letters(old):
    with write_file(old) as file:
        file.write("ä\r\nb\n")
    assert old.read_bytes() == "ä\r\nb\n".encode()


def test_a_link_stays_a_link(old):
    link = old.with_name("link")
    link.symlink_to(old)
    with write_file(link) as file:
        file.write("new")
    assert link.is_symlink() and old.read_text() == "new"


def test_a_device_is_written_to_as_it_is():
    with write_file(Path("/dev/null")) as file:
        file.write("new")
    assert Path("/dev/null").is_char_device()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    said = pytest.raises(InputError, match=r"x.txt: cannot be written: .*; name it otherwise")
    with said, write_file(tmp_path / "missing" / "x.txt", "name it otherwise"):
        pass


def test_a_folder_takes_the_others_place_with_all_that_is_in_it(tmp_path):
    out = tmp_path / "out"
    for name in ("first", "second"):
        with replace_folder(out) as new:
            (new / name).touch()
    assert list_names(out) == ["second"] and list_names(tmp_path) == ["out"]


def test_a_folder_that_was_not_finished_changes_nothing(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(BreakdownError), replace_folder(out) as new:
        (new / "half").touch()
        raise BreakdownError
    assert list_names(out) == ["old"] and list_names(tmp_path) == ["out"]


def test_a_folder_that_cannot_be_written_is_named(old):
    with pytest.raises(InputError, match="nothing was changed"), replace_folder(old / "out"):
        pass
