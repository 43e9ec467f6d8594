"""labels: what cannot be a folder everywhere is no label."""

import pytest

from coinsorter.errors import InputError
from coinsorter.training.dataset.labels import (
    check_coins,
    check_label,
    check_labels,
    normalize_label,
)
from coinsorter.training.dataset.source_image import SourceImage

#: Two labels, so that a third is judged.
TWO = ["10c", "25c"]


@pytest.mark.parametrize(
    "label",
    [
        "\x1b[31mred\x1b[0m",
        "a\nb",
        "a\x00b",
        "../10c",
        "a\\b",
        "CON",
        "nul.txt",
        "com1",
        "10c.",
        ".hidden",
        "x" * 300,
        "what?",
        "\udcff",
    ],
)
def test_a_label_that_names_no_folder_is_refused_in_one_printable_line(label):
    with pytest.raises(InputError) as refusal:
        check_labels([*TWO, label])
    message = str(refusal.value)
    assert "cannot name a folder" in message and message.isprintable() and len(message) < 250


@pytest.mark.parametrize("label", ["1 real", "10c", "[b]", "=1+1", "ölünç", "console", "x" * 80])
def test_a_label_that_names_a_folder_is_taken(label):
    check_label(label)


def test_labels_of_spaces_are_none():
    check_labels([*TWO, "", "   "])
    with pytest.raises(InputError, match="only one label, '10c'"):
        check_labels(["10c", " "])


def test_an_accent_is_the_same_in_either_spelling():
    assert normalize_label(" pie\u0300ce ") == "pi\u00e8ce"
    with pytest.raises(InputError, match="only one label"):
        check_labels(["pie\u0300ce", "pi\u00e8ce"])


def test_a_coin_has_one_label():
    coins = [
        SourceImage("a.png", "10c", coin_id="1", table="x.csv"),
        SourceImage("b.png", " 10c", coin_id="1", table="x.csv"),
        SourceImage("c.png", "25c", coin_id="1", table="y.csv"),
    ]
    check_coins(coins)
    with pytest.raises(InputError, match="coin_id '1' is labelled '10c' and '25c'"):
        check_coins([*coins, SourceImage("d.png", "25c", coin_id="1", table="x.csv")])
