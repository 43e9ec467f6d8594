"""path_finder: a path of another system finds its file, or none."""

import pytest

from coinsorter.training.dataset.path_finder import ArchiveFiles, FolderFiles

PATHS = [
    "10c/coin_1.jpg",
    "10c\\coin_1.jpg",
    ".\\10c\\coin_1.jpg",
    "10C/COIN_1.JPG",
    "C:\\Users\\Ann\\coins\\10c\\coin_1.jpg",
    "d:/coins/10c/coin_1.jpg",
    "\\\\server\\share\\coins\\10c\\coin_1.jpg",
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "10c").mkdir()
    for name in ("coin_1.jpg", "coin_2.jpg", "Coin_2.JPG", "pi\u00e8ce.jpg"):
        (tmp_path / "10c" / name).touch()
    return tmp_path


@pytest.mark.parametrize("path", PATHS)
def test_a_path_as_windows_writes_it_finds_its_file(folder, path):
    found = FolderFiles(folder).find(path)
    assert found is not None and found.samefile(folder / "10c" / "coin_1.jpg")
    assert ArchiveFiles("", ["10c/coin_1.jpg"]).find(path) == "10c/coin_1.jpg"


def test_an_absolute_path_is_taken_as_it_is(folder, tmp_path):
    path = str(tmp_path / "10c" / "coin_1.jpg")
    assert FolderFiles(folder / "elsewhere").find(path) == tmp_path / "10c" / "coin_1.jpg"


def test_either_spelling_of_an_accent_finds_the_file(folder):
    assert FolderFiles(folder).find("10c/pie\u0300ce.jpg") == folder / "10c" / "pi\u00e8ce.jpg"


@pytest.mark.parametrize(
    "path",
    ["10c/coin_3.jpg", "10c/COIN_2.jpg", "10c/a\0b", "x" * 5000, "10c/coin_1.jpg/x", "/nowhere"],
)
def test_what_is_not_there_or_not_the_only_one_is_not_found(folder, path):
    assert FolderFiles(folder).find(path) is None


def test_an_archive_is_searched_from_its_table_and_not_left():
    files = ArchiveFiles("deep", ["deep/10c/a.png", "b.png", "win\\c.png"])
    assert files.find("10C\\A.PNG") == "deep/10c/a.png"
    assert files.find("../b.png") == "b.png" and files.find("../win/c.png") == "win\\c.png"
    assert files.find("../../b.png") is None
    assert files.leads_out("../../b.png") and files.leads_out("/b.png")
    assert not files.leads_out("../b.png")
