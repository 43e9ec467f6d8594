"""atomic: a file or a folder is replaced whole, or nothing is changed."""

import os
import stat
from pathlib import Path

import pytest

from coinsorter.errors import InputError
from coinsorter.files.atomic import replace_file, replace_folder, write_file
from coinsorter.files.owned_folder import MARKER
from coinsorter.files.ownership import Claim, recognize_any

NONE = Claim()
ANY = Claim(recognize_any)
BY_FORCE = Claim(force=True)


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
    with replace_file(old, ANY) as new:
        new.write_text("new")
        assert old.read_text() == "old" and new.suffix == ".txt"
    assert old.read_text() == "new" and list_names(old.parent) == ["file.txt"]


def test_a_file_that_was_not_finished_changes_nothing(old):
    with pytest.raises(BreakdownError), replace_file(old, ANY) as new:
        new.write_text("half")
        raise BreakdownError
    assert old.read_text() == "old" and list_names(old.parent) == ["file.txt"]


def test_text_that_was_not_finished_changes_nothing(old):
    with pytest.raises(BreakdownError), write_file(old, ANY) as file:
        file.write("half")
        raise BreakdownError
    assert old.read_text() == "old" and list_names(old.parent) == ["file.txt"]


def test_text_keeps_its_line_ends_and_letters(old):
    with write_file(old, ANY) as file:
        file.write("ä\r\nb\n")
    assert old.read_bytes() == "ä\r\nb\n".encode()


def test_a_link_stays_a_link(old):
    link = old.with_name("link")
    link.symlink_to(old)
    with write_file(link, ANY) as file:
        file.write("new")
    assert link.is_symlink() and old.read_text() == "new"


def test_a_device_is_written_to_as_it_is():
    with write_file(Path("/dev/null"), NONE) as file:
        file.write("new")
    assert Path("/dev/null").is_char_device()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    said = pytest.raises(InputError, match=r"x.txt: cannot be written: .*; name it otherwise")
    with said, write_file(tmp_path / "missing" / "x.txt", Claim(remedy="name it otherwise")):
        pass


def test_a_folder_takes_the_others_place_with_all_that_is_in_it(tmp_path):
    out = tmp_path / "out"
    for name in ("first", "second"):
        with replace_folder(out, NONE) as new:
            (new / name).touch()
    assert sorted(list_names(out)) == [MARKER, "second"] and list_names(tmp_path) == ["out"]


def test_a_folder_that_was_not_finished_changes_nothing(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(BreakdownError), replace_folder(out, BY_FORCE) as new:
        (new / "half").touch()
        raise BreakdownError
    assert list_names(out) == ["old"] and list_names(tmp_path) == ["out"]


def test_a_folder_that_cannot_be_written_is_named(old):
    with pytest.raises(InputError, match="nothing was changed"), replace_folder(old / "out", NONE):
        pass


def test_an_unfinished_file_takes_no_others_name(old):
    before = old.with_name("part-file.txt")
    before.write_text("a person's")
    with replace_file(old, ANY) as new:
        new.write_text("new")
    assert before.read_text() == "a person's" and old.read_text() == "new"


def test_a_file_that_was_made_meanwhile_stays(tmp_path):
    path = tmp_path / "new.txt"
    refused = pytest.raises(InputError, match="new.txt: .*is not replaced")
    with refused, write_file(path, NONE) as file:
        file.write("ours")
        path.write_text("another program's")
    assert path.read_text() == "another program's" and list_names(tmp_path) == ["new.txt"]


def test_a_replaced_file_keeps_who_may_read_it(old):
    old.chmod(0o640)
    with write_file(old, ANY) as file:
        file.write("new")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_new_file_may_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o027)
    with write_file(tmp_path / "new.txt", NONE) as file:
        file.write("new")
    os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o640


def test_a_pipe_that_nothing_reads_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused = pytest.raises(InputError, match="pipe: cannot be written")
    with refused, write_file(tmp_path / "pipe", NONE) as file:
        file.write("new")
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_device_is_named():
    with (
        pytest.raises(InputError, match="/dev/full: cannot be written: No space"),
        write_file(Path("/dev/full"), NONE) as file,
    ):
        file.write("new")


def test_standard_output_is_written_to_as_it_is(capfd):
    with write_file(Path("/dev/stdout"), NONE) as file:
        file.write("new\n")
    assert capfd.readouterr().out == "new\n"


def test_others_files_in_a_folder_are_kept(tmp_path):
    out = tmp_path / "out"
    with replace_folder(out, NONE) as new:
        (new / "ours").write_text("first")
    (out / "notes").mkdir()
    (out / "notes" / "mine.txt").write_text("a person's")
    (out / "link").symlink_to("elsewhere")
    with replace_folder(out, NONE) as new:
        (new / "other").write_text("second")
    assert sorted(list_names(out)) == [MARKER, "link", "notes", "other"]
    assert (out / "notes" / "mine.txt").read_text() == "a person's"
    assert (out / "link").is_symlink()


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with replace_folder(tmp_path / "link", NONE) as new:
        (new / "ours").touch()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "ours").is_file()
