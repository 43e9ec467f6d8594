"""statistics: a trainer learns what is wrong with a data set."""

from pathlib import Path

from coinsorter.images.image_io import read_image
from coinsorter.training import train_cli
from tests.unit.training.dataset.helpers import (
    EACH,
    as_crop,
    prepare,
    refused,
    rows,
    write,
)


def test_coins_larger_than_the_images_are_in_none_of_them(photographs, capsys):
    assert "12 no-coin" in refused(capsys, photographs, "--px-per-mm", 1000, "--diameters", "18-28")


def test_where_nothing_is_fit_to_train_on_the_reasons_are_named(photographs, frames, capsys):
    for path in photographs.rglob("*.png"):
        coin = as_crop(read_image(path))
        cut = round(0.2 * len(coin))
        write(path, coin[cut:-cut, cut:-cut])
    message = refused(capsys, photographs)
    assert (
        "images of no label are left" in message
        and "12 no-coin" in message
        and "--crops --force" in message
    )
    assert prepare(photographs, "--crops", "--force")["counts"]["kept"] == 12


def test_a_label_of_two_images_is_in_two_splits_and_that_is_said(photographs, capsys):
    for path in sorted((photographs / "bit_10").iterdir())[2:]:
        path.unlink()
    assert train_cli.main(["prepare", "photographs", "--out", "set", "--test", "0.2"]) == 0
    assert "note: bit_10: 2 groups of 2 images, none left for test" in capsys.readouterr().out
    assert {row.split for row in rows().values() if row.label == "bit_10"} == {
        "train",
        "validation",
    }
    assert {row.split for row in rows().values() if row.label == "crown_20"} == {
        "train",
        "validation",
        "test",
    }


def test_images_that_are_all_one_burst_cannot_be_split(here, frames, capsys):
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            write(f"counted/{label}/IMG_{number:04}.png", pixels)
    assert (
        "all one group" in (message := refused(capsys, "counted")) and "--group-by none" in message
    )
    assert not Path("set").exists(), "it is said before any image is read"
    assert prepare("counted", "--group-by", "none")["looked_at"] == 2 * EACH
