"""images: files listed in the order taken, read as RGB, and written whole."""

import cv2
import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.files.ownership import Claim, read_sample, recognize_mark
from coinsorter.images.image_io import (
    decode_image,
    encode_image,
    list_images,
    mark_image,
    read_image,
    write_image,
)

PIXELS = np.zeros((20, 30, 3), np.uint8)
PIXELS[..., 0] = 200
PIXELS[:5, :, 1] = 90


def test_an_image_is_written_as_its_name_says(tmp_path):
    path = tmp_path / "new" / "one.png"
    write_image(path, PIXELS, Claim(), "snap")
    assert (cv2.imread(str(path))[..., ::-1] == PIXELS).all()
    assert [each.name for each in path.parent.iterdir()] == ["one.png"]


def test_an_image_that_cannot_be_written_is_named(tmp_path):
    write_image(tmp_path / "one.png", PIXELS, Claim(), "snap")
    with pytest.raises(InputError, match=r"one.xyz: .*name a .jpg or .png"):
        write_image(tmp_path / "one.xyz", PIXELS, Claim(), "snap")
    with pytest.raises(InputError, match="images are not written as nothing"):
        write_image(tmp_path / "one", PIXELS, Claim(), "snap")
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / "one.png" / "two.png", PIXELS, Claim(), "snap")


def test_what_was_written_is_read_as_it_was(tmp_path):
    write_image(tmp_path / "one.png", PIXELS, Claim(), "snap")
    assert (read_image(tmp_path / "one.png") == PIXELS).all()
    assert (decode_image(encode_image(PIXELS, ".png")) == PIXELS).all()


@pytest.mark.parametrize("content", [b"", b"no image", encode_image(PIXELS, ".png")[:40]])
def test_what_is_no_image_is_none(tmp_path, content):
    (tmp_path / "one.png").write_bytes(content)
    assert read_image(tmp_path / "one.png") is None


def test_a_missing_file_is_none(tmp_path):
    assert read_image(tmp_path / "one.png") is None


def test_images_are_listed_in_the_order_taken(tmp_path):
    names = ["b/coin_10.png", "a/coin_9.JPG", "a/coin_10.bmp", "a/note.txt", "plain.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == ["plain.png", "a/coin_9.JPG", "a/coin_10.bmp", "b/coin_10.png"]


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        list_images(tmp_path / "missing")
    with pytest.raises(InputError, match="holds no images"):
        list_images(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
def test_an_image_is_known_by_its_makers_mark_and_its_pixels_stay_as_they_are(tmp_path, suffix):
    path = tmp_path / f"one{suffix}"
    plain = encode_image(PIXELS, suffix)
    path.write_bytes(mark_image(plain, "snap"))
    assert (read_image(path) == decode_image(plain)).all()
    assert recognize_mark("snap")(read_sample(path))
    assert not recognize_mark("capture")(read_sample(path)) and not recognize_mark("snap")(plain)
