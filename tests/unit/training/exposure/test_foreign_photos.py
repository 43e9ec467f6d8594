"""foreign_photos: things are cut out as coins are, whatever their images look like."""

import cv2
import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.training.exposure.foreign_photos import (
    check_foreign,
    cut_things,
    list_foreign_images,
    read_foreign_photos,
)
from coinsorter.vision.crop import FILL, CropSpec, mask_coin

SPEC = CropSpec(64, 1.06, (136.0, 136.0, 136.0))
IS_COIN = mask_coin(SPEC) > 0


def draw_thing(size: tuple[int, int], radius_px: int, level: int = 60) -> np.ndarray:
    image = np.full((*size, 3), 220, np.uint8)
    cv2.circle(
        image, (size[1] // 3, size[0] // 3), radius_px, (level, level, level), -1, cv2.LINE_AA
    )
    return image


def write(folder, kind: str, name: str, image: np.ndarray) -> None:
    (folder / kind).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / kind / name), image)


@pytest.mark.parametrize("size, radius_px", [((480, 640), 90), ((1200, 1600), 220), ((96, 96), 20)])
def test_a_round_thing_fills_its_crop_however_large_its_image_is(size, radius_px):
    crop = next(cut_things(draw_thing(size, radius_px), SPEC, np.random.default_rng(0)))
    assert crop.shape == (64, 64, 3) and (crop[~IS_COIN] == FILL).all()
    inner = mask_coin(CropSpec(64, 1.25, SPEC.surround)) > 0
    assert (crop[inner] < 100).mean() > 0.95


def test_an_image_of_one_thing_alone_is_cut_about_its_middle():
    texture = np.random.default_rng(1).integers(0, 255, (50, 70, 3)).astype(np.uint8)
    crops = list(cut_things(texture, SPEC, np.random.default_rng(0)))
    assert len(crops) >= 1 and crops[-1][IS_COIN].std() > 10


def test_things_are_sources_by_the_folders_that_they_lie_in(tmp_path):
    write(tmp_path, "pills", "a.png", draw_thing((300, 400), 60))
    write(tmp_path / "screws", "box", "b.png", draw_thing((300, 400), 60))
    (tmp_path / "pills" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    steps = []
    sources = read_foreign_photos(tmp_path, SPEC, steps.append, np.random.default_rng(0))
    assert [source.name for source in sources] == ["pills", "screws"]
    assert all(len(source.crops) >= 1 for source in sources) and steps[-1] == len(steps)


def test_of_a_kind_with_many_images_some_are_used_evenly_spaced(tmp_path):
    (tmp_path / "pills").mkdir()
    for number in range(10):
        (tmp_path / "pills" / f"{number}.png").write_bytes(b"never read")
    (tmp_path / "screw.png").write_bytes(b"never read")
    names = [path.name for path in list_foreign_images(tmp_path, 5)]
    assert sorted(names) == ["0.png", "2.png", "4.png", "6.png", "8.png", "screw.png"]
    assert len(list_foreign_images(tmp_path, None)) == 11


def test_the_same_seed_cuts_the_same_crops(tmp_path):
    write(tmp_path, "pills", "a.png", draw_thing((300, 400), 60))
    first, second = (
        read_foreign_photos(tmp_path, SPEC, lambda done: None, np.random.default_rng(3))
        for _ in range(2)
    )
    assert (first[0].crops[:] == second[0].crops[:]).all()


def test_a_folder_without_an_image_that_can_be_read_is_refused(tmp_path):
    (tmp_path / "pills").mkdir()
    (tmp_path / "pills" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match="none of its images can be read|no images"):
        read_foreign_photos(tmp_path, SPEC, lambda done: None, np.random.default_rng(0))


@pytest.mark.parametrize("is_there, complaint", [(False, "no such folder"), (True, "no images")])
def test_folders_without_images_are_refused_before_anything_is_trained(
    tmp_path, is_there, complaint
):
    write(tmp_path / "good", "pills", "a.png", draw_thing((300, 400), 60))
    if is_there:
        (tmp_path / "bad").mkdir()
    check_foreign([tmp_path / "good"])
    with pytest.raises(InputError, match=complaint):
        check_foreign([tmp_path / "good", tmp_path / "bad"])
