"""sources: folders, CSVs and ZIPs, and what is refused in them."""

import os
import re
import shutil
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import pytest
from PIL import Image

from coinsorter.images.name_times import format_capture_name
from coinsorter.training.dataset import zip_source
from coinsorter.training.dataset.dataset import Dataset
from tests.unit.training.dataset.helpers import (
    EACH,
    files,
    listed,
    prepare,
    refused,
    rows,
    write,
    zipped,
)


def test_a_table_says_label_side_coin_and_group(collection):
    table = listed(
        [line + end for line, end in zip(collection, [",group", *[",g"] * 2, *[","] * 10])]
    )
    prepare(table)
    found = rows()
    assert [
        (found[name].label, found[name].side, found[name].coin_id) for name in ("b0.png", "c4.png")
    ] == [
        ("bit_10", "obverse", "b0"),
        ("crown_20", "reverse", "c1"),
    ]
    assert found["c1.png"].group == found["c4.png"].group != found["c2.png"].group
    assert len({found[name].group for name in ("b0.png", "b1.png", "b3.png", "b4.png")}) == 1, (
        "coins b0 and b1 are on one photograph"
    )
    assert found["b2.png"].group == found["b5.png"].group != found["b0.png"].group


def test_what_a_table_names_and_is_not_there_is_unreadable_and_an_empty_label_is_none(collection):
    listed([*collection, "faces/gone.png,bit_10,,", "faces/b0.png, ,,"])
    prepare("list.csv")
    reasons = Counter(row.reason for row in Dataset.load(Path("set")).rows)
    assert reasons == {"": 12, "unreadable": 1, "no-label": 1}


def test_a_zip_is_as_good_as_what_is_in_it(photographs, collection):
    zipped(
        "folders.zip",
        {f"coins/{name}": content for name, content in files(photographs).items()}
        | {"__MACOSX/coins/._x.png": b"?"},
    )
    listed(collection)
    zipped(
        "listed.zip",
        {
            f"deep/{name}": content
            for name, content in files(".").items()
            if name.startswith(("list.csv", "faces/"))
        },
    )

    def made(source):
        prepare(source, "--force")
        found = {
            re.sub(r".*\.zip/(coins|deep)/|photographs/", "", row.source): row
            for row in rows().values()
        }
        return {
            name: (row.label, row.side, row.coin_id, row.sha256, row.split)
            for name, row in found.items()
        }

    assert made("folders.zip") == made(photographs)
    assert made("listed.zip") == made("list.csv")
    assert sorted(path.name for path in Path().iterdir()) == [
        "faces",
        "folders.zip",
        "list.csv",
        "listed.zip",
        "photographs",
        "set",
    ]


def test_a_damaged_image_in_a_zip_is_unreadable(photographs):
    path = zipped("folders.zip", files(photographs))
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 500] ^= 255
    path.write_bytes(content)
    assert prepare(path)["counts"]["left_out"] == {"unreadable": 1}


def test_a_zip_that_leads_out_of_itself_is_refused(photographs, capsys):
    for name in ("../../x.png", "/etc/x.png", "a/../../x.png", "..\\x.png", "C:/x.png"):
        zipped("bad.zip", files(photographs) | {name: b""})
        assert "leads out of it" in refused(capsys, "bad.zip") and not Path("set").exists()


def test_a_bomb_is_refused_unopened(here, capsys):
    zipped("bomb.zip", {"a/x.png": bytes(70 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert "swells 1029 times" in refused(capsys, "bomb.zip")


def test_a_member_that_is_too_large_for_a_image_is_refused(photographs, capsys, monkeypatch):
    monkeypatch.setattr(zip_source, "MAX_MEMBER_BYTES", 10_000)
    assert "and no image needs that" in refused(capsys, zipped("large.zip", files(photographs)))


def test_links_in_a_zip_are_refused(photographs, capsys):
    path = zipped("link.zip", files(photographs))
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("bit_10/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "is a link" in refused(capsys, path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"PK" + bytes(100),
        lambda content: b"",
    ],
)
def test_a_corrupt_zip_is_refused(photographs, capsys, spoil):
    path = zipped("corrupt.zip", files(photographs))
    path.write_bytes(spoil(path.read_bytes()))
    assert (
        "corrupt.zip: is no ZIP that can be read" in refused(capsys, path)
        and not Path("set").exists()
    )


@pytest.mark.parametrize("other", ["BIT_10", "bit_10 ", "bit _10", "Bit_10"])
def test_labels_that_differ_by_case_or_space_are_refused(photographs, capsys, other):
    shutil.copytree(photographs / "crown_20", photographs / other)
    message = refused(capsys, photographs)
    assert (
        repr(other) in message
        and "'bit_10'" in message
        and "only by case or space; spell them alike if they are one" in message
    )


@pytest.mark.parametrize(
    "lines, complaint",
    [
        ([], "list.csv: line 1: the columns are missing"),
        (["path,label"], "lists no images"),
        (["path~label", "a~b"], "line 1: the columns are path~label; they must be path,label"),
        (["path,label", "a.png,b", "b.png,c"], "line 2: no such image: a.png, nor those of 1"),
        (["path,label,coinid", "a,b,c"], "line 1: the columns are path,label,coinid"),
        (["path,label", "a.png"], "line 2: not 2 values"),
        (["path,label", "a.png,b", "a.png,b,c"], "line 3: not 2 values"),
        (["path,label", ",b"], "line 2: no path"),
        (["path,label,side", "a.png,b,sideways"], "line 2: side is 'sideways'"),
        (["path,label", "a.png,../b", "b.png,c"], "label '../b' cannot name a folder"),
        (["path,label", "a.png,.", "b.png,c"], "label '.' cannot name a folder"),
        (["path,label,coin_id", "a.png,b,1", "b.png,c,1"], "coin_id '1' is labelled 'b' and 'c'"),
        (["path,label", '"a.png,b'], "is no CSV"),
    ],
)
def test_a_bad_table_is_named_with_its_line(here, capsys, lines, complaint):
    listed(lines) if lines else Path("list.csv").write_text("")
    assert complaint in refused(capsys, "list.csv") and not Path("set").exists()


def test_a_table_in_a_zip_keeps_to_the_zip(here, capsys):
    zipped("list.zip", {"list.csv": b"path,label\n../a.png,b\nc.png,d\n"})
    assert "'../a.png' leads out of the ZIP" in refused(capsys, "list.zip")


def test_what_lies_beside_the_labels_folders_has_no_label(photographs, frames):
    write("photographs/stray.png", frames["bit_10"][0])
    (photographs / "notes.txt").write_text("not a picture")
    (photographs / "._b_1000.png").write_bytes(b"what a Mac leaves behind")
    prepare(photographs)
    assert rows()["stray.png"].reason == "no-label" and len(rows()) == 2 * EACH + 1


def test_folders_of_faces_are_sides_and_not_labels(here, frames):
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            face = ("Kopf", "Zahl")[number % 2]
            write(f"faces/{label}/{face}/x_{number}00.png", pixels)
    made = prepare("faces")
    assert made["labels"] == list(frames) and made["counts"]["kept"] == 2 * EACH
    assert Counter(row.side for row in Dataset.load(Path("set")).rows) == {
        "obverse": EACH,
        "reverse": EACH,
    }


def test_where_either_folder_may_be_the_label_it_is_asked_for(here, frames, capsys):
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            write(f"who/{('anna', 'paul')[number % 2]}/{label}/x_{number}00.png", pixels)
    message = refused(capsys, "who")
    assert "--label-level 2 for bit_10, crown_20" in message and not Path("set").exists()
    assert prepare("who", "--label-level", 2)["labels"] == list(frames)


def test_what_capture_writes_is_taken_as_it_is(here, frames):
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            name = format_capture_name(label, 1795718216.257 + 1.5 * number, number + 1)
            write(f"captured/{label}/{name}.png", pixels)
    counts = prepare("captured")["counts"]
    assert (counts["kept"], counts["groups"]) == (2 * EACH, 2 * EACH)
    assert all(own["splits"]["validation"] for own in counts["labels"].values())


def test_every_file_is_kept_left_out_or_counted(photographs, frames):
    """What browsers, phones and systems leave in a folder."""
    folder = photographs / "bit_10"
    jpeg = cv2.imencode(".jpg", frames["bit_10"][0][::-1, ::-1, ::-1])[1].tobytes()
    for name in ("saved.jfif", "saved.JPE", "saved", "saved.png", "half.crdownload"):
        (folder / name).write_bytes(jpeg if name.startswith("saved") else jpeg[: len(jpeg) // 2])
    (folder / "empty.jpg").touch()
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    for name in ("notes.txt", "pictures.zip", ".DS_Store", "Thumbs.db", "._saved.jpg", "LIESMICH"):
        (folder / name).write_bytes(b"what is no picture")
    (folder / "round").symlink_to(photographs.resolve(), target_is_directory=True)
    made = prepare(photographs)
    assert made["passed_over"] == {
        ".txt": 1,
        ".zip": 1,
        "hidden": 3,
        "link back to a folder": 1,
        "without ending": 1,
    }
    assert made["counts"]["pictures"] == 2 * EACH + 8 == len(rows())
    details = {name: row.detail for name, row in rows().items() if row.reason == "unreadable"}
    assert details["pipe.jpg"] == "it is a pipe, not a plain file"
    assert details["gone.jpg"] == "No such file or directory"
    assert details["empty.jpg"] == "an empty file"
    assert details["half.crdownload"].startswith("a damaged JPEG image")
    assert made["counts"]["kept"] == 2 * EACH + 1, "one of the four copies"
    assert made["counts"]["left_out"] == {"unreadable": 4, "duplicate": 3}


def test_each_page_of_a_file_is_an_image_and_they_stay_together(here, frames):
    for label, images in frames.items():
        for first in range(0, EACH, 2):
            pages = [Image.fromarray(pixels) for pixels in images[first : first + 2]]
            path = Path("scans", label, f"scan_{first}00.tif")
            path.parent.mkdir(parents=True, exist_ok=True)
            pages[0].save(path, save_all=True, append_images=pages[1:])
    counts = prepare("scans", "--group-by", "none")["counts"]
    assert (counts["kept"], counts["groups"]) == (2 * EACH, EACH)
    found = Dataset.load(Path("set"))
    names = [Path(row.source).name for row in found.rows if row.label == "bit_10"]
    assert names[:3] == ["scan_000.tif page 1", "scan_000.tif page 2", "scan_200.tif page 1"]
    assert len({row.phash for row in found.rows}) == 2 * EACH


def test_a_name_that_is_no_unicode_is_kept(photographs, frames):
    content = cv2.imencode(".png", frames["bit_10"][0][::-1])[1].tobytes()
    name = os.fsencode(photographs / "bit_10") + b"/m\xfcnze_9000.png"
    Path(os.fsdecode(name)).write_bytes(content)
    prepare(photographs)
    assert rows()["m\\udcfcnze_9000.png"].reason == ""


def test_one_label_in_two_unicode_spellings_is_one(here, frames):
    for number, pixels in enumerate(frames["bit_10"]):
        spelling = unicodedata.normalize(("NFC", "NFD")[number % 2], "pièce")
        write(f"coins/{spelling}/x_{number}00.png", pixels)
        write(f"coins/other/x_{number}00.png", frames["crown_20"][number])
    assert prepare("coins")["labels"] == ["other", unicodedata.normalize("NFC", "pièce")]
