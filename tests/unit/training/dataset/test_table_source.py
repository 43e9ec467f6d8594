"""table_source: a CSV is read whatever program wrote it, and a bad one is named with its line."""

from pathlib import Path, PurePath

import pytest

from coinsorter.errors import InputError
from coinsorter.training.dataset import table_source
from coinsorter.training.dataset.table_source import check_some_exist, list_table

TABLE = Path("coins/coins.csv")
LINES = "path,label\n10c\\a.jpg,10c\npièce\\b.jpg,pièce\n"
READ = [("10c\\a.jpg", "10c"), ("pièce\\b.jpg", "pièce")]


class AllFiles:
    """Finds every file but those that are called missing."""

    def locate(self, where: str, path: str) -> tuple[PurePath, str] | None:
        return None if "missing" in path else (PurePath(path), "")


def read(content: bytes | str) -> list:
    raw = content.encode() if isinstance(content, str) else content
    return list_table(TABLE, raw, AllFiles())


def pairs(content: bytes | str) -> list[tuple[str, str]]:
    return [(str(image.path), image.label) for image in read(content)]


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode(),
        LINES.encode("utf-8-sig"),
        LINES.encode("cp1252"),
        LINES.encode("utf-16"),
        LINES.replace("\n", "\r\n").encode(),
        LINES.replace(",", ";").encode(),
        LINES.replace(",", "\t").encode(),
        ("sep=;\r\n" + LINES.replace(",", ";")).encode(),
        LINES.replace("path,label", "Path , LABEL").encode(),
        LINES.replace("path,label", '"path","label"').encode(),
        LINES.removeprefix("path,label\n").encode(),
        LINES.removeprefix("path,label\n").replace(",", ";").encode("cp1252"),
        LINES.replace("\n", ",,\n").encode(),
        (LINES.replace("\n10c", "\n\n,\n10c") + "\n;;\n".replace(";", ",")).encode(),
        "label,path\n10c,10c\\a.jpg\npièce,pièce\\b.jpg".encode(),
    ],
)
def test_programs_write_one_table_in_many_ways(content):
    assert pairs(content) == READ


def test_a_missing_image_is_named_with_its_line():
    images = read("path,label\na.jpg,10c\nmissing\\b.jpg,25c\n")
    assert [image.problem for image in images] == ["", "line 3: no such image: missing\\b.jpg"]
    check_some_exist(images)


def test_lines_are_counted_as_an_editor_counts_them():
    assert read("sep=;\npath;label\n\nmissing.jpg;10c\n")[0].problem.startswith("line 4:")


def test_a_table_without_a_single_image_that_is_there_is_refused():
    with pytest.raises(InputError, match=r"line 2: no such image: missing1, nor those of 1 other"):
        check_some_exist(read("path,label\nmissing1,10c\nmissing2,25c\n"))


def test_sides_have_many_names():
    images = read("path,label,side\na,10c,Heads\nb,10c,zahl\nc,10c,\n")
    assert [image.side for image in images] == ["obverse", "reverse", ""]


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"\x00\x81\x8d\xff" * 9, "is no CSV in UTF-8"),
        (b"path,label\n" + b"x" * 200_000 + b",10c\n", "field larger than field limit"),
        (b"x" * 100_000, "the columns are x"),
        (b"path,label\n\x1b[2J,10c,\x1b\n", "line 2: not 2 values"),
        (b"\x1b[2J,y\na,b\n", r"the columns are '\\x1b"),
        (b"sep=\npath,label\na,b\n", "cannot be separated"),
    ],
)
def test_what_is_no_such_table_is_refused_in_one_printable_line(content, complaint):
    with pytest.raises(InputError, match=complaint) as refusal:
        read(content)
    assert str(refusal.value).isprintable() and len(str(refusal.value)) < 600


def test_a_table_of_too_many_lines_is_refused(monkeypatch):
    monkeypatch.setattr(table_source, "MAX_IMAGES", 2)
    with pytest.raises(InputError, match="more than 2 images; split it"):
        read("path,label\na,10c\nb,10c\nc,25c\n")
