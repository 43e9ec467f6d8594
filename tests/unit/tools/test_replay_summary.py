"""Replayed images in numbers."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from coinsorter.records import SORTED, Coin, Decision, Verdict
from coinsorter.tools.image_replay import ReplayedImage
from coinsorter.tools.replay_summary import make_event, print_summary, summarize

COIN = Coin(
    number=1,
    crops=(),
    circles=(),
    diameter_mm=18.1,
    x_mm=0.0,
    y_mm=0.0,
    seen_s=0.0,
    speed_mm_s=0.0,
    speed_sem_mm_s=0.0,
    sightings=1,
    alone=True,
)


def make_result(label, predicted=None, reason=SORTED, took_s=0.002) -> ReplayedImage:
    """An image in a label's folder; without a prediction it shows no coin."""
    verdict = Verdict(predicted, 0.99, 0.9, "bit_50", 1.5, 18.1) if predicted else None
    return ReplayedImage(
        path=Path(f"{label}/image_1.png"),
        label=label,
        circles=1 if predicted else 0,
        coin=COIN if predicted else None,
        verdict=verdict,
        decision=Decision(predicted or "reject", reason if predicted else "no-coin"),
        took_s=took_s,
    )


RESULTS = [
    make_result("bit_10", "bit_10"),
    make_result("bit_10", "bit_20"),
    make_result("bit_20", "bit_20", "unsure", took_s=0.004),
    make_result("bit_20"),
    make_result("token", "bit_10"),
    make_result("token", "bit_10", "anomaly", took_s=0.006),
    make_result(None, "bit_10"),
]


@pytest.fixture
def summary(crowns):
    return summarize(RESULTS, crowns, [Path("broken.png")])


def print_text(summary) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_summary(summary, console)
    return console.file.getvalue()


def test_images_are_counted_with_those_that_cannot_be_read(summary):
    assert summary["pictures"] == 8 and summary["unreadable"] == ["broken.png"]
    assert summary["seen"] == summary["one_coin"] == 6


def test_genuine_coins_are_correct_or_wrong_only_if_accepted(summary):
    assert summary["correct"] == 1 and summary["wrong"] == 1
    assert summary["accepted"] == 4
    assert summary["rejected"] == {"unsure": 1, "no-coin": 1, "anomaly": 1}


def test_foreign_coins_are_right_when_rejected(summary):
    assert summary["foreign"] == 2 and summary["foreign_accepted"] == 1


def test_every_label_of_the_bundle_has_its_counts(summary, crowns):
    assert list(summary["per_class"]) == list(crowns.labels)
    assert summary["per_class"]["bit_10"] == {"seen": 2, "accepted": 2, "correct": 1, "wrong": 1}
    assert summary["per_class"]["bit_20"] == {"seen": 1, "accepted": 0, "correct": 0, "wrong": 0}


def test_the_confusion_matrix_says_where_each_folders_coins_went(summary):
    assert summary["confusion"] == {
        "bit_10": {"bit_10": 1, "bit_20": 1},
        "bit_20": {"rejected": 2},
        "token": {"bit_10": 1, "rejected": 1},
    }


def test_only_images_with_a_coin_are_timed(summary):
    assert summary["ms_per_coin"] == {"median": 2.0, "p99": pytest.approx(5.9)}


def test_without_images_there_are_no_times(crowns):
    summary = summarize([], crowns, [])
    assert summary["ms_per_coin"] == {"median": None, "p99": None}
    assert summary["pictures"] == summary["accepted"] == 0 and "ms a coin" not in print_text(
        summary
    )


def test_an_event_is_a_row_of_plain_values():
    assert make_event(RESULTS[1]) == {
        "path": "bit_10/image_1.png",
        "label": "bit_10",
        "predicted": "bit_20",
        "confidence": 0.99,
        "by_picture": 0.9,
        "anomaly": 1.5,
        "membership": None,
        "margin": None,
        "diameter_mm": 18.1,
        "accepted": True,
        "reason": "sorted",
    }


def test_an_event_without_a_coin_has_no_prediction():
    event = make_event(RESULTS[3])
    assert event["predicted"] is None and event["confidence"] is None
    assert event["accepted"] is False and event["reason"] == "no-coin"


def test_the_numbers_are_printed(summary):
    text = print_text(summary)
    for words in (
        "8 images, 6 with exactly one coin found, 1 unreadable",
        "accepted 4, wrong 1, rejected: unsure 1, no-coin 1, anomaly 1",
        "foreign 2, of which accepted 1",
        "2.00 ms a coin (median), 5.90 ms (99 %)",
    ):
        assert words in text


def test_a_reason_of_escapes_is_shown_and_not_obeyed(summary):
    text = print_text({**summary, "rejected": {"[/b]\x1b[2J": 1}})
    assert "rejected: [/b]\\x1b[2J 1" in text
