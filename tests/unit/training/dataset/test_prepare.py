"""prepare: from pictures as people have them to a data set, every picture accounted for; and what is no such picture in one line."""

import base64
import contextlib
import csv
import errno
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.errors import InputError
from coinsorter.hardware.camera.open_camera import read_picture
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.vision import crop
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.detect import Search, find_things
from tests.conftest import ROOT, needs_training

needs_training()

from PIL import Image

from coinsorter.training import html_report, train_cli
from coinsorter.training.dataset import sources, splits
from coinsorter.training.dataset.dataset import Dataset, Row
from coinsorter.training.dataset.quality import LENIENT_SEARCH, REASONS
from coinsorter.training.dataset.resume_log import ResumeLog

COINS = {"bit_10": 18.0, "crown_20": 27.5}
EACH = 6
PX_PER_MM = 3.0
SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))


@pytest.fixture(scope="session")
def frames() -> dict[str, list[np.ndarray]]:
    """Six frames of 200 x 160 pixels with one coin each of two denominations, every coin another one, lying otherwise."""
    rng = np.random.default_rng(4)
    camera = SimulatedCamera(Optics(200, 160, PX_PER_MM, 0.0), rng)
    return {
        label: [
            camera.render_frame(
                [(camera.draw_item(coins.make_genuine_coin(rng, label)), *rng.uniform(-8, 8, 2))],
                30.0 * number,
            )
            for number in range(EACH)
        ]
        for label in COINS
    }


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photographs(here, frames) -> Path:
    """Folders of photographs taken a hundred seconds apart: bursts of one."""
    for label, pictures in frames.items():
        for number, pixels in enumerate(pictures):
            write(f"photographs/{label}/{label[0]}_{1000 + 100 * number}.png", pixels)
    return Path("photographs")


def write(path: str | Path, pixels: np.ndarray, *options: int) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)
    return path


def prepare(*words: object) -> dict:
    """Runs the command, which has to succeed; what it says to programs."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert train_cli.main(["prepare", *map(str, words), "--out", "set", "--json"]) == 0
    return json.loads(said.getvalue())


def refused(capsys, *words: object) -> str:
    """Runs the command, which has to fail with one line; that line."""
    capsys.readouterr()
    status = train_cli.main(["prepare", *map(str, words), "--out", "set"])
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("coinsorter-train:")]
    assert (status, len(lines), said.out) == (InputError.exit_code, 1, "")
    return lines[0]


def rows() -> dict[str, Row]:
    """The rows of the data set by the name of the file that each came from."""
    return {Path(row.source).name: row for row in Dataset.load(Path("set")).rows}


def files(folder: str | Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def as_crop(pixels: np.ndarray) -> np.ndarray:
    """A frame's coin as a ready crop."""
    (coin,) = (c for c in find_things(pixels, Search(20, 60, **LENIENT_SEARCH)) if c.quality)
    half = round(1.12 * coin.radius_px)
    x, y = round(coin.x_px), round(coin.y_px)
    padded = cv2.copyMakeBorder(pixels, half, half, half, half, cv2.BORDER_REPLICATE)
    return padded[y : y + 2 * half + 1, x : x + 2 * half + 1]


def listed(lines: list[str], path: str = "list.csv") -> Path:
    Path(path).write_text("\n".join(lines) + "\n")
    return Path(path)


# What comes out.


def test_every_picture_is_a_row_and_every_coin_a_picture(photographs):
    before = files(photographs)
    made = prepare(photographs)
    loaded = Dataset.load(Path("set"))
    assert loaded.labels == ["bit_10", "crown_20"] and loaded.frame == (200, 160)
    assert (
        made["counts"]["kept"] == made["counts"]["pictures"] == len(loaded.rows) == 2 * EACH
        and made["looked_at"] == 2 * EACH
    )
    assert Counter(row.label for row in loaded.kept_rows()) == dict.fromkeys(COINS, EACH)
    assert all(
        row.source == str(photographs / row.label / Path(row.source).name) for row in loaded.rows
    )
    assert {path for path in files("set") if path.startswith("pictures/")} == {
        row.picture for row in loaded.rows
    }
    assert set(files("set")) - {row.picture for row in loaded.rows} == {
        "dataset.yaml",
        "table.csv",
        "report.html",
    }
    assert files(photographs) == before


def test_a_crop_cut_from_the_data_set_is_the_crop_cut_from_the_photograph(photographs, frames):
    prepare(photographs)
    loaded = Dataset.load(Path("set"))
    for row, pixels in loaded:
        in_set, frame = loaded.circle_of(row), read_picture(Path(row.source))
        assert abs(2 * row.radius_px / PX_PER_MM / COINS[row.label] - 1) < 0.02
        locate_in_frame = type(in_set)(
            row.frame_x_px, row.frame_y_px, *list(vars(in_set).values())[2:]
        )
        assert (
            np.abs(
                crop.cut(pixels, in_set, 20, SPEC).astype(int)
                - crop.cut(frame, locate_in_frame, 20, SPEC)
            ).max()
            <= 1
        )
        assert pixels.shape[0] == pixels.shape[1] >= 3 * row.radius_px


def test_beyond_the_border_of_a_photograph_its_edge_is_repeated(photographs, frames):
    pixels = np.rot90(frames["bit_10"][0]).copy()
    (coin,) = (c for c in find_things(pixels, Search(20, 60, **LENIENT_SEARCH)) if c.quality)
    left = round(coin.x_px - 1.05 * coin.radius_px)
    write("photographs/bit_10/border_5000.png", pixels[:, left:])
    prepare(photographs)
    row = rows()["border_5000.png"]
    picture = Dataset.load(Path("set")).read_image(row)
    beyond = round(row.x_px - row.frame_x_px)
    assert beyond > 10 and (picture[:, :beyond] == picture[:, beyond : beyond + 1]).all()


def test_pictures_are_read_one_by_one(photographs):
    prepare(photographs)
    loaded = Dataset.load(Path("set"), check=False)
    pictures = iter(loaded)
    assert next(pictures)[0] == loaded.rows[0]
    for path in Path("set/pictures").rglob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"000002.*cannot be read; make the data set again"):
        next(pictures)


def test_a_ready_crop_is_kept_as_it_is_with_the_coin_measured_in_it(here, frames):
    for label, pictures in frames.items():
        for number, pixels in enumerate(pictures):
            write(f"crops/{label}/{100 * number}.png", as_crop(pixels))
    prepare("crops", "--crops")
    for row, pixels in Dataset.load(Path("set")):
        assert (pixels == read_picture(Path(row.source))).all()
        edge = min(pixels.shape[:2])
        assert (
            row.quality > 0.8
            and 0.42 < row.radius_px / edge < 0.47
            and abs(row.x_px - edge / 2) < 2
        )
        assert (row.frame_x_px, row.frame_y_px) == (row.x_px, row.y_px)


def test_a_ready_crop_without_an_outline_has_the_inscribed_circle(here, frames):
    for label, pictures in frames.items():
        for number, pixels in enumerate(pictures):
            coin = as_crop(pixels)
            cut = round(0.2 * len(coin))
            write(f"crops/{label}/{100 * number}.png", coin[cut:-cut, cut:-cut])
    prepare("crops", "--crops")
    for row, pixels in Dataset.load(Path("set")):
        height, width = pixels.shape[:2]
        assert (row.quality, row.x_px, row.y_px) == (0, (width - 1) / 2, (height - 1) / 2)
        assert row.radius_px == pytest.approx(0.48 * min(height, width), abs=1e-3)


@pytest.mark.parametrize("size, reason", [((10.0, 19.0), "no-coin"), ((17.0, 28.0), "")])
def test_coins_of_other_sizes_than_told_are_not_looked_for(photographs, frames, size, reason):
    """A search below 19 mm reaches to 19 x 1.2 mm, as on the machine: crowns of 27.5 mm are out of it."""
    write("photographs/more/m_90000.png", cv2.flip(frames["bit_10"][0], 0))
    prepare(photographs, "--px-per-mm", PX_PER_MM, "--diameters", "{:g}-{:g}".format(*size))
    assert {row.reason for row in rows().values() if row.label == "crown_20"} == {reason}
    assert {row.reason for row in rows().values() if row.label == "bit_10"} == {""}


def test_the_same_pictures_and_seed_make_the_same_data_set(photographs):
    prepare(photographs)
    first = files("set")
    shutil.rmtree("set")
    prepare(photographs)
    assert files("set") == first


def test_another_seed_makes_another_split(photographs):
    def splits(seed):
        shutil.rmtree("set", ignore_errors=True)
        prepare(photographs, "--seed", seed)
        return [row.split for row in rows().values()]

    assert len({tuple(splits(seed)) for seed in range(4)}) > 1


# What is left out.


def blurred(pixels):
    return cv2.GaussianBlur(pixels, (0, 0), 4)


def two_coins(pixels):
    return np.hstack([pixels, pixels[:, ::-1]])


def belt(pixels):
    """A belt with a strap across and nothing on it."""
    empty = np.full((160, 200, 3), 90, np.uint8)
    empty[:, 80:120] = 140
    return empty


SPOILED = {
    "tiny": lambda pixels: cv2.resize(pixels, (31, 31), interpolation=cv2.INTER_AREA),
    "blank": lambda pixels: np.full_like(pixels, 90),
    "no-coin": belt,
    "several-coins": two_coins,
    "blurred": blurred,
}


@pytest.mark.parametrize("reason", SPOILED)
def test_what_is_no_good_is_left_out_with_its_reason(photographs, frames, reason):
    path = write("photographs/crown_20/spoiled_9000.png", SPOILED[reason](frames["crown_20"][0]))
    content = path.read_bytes()
    made = prepare(photographs)
    row = rows()["spoiled_9000.png"]
    assert (row.reason, row.picture, row.split, row.label) == (
        reason,
        "",
        "",
        "crown_20",
    ) and row.detail
    assert made["counts"]["left_out"] == {reason: 1} and made["counts"]["kept"] == 2 * EACH
    assert path.read_bytes() == content


def test_a_coin_of_too_few_pixels_is_tiny(photographs, frames):
    small = cv2.resize(frames["bit_10"][0], None, fx=0.38, fy=0.38, interpolation=cv2.INTER_AREA)
    write(
        "photographs/bit_10/small_9000.png",
        cv2.copyMakeBorder(small, 40, 40, 40, 40, cv2.BORDER_REPLICATE),
    )
    prepare(photographs)
    row = rows()["small_9000.png"]
    assert row.reason == "tiny" and "10 pixels radius" in row.detail


UNREADABLE = {
    "empty.jpg": b"",
    "words.png": b"no picture at all",
    "header.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\x05IHDR" + bytes(30),
    "torn.png": None,
    "torn.jpg": None,
}


@pytest.mark.parametrize("name, content", UNREADABLE.items())
def test_what_cannot_be_read_is_left_out(photographs, frames, name, content):
    if content is None:
        whole = cv2.imencode(Path(name).suffix, frames["bit_10"][0][..., ::-1])[1].tobytes()
        content = whole[: len(whole) // 2]
    (photographs / "bit_10" / name).write_bytes(content)
    prepare(photographs)
    assert rows()[name].reason == "unreadable"


def test_a_picture_of_a_kind_that_is_not_taken_is_not_passed_over(photographs, frames):
    write("photographs/bit_10/phone.webp", frames["bit_10"][0][::-1])
    prepare(photographs)
    assert (
        rows()["phone.webp"].reason == "unreadable"
        and "save it as one of them" in rows()["phone.webp"].detail
    )


def test_a_picture_that_claims_to_be_huge_is_not_unpacked(photographs):
    content = (photographs / "bit_10" / "b_1000.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", 30000, 30000) + content[24:29]
    (photographs / "bit_10" / "huge.png").write_bytes(
        content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    )
    prepare(photographs)
    row = rows()["huge.png"]
    assert row.reason == "unreadable" and "megapixels" in row.detail


def test_what_lies_beside_the_labels_folders_has_no_label(photographs, frames):
    write("photographs/stray.png", frames["bit_10"][0])
    (photographs / "notes.txt").write_text("not a picture")
    (photographs / "._b_1000.png").write_bytes(b"what a Mac leaves behind")
    prepare(photographs)
    assert rows()["stray.png"].reason == "no-label" and len(rows()) == 2 * EACH + 1


def test_equal_pictures_are_kept_once_whatever_their_files_are(photographs, frames):
    write("photographs/bit_10/again_9000.bmp", frames["bit_10"][2])
    prepare(photographs)
    row = rows()["again_9000.bmp"]
    assert row.reason + rows()["b_1200.png"].reason == "duplicate"
    assert {row.detail, rows()["b_1200.png"].detail} == {
        "",
        "of photographs/bit_10/" + ("b_1200.png" if row.reason else "again_9000.bmp"),
    }


def test_equal_pictures_with_two_labels_are_both_left_out(photographs, frames):
    write("photographs/crown_20/same_9000.png", frames["bit_10"][2])
    prepare(photographs)
    assert rows()["same_9000.png"].reason == rows()["b_1200.png"].reason == "duplicate"
    left = [row for row in Dataset.load(Path("set")).rows if row.reason]
    assert [row.label for row in left] == ["bit_10", "crown_20"] and all(
        "neither can be trusted" in row.detail for row in left
    )


@pytest.mark.parametrize("copy", ["saved again", "smaller", "brighter"])
def test_nearly_equal_pictures_are_kept_once(photographs, frames, copy):
    pixels = frames["crown_20"][3]
    if copy == "saved again":
        write("photographs/crown_20/y_9000.jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, 75)
    elif copy == "smaller":
        write(
            "photographs/crown_20/y_9000.png",
            cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA),
        )
    else:
        write("photographs/crown_20/y_9000.png", cv2.convertScaleAbs(pixels, alpha=1.15))
    made = prepare(photographs)
    assert made["counts"]["left_out"] == {"near-duplicate": 1}
    row = next(row for row in rows().values() if row.reason)
    assert (
        re.fullmatch(r"\d+ of 256 bits from photographs/crown_20/c_1300.png", row.detail)
        and row.phash
    )
    prepare(photographs, "--near-bits", -1, "--force")
    assert not any(row.reason for row in rows().values())


def test_other_coins_of_a_label_are_no_near_duplicates(photographs, frames):
    for turns in (1, 2, 3):
        write(
            f"photographs/crown_20/turned_{9000 + 100 * turns}.png",
            np.rot90(frames["crown_20"][0], turns),
        )
    assert prepare(photographs)["counts"]["left_out"] == {}


# How pictures are read.


def saved(picture: Image.Image, name: str, **options) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


FORMATS = {
    "8 bit.bmp": lambda rgb, path: saved(Image.fromarray(rgb), path),
    "8 bit.tif": lambda rgb, path: saved(Image.fromarray(rgb), path),
    "8 bit.JPG": lambda rgb, path: saved(Image.fromarray(rgb), path, quality=98, subsampling=0),
    "16 bit.png": lambda rgb, path: cv2.imwrite(path, rgb[..., ::-1].astype(np.uint16) * 257),
    "16 bit.tiff": lambda rgb, path: cv2.imwrite(path, rgb[..., ::-1].astype(np.uint16) * 257),
    "cmyk.jpg": lambda rgb, path: saved(
        Image.fromarray(rgb).convert("CMYK"), path, quality=98, subsampling=0
    ),
    "cmyk.tif": lambda rgb, path: saved(Image.fromarray(rgb).convert("CMYK"), path),
    "palette.png": lambda rgb, path: saved(
        Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE, colors=256), path
    ),
    "alpha.png": lambda rgb, path: saved(Image.fromarray(rgb).convert("RGBA"), path),
    "lying.jpg": lambda rgb, path: saved(
        Image.fromarray(np.rot90(rgb).copy()), path, quality=98, subsampling=0, exif=orientation(6)
    ),
    "head down.png": lambda rgb, path: saved(
        Image.fromarray(rgb[::-1, ::-1].copy()), path, exif=orientation(3)
    ),
    "lying.tif": lambda rgb, path: saved(
        Image.fromarray(np.rot90(rgb, -1).copy()), path, exif=orientation(8)
    ),
}


@pytest.fixture
def crops(here, frames) -> Path:
    for label, pictures in frames.items():
        for number, pixels in enumerate(pictures[1:]):
            write(f"crops/{label}/{100 * number}.png", as_crop(pixels))
    return Path("crops")


@pytest.mark.parametrize("name", FORMATS)
def test_every_kind_of_picture_is_read_rightly(crops, frames, name):
    rgb = as_crop(frames["crown_20"][0])[:-4].copy()  # not square, so that a turn shows
    FORMATS[name](rgb, str(crops / "crown_20" / name))
    prepare(crops, "--crops", "--group-by", "none")
    picture = Dataset.load(Path("set")).read_image(rows()[name])
    assert picture.dtype == np.uint8 and picture.shape == rgb.shape
    assert np.abs(picture.astype(int) - rgb).mean() < 2


@pytest.mark.parametrize("depth", [1, 257])
def test_grey_pictures_are_read_as_colour(crops, frames, depth):
    grey = cv2.cvtColor(as_crop(frames["crown_20"][0]), cv2.COLOR_RGB2GRAY)
    write(crops / "crown_20" / "grey.png", (grey.astype(np.uint16) * 257 if depth == 257 else grey))
    prepare(crops, "--crops", "--group-by", "none")
    assert (Dataset.load(Path("set")).read_image(rows()["grey.png"]) == grey[..., None]).all()


# CSV and ZIP.


@pytest.fixture
def collection(here, frames) -> list[str]:
    """The lines of a CSV of three coins of each label with two faces: the first frames as obverse, the others as reverse."""
    lines = ["path,label,side,coin_id"]
    for label, pictures in frames.items():
        for number, pixels in enumerate(pictures):
            write(f"faces/{label[0]}{number}.png", pixels)
            lines.append(
                f"faces/{label[0]}{number}.png,{label},{'obverse' if number < 3 else 'reverse'},{label[0]}{number % 3}"
            )
    return lines


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


def test_two_faces_become_one_picture(collection):
    listed(collection)
    made = prepare("list.csv", "--join-sides")
    loaded = Dataset.load(Path("set"))
    assert made["counts"]["kept"] == len(loaded.rows) == 6 and {
        row.side for row in loaded.rows
    } == {"both"}
    shutil.copytree("set", "joined")
    prepare("list.csv", "--force")
    faces, single = rows(), Dataset.load(Path("set"))
    for row in loaded.rows:
        obverse, reverse = (faces[Path(part).name] for part in row.source.split(" + "))
        assert obverse.coin_id == reverse.coin_id == row.coin_id and (
            obverse.side,
            reverse.side,
        ) == ("obverse", "reverse")
        left, both = single.read_image(obverse), read_picture(Path("joined") / row.picture)
        height = left.shape[0]
        assert (both[:, :height] == left).all()
        right = cv2.resize(
            single.read_image(reverse), (height, height), interpolation=cv2.INTER_AREA
        )
        assert (both[:, height:] == right).all() and both.shape == (height, 2 * height, 3)
        assert loaded.circle_of(row) == single.circle_of(obverse)


def test_a_coin_with_a_face_missing_is_left_out(collection):
    listed([line for line in collection if "b3.png" not in line])
    made = prepare("list.csv", "--join-sides")
    assert made["counts"]["left_out"] == {"one-side": 1} and made["counts"]["kept"] == 5
    row = rows()["b0.png"]
    assert row.reason == "one-side" and "no reverse of coin b0" in row.detail
    assert not [
        path for path in files("set") if path.startswith("pictures/") and "both" not in path
    ]


def zipped(path: str, content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, own in content.items():
            archive.writestr(name, own)
    return Path(path)


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


def test_a_damaged_picture_in_a_zip_is_unreadable(photographs):
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


def test_a_member_that_is_too_large_for_a_picture_is_refused(photographs, capsys, monkeypatch):
    monkeypatch.setattr(sources, "MAX_MEMBER_BYTES", 10_000)
    assert "and no picture needs that" in refused(capsys, zipped("large.zip", files(photographs)))


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


# Bad input.


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["empty"], "empty: holds no pictures"),
        (["notes.txt"], "is no folder, CSV or ZIP"),
        (["photographs/bit_10"], "only one label, 'bit_10': at least two are needed"),
        (["photographs", "--px-per-mm", "3"], "give both or neither"),
        (["photographs", "--validation", "0.7", "--test", "0.3"], "leave nothing to train on"),
        (
            ["photographs", "--px-per-mm", "0.01", "--diameters", "18-28"],
            "coins of 0 pixels radius",
        ),
        (["photographs", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["photographs", "--validation", "nan"], "leave nothing to train on"),
        (["photographs", "--group-by", "name"], "needs --group-pattern"),
        (
            ["photographs", "--group-by", "name", "--group-pattern", "x_[0-9]"],
            "one pair of brackets",
        ),
        (["photographs", "--group-by", "name", "--group-pattern", "("], "no regular expression"),
        (
            ["photographs", "--group-by", "name", "--group-pattern", "y_([0-9])"],
            "does not fit photographs/bit_10/b_1000.png and 11 others",
        ),
        (["photographs", "--join-sides"], "no coin has both faces"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(photographs, capsys, words, complaint):
    Path("empty").mkdir()
    Path("notes.txt").write_text("x")
    assert complaint in refused(capsys, *words) and not Path("set").exists()


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
        (["path,label"], "lists no pictures"),
        (["path;label", "a;b"], "line 1: the columns are path;label; they must be path,label"),
        (["path,label,coinid", "a,b,c"], "line 1: the columns are path,label,coinid"),
        (["path,label", "a.png"], "line 2: not 2 values"),
        (["path,label", "a.png,b", "a.png,b,c"], "line 3: not 2 values"),
        (["path,label", ",b"], "line 2: no path"),
        (["path,label,side", "a.png,b,tails"], "line 2: side is 'tails'"),
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


def test_nothing_but_a_data_set_is_ever_replaced(photographs, capsys):
    Path("set").mkdir()
    Path("set/thesis.txt").write_text("three years of work")
    assert "is not empty, and no data set" in refused(capsys, photographs, "--force")
    assert files("set") == {"thesis.txt": b"three years of work"}


@pytest.mark.parametrize("place", ["photographs/set", "photographs", "."])
def test_the_data_set_is_never_made_within_its_sources(photographs, capsys, place):
    before = files(photographs)
    status = train_cli.main(["prepare", "photographs", "--out", place])
    assert (
        status == 66
        and "name a folder beside it" in capsys.readouterr().err
        and files(photographs) == before
    )


def test_coins_larger_than_the_pictures_are_in_none_of_them(photographs, capsys):
    assert "12 no-coin" in refused(capsys, photographs, "--px-per-mm", 1000, "--diameters", "18-28")


def test_where_nothing_is_fit_to_train_on_the_reasons_are_told(photographs, frames, capsys):
    for path in photographs.rglob("*.png"):
        coin = as_crop(read_picture(path))
        cut = round(0.2 * len(coin))
        write(path, coin[cut:-cut, cut:-cut])
    message = refused(capsys, photographs)
    assert (
        "pictures of no label are left" in message
        and "12 no-coin" in message
        and "--crops --force" in message
    )
    assert prepare(photographs, "--crops", "--force")["counts"]["kept"] == 12


def test_a_label_of_two_pictures_is_in_two_splits_and_that_is_said(photographs, capsys):
    for path in sorted((photographs / "bit_10").iterdir())[2:]:
        path.unlink()
    assert train_cli.main(["prepare", "photographs", "--out", "set", "--test", "0.2"]) == 0
    assert "note: bit_10: 2 groups of 2 pictures, none left for test" in capsys.readouterr().out
    assert {row.split for row in rows().values() if row.label == "bit_10"} == {
        "train",
        "validation",
    }
    assert {row.split for row in rows().values() if row.label == "crown_20"} == {
        "train",
        "validation",
        "test",
    }


def test_pictures_that_are_all_one_burst_cannot_be_split(here, frames, capsys):
    for label, pictures in frames.items():
        for number, pixels in enumerate(pictures):
            write(f"counted/{label}/IMG_{number:04}.png", pixels)
    assert (
        "all one group" in (message := refused(capsys, "counted")) and "--group-by none" in message
    )
    assert prepare("counted", "--group-by", "none")["looked_at"] == 0, (
        "nothing is looked at twice for it"
    )


# Later runs.


def test_a_finished_data_set_is_left_alone(photographs, capsys):
    prepare(photographs)
    before = {path: path.stat().st_mtime_ns for path in Path("set").rglob("*")}
    assert train_cli.main(["prepare", "photographs", "--out", "set"]) == 0
    assert (
        "set: is finished, and nothing has changed; 12 of 12 pictures kept"
        in capsys.readouterr().out
    )
    assert {path: path.stat().st_mtime_ns for path in Path("set").rglob("*")} == before


def test_other_settings_need_force(photographs, capsys):
    prepare(photographs)
    before = files("set")
    assert "was made with other settings (test, seed)" in refused(
        capsys, photographs, "--seed", 2, "--test", 0.1
    )
    assert files("set") == before
    assert prepare(photographs, "--seed", 2, "--test", 0.1, "--force")["seed"] == 2


@pytest.mark.parametrize("change", ["another picture", "one more", "one less", "another name"])
def test_sources_that_changed_since_are_noticed(photographs, frames, capsys, change):
    prepare(photographs)
    path = photographs / "bit_10" / "b_1000.png"
    if change == "another picture":
        write(path, 255 - frames["bit_10"][0])
    elif change == "one more":
        write(photographs / "bit_10" / "x_9000.png", 255 - frames["bit_10"][0])
    elif change == "one less":
        path.unlink()
    else:
        path.rename(path.with_name("z_1000.png"))
    assert "set: its sources have changed since it was made; make it anew with --force" in refused(
        capsys, photographs
    )


def test_sources_touched_but_not_changed_are_the_same(photographs):
    prepare(photographs)
    for path in photographs.rglob("*.png"):
        os.utime(path, (1, 1))
    assert prepare(photographs)["made"] is False


@pytest.mark.parametrize("change", ["picture", "picture gone", "table", "facts", "facts gone"])
def test_a_data_set_that_changed_since_is_refused_by_name(photographs, change):
    prepare(photographs)
    row = Dataset.load(Path("set")).kept_rows()[3]
    name = {"picture": row.picture, "picture gone": row.picture, "table": "table.csv"}.get(
        change, "dataset.yaml"
    )
    path = Path("set") / name
    if change == "facts":
        path.write_text(path.read_text().replace("format: 1", "format: 7"))
    elif "gone" in change:
        path.unlink()
    elif change == "table":
        path.write_text(path.read_text().replace("train", "test"))
    else:
        write(path, 255 - read_picture(path))
    with pytest.raises(InputError) as caught:
        Dataset.load(Path("set"))
    assert ("set: holds no finished data set" if change == "facts gone" else str(path)) in str(
        caught.value
    ) and "coinsorter-train prepare" in str(caught.value)


def killed_at(table: Path, pipe: Path) -> None:
    """Runs the command in a process of its own, and kills it while it reads `pipe`, whose end stays out of its sight until it is dead."""
    words = ["prepare", str(table), "--out", "set", "--json", "--group-by", "none"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from coinsorter.training.train_cli import main; sys.exit(main({words!r}))"
    with (
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process,
        contextlib.ExitStack() as held,
    ):
        held.callback(process.wait)
        held.callback(process.kill)
        for _ in range(6000):
            with contextlib.suppress(OSError):
                writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                break
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        os.close(writer)


def test_a_killed_run_goes_on_where_it_was_and_ends_as_if_it_had_not_been(photographs):
    """A pipe among the pictures holds the process up in the middle, where it is killed."""
    paths = sorted(photographs.rglob("*.png"))
    table = listed(["path,label", *(f"{path},{path.parent.name}" for path in paths)])
    content = paths[7].read_bytes()
    paths[7].unlink()
    os.mkfifo(paths[7])
    killed_at(table, paths[7])
    paths[7].unlink()
    paths[7].write_bytes(content)
    assert (
        not Path("set/dataset.yaml").exists()
        and len(Path("set/journal.jsonl").read_text().splitlines()) == 1 + 7
    )
    with pytest.raises(InputError, match="holds no finished data set"):
        Dataset.load(Path("set"))

    made = prepare(table, "--group-by", "none")
    assert made["looked_at"] == 12 - 7
    interrupted = files("set")
    shutil.rmtree("set")
    assert prepare(table, "--group-by", "none")["looked_at"] == 12
    assert files("set") == interrupted


@pytest.fixture
def stopped(photographs, capsys) -> Path:
    """A run that stopped short of its end, all pictures looked at."""
    assert "all one group" in refused(capsys, photographs, "--burst-gap-s", 1000)
    return Path("set/journal.jsonl")


def test_a_torn_last_line_costs_one_picture(stopped, photographs):
    content = stopped.read_bytes()
    stopped.write_bytes(content[:-30])
    assert prepare(photographs)["looked_at"] == 1


def test_after_a_torn_line_the_journal_is_whole_again(stopped, photographs, capsys):
    content = stopped.read_bytes()
    stopped.write_bytes(content[:-30])
    refused(capsys, photographs, "--burst-gap-s", 1000)
    assert stopped.read_bytes() == content


def test_a_data_set_begun_anew_is_unfinished_until_it_is_done(photographs, capsys):
    prepare(photographs)
    refused(capsys, photographs, "--burst-gap-s", 1000, "--force")
    with pytest.raises(InputError, match="holds no finished data set"):
        Dataset.load(Path("set"))
    assert prepare(photographs)["looked_at"] == 0


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_a_picture_lost_with_the_power_is_made_again(stopped, photographs, damage):
    path = sorted(Path("set/pictures").rglob("*.png"))[4]
    content = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(content[:100])
    assert prepare(photographs)["looked_at"] == 1 and path.read_bytes() == content


def test_a_source_that_changed_meanwhile_is_looked_at_again(stopped, photographs, frames):
    write(photographs / "bit_10" / "b_1000.png", cv2.flip(frames["bit_10"][0], 1))
    assert prepare(photographs)["looked_at"] == 1


def test_a_run_begun_with_other_eyes_is_not_continued(stopped, photographs, capsys):
    assert "was begun with other settings" in refused(capsys, photographs, "--crops")
    assert prepare(photographs, "--crops", "--force", "--group-by", "none")["looked_at"] == 12


def test_two_runs_at_once_keep_out_of_each_others_way(photographs, capsys):
    Path("set").mkdir()
    with ResumeLog(Path("set/journal.jsonl"), {}):
        assert "another run is at work there" in refused(capsys, photographs, "--force")


def test_a_full_disk_is_one_line(stopped, photographs, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "set/table.csv")

    monkeypatch.setattr("coinsorter.training.dataset.dataset.write_table", full)
    assert "set/table.csv: No space left on device; what is finished is kept" in refused(
        capsys, photographs
    )


# Groups and splits.


def test_bursts_go_by_folder_and_by_the_last_number():
    paths = [
        Path(name)
        for name in (
            "a/x2_100.png",
            "a/x1_140.png",
            "b/x1_150.png",
            "a/x3_181.png",
            "a/noon.png",
            "a/night.png",
            "b/5_190.png",
        )
    ]
    assert splits.bursts(paths, 40) == [1, 1, 2, 3, 4, 5, 2]


@pytest.mark.parametrize(
    "words, groups",
    [
        ([], 2),
        (["--burst-gap-s", 9], 12),
        (["--group-by", "none"], 12),
        (["--group-by", "name", "--group-pattern", r"x_(\d)"], 6),
    ],
)
def test_pictures_are_kept_together_as_told(here, frames, words, groups):
    for label, pictures in frames.items():
        for number, pixels in enumerate(pictures):
            write(f"counted/{label}/x_{number}0.png", pixels)
    assert prepare("counted", *words, "--validation", 0)["counts"]["groups"] == groups


def test_a_near_duplicate_ties_the_bursts_that_it_is_in_together(photographs, frames):
    """A coin that lies unmoved over a pause is one coin."""
    for number in (1, 2):
        write(
            f"photographs/crown_20/x_{9000 + number}.png",
            frames["bit_10"][0] if number == 1 else cv2.flip(frames["crown_20"][5], 1),
        )
    write("photographs/crown_20/x_9003.jpg", frames["crown_20"][3])
    prepare(photographs)
    found = {
        Path(row.source).name: row
        for row in Dataset.load(Path("set")).rows
        if row.label == "crown_20"
    }
    assert found["x_9003.jpg"].reason == "near-duplicate"
    assert found["x_9002.png"].group == found["c_1300.png"].group != found["c_1400.png"].group
    assert found["x_9002.png"].split == found["c_1300.png"].split


IMAGES = st.integers(1, 6).flatmap(
    lambda labels: st.lists(
        st.tuples(st.integers(1, labels), st.integers(1, 30)), min_size=1, max_size=40
    )
)  # groups: the label of each, and how many pictures it has
SHARES = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45)).map(
    lambda two: {"train": 1 - sum(two), "validation": two[0], "test": two[1]}
)


@settings(deadline=None, max_examples=200)
@given(IMAGES, SHARES, st.integers(0, 100))
def test_no_group_is_in_two_splits_and_each_label_is_in_all_about_as_wanted(groups, shares, seed):
    labels = [str(label) for label, count in groups for _ in range(count)]
    grouped = [number for number, (_, count) in enumerate(groups) for _ in range(count)]
    dealt = splits.split(labels, grouped, shares, seed)
    assert dealt == splits.split(labels, grouped, shares, seed)
    where = defaultdict(set)
    for group, name in zip(grouped, dealt):
        where[group].add(name)
    assert all(len(names) == 1 for names in where.values())
    for label in set(labels):
        sizes = [count for own, count in groups if str(own) == label]
        found = Counter(name for own, name in zip(labels, dealt) if own == label)
        wanted = {name for name, share in shares.items() if share > 0}
        assert set(found) <= wanted and (
            set(found) == wanted if len(sizes) >= len(wanted) else len(found) == len(sizes)
        )
        if len(sizes) >= len(wanted):
            assert all(
                abs(found[name] - share * sum(sizes)) <= 2 * max(sizes)
                for name, share in shares.items()
            )


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.integers(0, 12), max_size=3), max_size=30))
def test_what_shares_a_key_shares_a_group(keys):
    found = splits.groups(keys)
    assert all(
        found[i] == found[j]
        for i, own in enumerate(keys)
        for j, other in enumerate(keys)
        if set(own) & set(other)
    )
    assert list(dict.fromkeys(found)) == list(range(1, len(set(found)) + 1))
    for number in set(found):
        members = {key for own, group in zip(keys, found) if group == number for key in own}
        assert not members & {
            key for own, group in zip(keys, found) if group != number for key in own
        }


def test_a_photograph_of_many_labels_is_in_one_split():
    labels, grouped = ["a", "b", "c"] * 20, [i // 6 for i in range(60)]
    dealt = splits.split(labels, grouped, {"train": 0.6, "validation": 0.2, "test": 0.2}, 1)
    assert (
        Counter(dealt) == {"train": 36, "validation": 12, "test": 12}
        and len(set(zip(grouped, dealt))) == 10
    )


# The report.


def test_the_report_shows_counts_reasons_pictures_and_how_it_was_made(photographs, frames):
    write("photographs/crown_20/blurred_9000.png", blurred(frames["crown_20"][0]))
    (photographs / "bit_10" / "torn & <b>.jpg").write_bytes(b"\xff\xd8")
    prepare(photographs)
    text = Path("set/report.html").read_text()
    assert "12 of 14 pictures kept" in text
    cells = re.findall(r"<tr><td>(\w+)</td>((?:<td class=\"number\">\d+</td>){5})", text)
    assert {
        label: [int(n) for n in re.findall(r">(\d+)<", numbers)] for label, numbers in cells
    } == {
        "bit_10": [5, 1, 6, 6, 1],
        "crown_20": [5, 1, 6, 6, 1],
        "all": [10, 2, 12, 12, 2],
    }
    for reason in ("blurred", "unreadable"):
        assert re.search(
            rf"<td>{reason}</td><td class=\"number\">1</td><td>{re.escape(REASONS[reason])}", text
        )
    assert (
        text.count("data:image/jpeg;base64,") == 12 + 1
        and "torn &amp; &lt;b&gt;.jpg" in text
        and "<b>.jpg" not in text
    )
    assert "<pre>coinsorter-train prepare photographs --out set</pre>" in text


def test_the_report_needs_nothing_but_itself(photographs):
    prepare(photographs)
    text = Path("set/report.html").read_text()
    assert not re.findall(
        r"https?:|//[a-z]|<script|<link|@import|url\(",
        re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", text),
    )


def test_an_embedded_picture_is_the_picture_made_no_larger_than_wanted(frames):
    uri = html_report.jpeg_uri(frames["bit_10"][0], 80)
    pixels = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))))
    )
    assert pixels.shape == (80, 100, 3)
    assert (
        np.abs(
            pixels.astype(int)
            - cv2.resize(frames["bit_10"][0], (100, 80), interpolation=cv2.INTER_AREA)
        ).mean()
        < 3
    )


# The rest.


def test_the_table_has_the_columns_that_it_promises(photographs):
    prepare(photographs)
    with Path("set/table.csv").open(newline="") as file:
        (first, *_) = csv.reader(file)
    assert ",".join(first) == (
        "picture,label,side,coin_id,group,split,reason,detail,sha256,phash,source,width_px,height_px,frame_x_px,frame_y_px,"
        "x_px,y_px,radius_px,quality,roundness,sharpness,surround_r,surround_g,surround_b,off_patch,alone"
    )
    manifest = yaml.safe_load(Path("set/dataset.yaml").read_text())
    assert (manifest["format"], manifest["crops"], manifest["splits"], manifest["sources"]) == (
        1,
        False,
        {"train": 0.8, "validation": 0.2, "test": 0.0},
        ["photographs"],
    )


def test_help_teaches_with_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        train_cli.main(["prepare", "--help"])
    said = capsys.readouterr().out
    assert (
        caught.value.code == 0
        and "coinsorter-train prepare photographs --out coins" in said
        and max(map(len, said.splitlines())) <= 100
    )
