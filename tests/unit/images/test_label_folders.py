"""label_folders: the label is the name of the right folder, or it is asked for."""

from pathlib import Path

import pytest

from coinsorter.errors import InputError
from coinsorter.images.label_folders import find_known_label, find_side, place_images

SOURCE = Path("photographs")


def place(*paths: str, level: int | None = None) -> list[tuple[str, str]]:
    """Label and side of an image in each folder."""
    folders = [tuple(path.split("/")) if path else () for path in paths]
    return [(each.label, each.side) for each in place_images(SOURCE, folders, level)]


@pytest.mark.parametrize(
    "one, other",
    [
        ("obverse", "reverse"),
        ("Obverse", "REVERSE"),
        ("heads", "tails"),
        ("front", "back"),
        ("Kopf", "Zahl"),
        ("avers", "revers"),
        ("cara", "coroa"),
    ],
)
def test_folders_of_faces_are_sides_of_the_label_above_or_below(one, other):
    sides = ["obverse", "reverse"]
    below = place(f"10c/{one}", f"10c/{other}", f"25c/{one}", f"25c/{other}")
    assert below == [(label, side) for label in ("10c", "25c") for side in sides]
    above = place(f"{one}/10c", f"{other}/10c", f"{one}/25c", f"{other}/25c")
    assert above == [(label, side) for label in ("10c", "25c") for side in sides]


@pytest.mark.parametrize("names", [("side1", "side2"), ("Seite A", "Seite B"), ("edge", "obverse")])
def test_faces_without_a_name_of_their_own_are_no_labels(names):
    assert {label for label, _ in place(*(f"10c/{name}" for name in names), "25c/obverse")} == {
        "10c",
        "25c",
    }


@pytest.mark.parametrize(
    "one, other",
    [
        ("train", "test"),
        ("Training", "validation"),
        ("train_set", "val"),
        ("fold1", "fold2"),
        ("day1", "day2"),
        ("session-1", "Session-2"),
        ("2026-11-26", "20261127"),
        ("2026-11-26 10.15", "2026-11-27 09.00"),
        ("26.11.2026", "27.11.2026"),
        ("100CANON", "101CANON"),
    ],
)
def test_splits_and_days_are_no_labels_wherever_they_are(one, other):
    assert place(f"{one}/10c", f"{other}/10c", f"{one}/25c") == [
        ("10c", ""),
        ("10c", ""),
        ("25c", ""),
    ]
    assert place(f"10c/{one}", f"10c/{other}", f"25c/{one}") == [
        ("10c", ""),
        ("10c", ""),
        ("25c", ""),
    ]


def test_labels_are_found_between_split_and_face():
    assert place("train/10c/obverse", "test/25c/reverse") == [
        ("10c", "obverse"),
        ("25c", "reverse"),
    ]


def test_folders_around_all_others_and_within_some_are_no_labels():
    assert place("mine/coins/10c", "mine/coins/25c") == [("10c", ""), ("25c", "")]
    assert place("10c", "10c/extra", "25c") == [("10c", ""), ("10c", ""), ("25c", "")]


@pytest.mark.parametrize(
    "folders",
    [("train", "test"), ("obverse", "reverse"), ("day1", "day2"), ("train/heads", "test/tails")],
)
def test_where_no_folder_is_named_as_a_label_it_is_asked_for(folders):
    with pytest.raises(InputError, match=r"none as a label; .* or say --label-level 1 for"):
        place(*folders)
    assert [label for label, _ in place(*folders, level=1)] == [f.split("/")[0] for f in folders]


def test_one_folder_within_the_other_is_the_label():
    assert place("coins/10c", "coins/10c") == [("10c", ""), ("10c", "")]
    assert place("10c") == [("10c", "")]


def test_an_image_in_no_folder_of_its_level_has_no_label():
    assert place("", "10c", "25c") == [("", ""), ("10c", ""), ("25c", "")]
    assert place("train", "train/10c", "test/25c")[0] == ("", "")


@pytest.mark.parametrize(
    "folders",
    [
        ("10c/1", "10c/2", "25c/1", "25c/2"),
        ("paul/10c", "anna/10c", "paul/25c"),
        ("euro/1e", "euro/2e", "brl/1real"),
        ("10c/monday", "25c/tuesday"),
    ],
)
def test_where_two_levels_may_be_meant_the_choice_is_asked_for(folders):
    upper, lower = (sorted({path.split("/")[level] for path in folders}) for level in (0, 1))
    with pytest.raises(InputError) as refusal:
        place(*folders)
    message = str(refusal.value)
    assert f"--label-level 1 for {', '.join(upper)}" in message
    assert f"--label-level 2 for {', '.join(lower)}" in message
    assert [label for label, _ in place(*folders, level=1)] == [p.split("/")[0] for p in folders]
    assert [label for label, _ in place(*folders, level=2)] == [p.split("/")[1] for p in folders]


def test_a_level_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="have 2 levels"):
        place("a/b", "c/d", level=3)


def test_a_message_names_a_few_folders_and_no_controls():
    with pytest.raises(InputError) as refusal:
        place(*(f"a{n}\x1b[2J/b{n}" for n in range(90)))
    assert "and 86 more" in str(refusal.value) and str(refusal.value).isprintable()


@pytest.mark.parametrize("name, side", [("Rückseite", "reverse"), ("edge", ""), ("10c", None)])
def test_faces_have_many_names(name, side):
    assert find_side(name) == side


@pytest.mark.parametrize(
    "path, label",
    [
        ("10c/x.jpg", "010"),
        ("10c/obverse/x.jpg", "010"),
        ("train/10c/x.jpg", "010"),
        ("krw/tails/x.jpg", "tails"),
        ("x.jpg", None),
    ],
)
def test_a_known_label_is_found_above_what_is_no_label(path, label):
    def resolve(name: str) -> str:
        return {"10c": "010"}.get(name, name)

    assert find_known_label(SOURCE / path, SOURCE, resolve, {"010"}) == label
