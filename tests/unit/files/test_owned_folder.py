"""owned_folder: what a command made in a folder, and what others put there."""

import pytest

from coinsorter.errors import InputError
from coinsorter.files.owned_folder import (
    MARKER,
    check_folder,
    is_made,
    keep_others_files,
    write_marker,
)
from coinsorter.files.ownership import Claim

CLAIM = Claim(remedy="name another", force=False)
FORCED = Claim(remedy="name another", force=True)


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "ours.txt").write_text("ours")
    write_marker(folder)
    return folder


def refusal(path, claim=CLAIM) -> str:
    with pytest.raises(InputError) as error:
        check_folder(path, claim)
    return str(error.value)


def test_a_new_folder_an_empty_one_and_an_earlier_output_may_be_written(tmp_path, made):
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "made"):
        assert check_folder(tmp_path / name, CLAIM) == tmp_path / name
    assert is_made(made) and not is_made(tmp_path / "empty")


def test_a_folder_of_others_is_replaced_by_force_only(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("three years of work")
    assert "holds something that this command did not make" in refusal(tmp_path / "thesis")
    assert check_folder(tmp_path / "thesis", FORCED) == tmp_path / "thesis"
    assert "is a file" in refusal(tmp_path / "thesis" / "thesis.txt", FORCED)


def test_an_output_that_was_changed_since_is_replaced_by_force_only(made):
    (made / "deep" / "ours.txt").write_text("a person's")
    assert "deep/ours.txt: was changed since this command made it" in refusal(made)
    assert check_folder(made, FORCED) == made


@pytest.mark.parametrize("out, source", [("a", "a"), ("a/b", "a"), ("a", "a/b")])
def test_an_output_never_lies_in_what_is_read_or_around_it(tmp_path, out, source):
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert "which is read" in refusal(tmp_path / out, FORCED.spare(tmp_path / source))


@pytest.mark.parametrize("marker", ["", "[]", "{", '{"files": 3}', "[" * 100_000])
def test_a_damaged_marker_marks_nothing(made, marker):
    (made / MARKER).write_text(marker)
    assert not is_made(made) and "did not make" in refusal(made)


def test_others_files_are_brought_along(tmp_path, made):
    (made / "deep" / "notes.txt").write_text("a person's")
    (made / "empty").mkdir()
    new = tmp_path / "new"
    new.mkdir()
    keep_others_files(made, new, made, CLAIM)
    assert sorted(str(path.relative_to(new)) for path in new.rglob("*")) == [
        "deep",
        "deep/notes.txt",
        "empty",
    ]


def test_a_name_that_others_have_taken_is_refused_without_force(tmp_path, made):
    (made / "notes.txt").write_text("a person's")
    new = tmp_path / "new"
    new.mkdir()
    (new / "notes.txt").write_text("ours")
    with pytest.raises(InputError, match=r"notes.txt: .*did not make and is not replaced"):
        keep_others_files(made, new, made, CLAIM)
    keep_others_files(made, new, made, FORCED)
    assert (new / "notes.txt").read_text() == "ours"
