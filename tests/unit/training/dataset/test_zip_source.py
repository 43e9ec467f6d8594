"""zip_source: a ZIP of unknown origin costs no memory before it is refused."""

import struct
import zipfile
from contextlib import ExitStack

import pytest

from coinsorter.errors import InputError
from coinsorter.training.dataset import zip_source
from coinsorter.training.dataset.zip_source import find_table, open_zip
from tests.unit.training.dataset.helpers import zipped

JPEG = b"\xff\xd8\xff\xe0" + bytes(40)


def test_members_are_sorted_by_what_they_are(here):
    content = {
        "10c/a.jpg": b"",
        "10c\\saved": JPEG,
        "notes.txt": b"",
        "inner.zip": b"PK",
        "__MACOSX/._a.jpg": b"",
        ".hidden/list.csv": b"",
        "list.csv": b"",
    }
    with ExitStack() as archives:
        opened = open_zip(zipped("coins.zip", content), archives)
        names = sorted(path.as_posix() for path in opened.images)
        assert names == ["coins.zip/10c/a.jpg", "coins.zip/10c/saved"]
        assert opened.passed_over == {"hidden": 2, ".txt": 1, ".zip": 1}
        assert find_table("coins.zip", opened).as_posix() == "coins.zip/list.csv"


def test_two_tables_are_one_too_many(here):
    with ExitStack() as archives:
        opened = open_zip(zipped("coins.zip", {"a.csv": b"", "b.csv": b""}), archives)
        with pytest.raises(InputError, match="holds 2 CSV files"):
            find_table("coins.zip", opened)


@pytest.mark.parametrize("form, count, size", [("<HI", 60_000, 2**31), ("<HI", 3, 2**30)])
def test_a_directory_that_claims_to_be_huge_is_not_read(here, form, count, size):
    path = zipped("coins.zip", {"a.jpg": b""})
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.rindex(b"PK\x05\x06") + 10, count, size)
    path.write_bytes(content)
    with ExitStack() as archives, pytest.raises(InputError, match="more than 100000 files in it"):
        open_zip(path, archives)


def test_more_members_than_are_taken_are_refused_unopened(here, monkeypatch):
    monkeypatch.setattr(zip_source, "MAX_MEMBERS", 2)
    path = zipped("coins.zip", {f"{n}.jpg": b"" for n in range(3)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with ExitStack() as archives, pytest.raises(InputError, match="more than 2 files"):
        open_zip(path, archives)
