"""splits: what belongs together is never on two sides."""

from collections import Counter, defaultdict
from pathlib import Path

import cv2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.training.dataset import splits
from coinsorter.training.dataset.dataset import Dataset
from tests.unit.images.test_exif_times import jpeg_taken
from tests.unit.training.dataset.helpers import (
    prepare,
    write,
)


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
    assert splits.number_bursts(paths, 40) == [1, 1, 2, 3, 4, 5, 2]


def test_what_capture_writes_is_a_coin_each_or_what_it_was_told():
    names = [
        "10c/10c_1795718216257_1.png",
        "10c/10c_1795718217694_2.png",
        "10c/10c_1795718219168_3_roll-1.png",
        "10c/10c_1795728219168_1_roll-1.png",
        "25c/25c_1795718219168_3_roll-1.png",
    ]
    assert splits.number_bursts([Path(name) for name in names], 40) == [1, 2, 3, 3, 4]


def test_phones_times_are_seconds_and_cameras_counts_are_none():
    names = [
        "a/IMG_20261126_101500123.jpg",
        "a/IMG_20261126_101600123.jpg",
        "a/2026-11-26 10.16.20.jpg",
        "a/DSC0001.jpg",
        "a/DSC0999.jpg",
        "b/DSC0003.jpg",
    ]
    assert splits.number_bursts([Path(name) for name in names], 40) == [1, 2, 2, 3, 3, 4]


def test_a_cameras_own_time_counts_where_the_name_is_a_count(tmp_path):
    times = ["10:15:00", "10:15:20", "10:17:00"]
    paths = [tmp_path / f"DSC000{number}.JPG" for number in range(4)]
    for path, time in zip(paths, times):
        path.write_bytes(jpeg_taken(f"2026:11:26 {time}"))
    assert splits.number_bursts(paths, 40) == [1, 1, 2, 3]


@pytest.mark.parametrize(
    "words, groups",
    [
        ([], 2),
        (["--burst-gap-s", 9], 12),
        (["--group-by", "none"], 12),
        (["--group-by", "name", "--group-pattern", r"x_(\d)"], 6),
    ],
)
def test_images_are_kept_together_as_set(here, frames, words, groups):
    for label, images in frames.items():
        for number, pixels in enumerate(images):
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
    dealt = splits.assign_splits(labels, grouped, shares, seed)
    assert dealt == splits.assign_splits(labels, grouped, shares, seed)
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
    found = splits.number_groups(keys)
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
    dealt = splits.assign_splits(labels, grouped, {"train": 0.6, "validation": 0.2, "test": 0.2}, 1)
    assert (
        Counter(dealt) == {"train": 36, "validation": 12, "test": 12}
        and len(set(zip(grouped, dealt))) == 10
    )
