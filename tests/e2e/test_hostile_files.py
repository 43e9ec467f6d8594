"""Some hostile files as real processes; `python -m benchmarks.hostile` calls all of them."""

import os

import pytest

from benchmarks.hostile import (
    HostileResult,
    call_hostile,
    list_quick_cases,
    make_templates,
    max_wall_s,
    take_stock,
)
from tests.conftest import needs_training
from tests.e2e.hostile_inputs import CASES, SOURCES

#: Ways in and hostile files of which each must be refused, or passed over with the rest in use.
REFUSED = [
    ("config", "pipe"),
    ("config", "aliases"),
    ("ledger", "zeros"),
    ("ledger-export", "socket"),
    ("bundle", "loop"),
    ("bundle-golden", "npz-bomb"),
]
REFUSED_IN_TRAINING = [
    ("csv", "wide"),
    ("zip", "zip-encrypted"),
    ("recipe", "tags"),
    ("set", "deep-key"),
    ("manifest", "zeros"),
    ("table", "table-device"),
    ("table", "table-cell"),
]
PASSED_OVER = [("image", "huge-png"), ("photograph", "zeros"), ("evaluate-image-name", "pipe")]
#: A call that went as it has to.
FINE = HostileResult(66, "", "coinsorter: x: cannot be read", 1.0, 2.0, 100.0)


@pytest.fixture(scope="module")
def templates():
    needs_training()
    with make_templates() as folder:
        yield folder


@pytest.mark.parametrize("name, kind", REFUSED + REFUSED_IN_TRAINING)
def test_a_hostile_file_is_named_and_refused(templates, name, kind):
    result = call_hostile(templates, name, kind)
    assert without_time(result) == []
    assert result.status in (66, 74, 78)


@pytest.mark.parametrize("name, kind", PASSED_OVER)
def test_a_hostile_file_among_others_is_passed_over(templates, name, kind):
    result = call_hostile(templates, name, kind)
    assert without_time(result) == [] and result.status == 0


def without_time(result):
    """The failures of a call, but those that a busy computer makes."""
    return [failure for failure in result.list_failures() if not failure.endswith(" s")]


def test_there_are_a_hundred_hostile_files_and_every_way_in_is_called():
    assert len({kind for _, kind in CASES}) > 80 and len(set(CASES)) == len(CASES) > 300
    quick = list_quick_cases()
    assert {kind for _, kind in quick} == {kind for _, kind in CASES}
    assert {name for name, _ in quick} == set(SOURCES)


@pytest.mark.parametrize(
    "change, failure",
    [
        ({}, None),
        ({"complaints": "Traceback (most recent call last):"}, "traceback"),
        ({"complaints": "\x1b[2J"}, "escapes"),
        ({"complaints": ""}, "no word"),
        ({"status": None, "wall_s": 6.0}, "hang of 6.0 s"),
        ({"status": -11}, "status -11"),
        ({"cpu_s": 5.1}, "5.1 s"),
        ({"megabytes": 301.0}, "301 MB"),
        ({"changed": ("x",)}, "changed x"),
    ],
)
def test_what_is_wrong_with_a_call_is_told(change, failure):
    result = HostileResult(**{**vars(FINE), **change})
    assert result.list_failures() == ([failure] if failure else [])


def test_only_a_call_that_has_processor_time_may_take_longer():
    assert max_wall_s(0.0) == 5.0
    assert max_wall_s(2.0) > 15.0


@pytest.mark.parametrize("change", ["content", "one more", "one less", "link", "kind"])
def test_every_change_in_a_place_is_seen(tmp_path, change):
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    before = take_stock(tmp_path)
    (tmp_path / "out" / "report").write_text("which may change")
    assert take_stock(tmp_path) == before
    if change == "content":
        (tmp_path / "file").write_text("y")
    elif change == "one more":
        (tmp_path / "hacked").touch()
    elif change == "one less":
        (tmp_path / "file").unlink()
    elif change == "link":
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("elsewhere")
    else:
        (tmp_path / "file").unlink()
        os.mkfifo(tmp_path / "file")
    assert take_stock(tmp_path) != before
