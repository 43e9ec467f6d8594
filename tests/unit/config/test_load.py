"""config.yaml is read whole: every mistake at once, with its line, in a technician's words."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.config.load import (
    MAX_BYTES,
    format_mistakes,
    load_config,
    locate_mistake,
    parse_config,
)
from coinsorter.config.yaml_lines import Mistake
from coinsorter.errors import ConfigError
from tests.unit.config.conftest import TEXT, change_text, line_of, list_mistakes


def test_the_shipped_settings_have_no_list_mistakes(tmp_path, crowns):
    assert list_mistakes(tmp_path, TEXT, crowns.labels) == []


def test_three_mistakes_are_found_at_once_each_with_its_line(tmp_path):
    text = change_text(
        ("open_deg: 135, distance_mm: 240", "open_deg: 220, distance_mm: 240"),
        ("speed_mm_s", "sped_mm_s"),
        ("threads: 1 ", "threads: 1.5 "),
    )
    assert list_mistakes(tmp_path, text) == [
        f"config.yaml:{line_of(text, 'sped_mm_s')}: belt.sped_mm_s: is no option; "
        "did you mean speed_mm_s?",
        f"config.yaml:{line_of(text, 'open_deg: 220')}: bins[2].flap.open_deg: 220 is above 180",
        f"config.yaml:{line_of(text, 'threads')}: runtime.threads: 1.5 is not a whole number",
    ]


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("width_px: 640", "width_px: 64", "camera.width_px: 64 is below 160"),
        ("frames_per_s: 60", "frames_per_s: fast", "camera.frames_per_s: 'fast' is not a number"),
        (
            "frames_per_s: 60",
            "frames_per_s: .nan",
            "camera.frames_per_s: nan is not a finite number",
        ),
        (
            "frames_per_s: 60",
            'frames_per_s: "60"',
            "camera.frames_per_s: '60' is not a number: write 60 without quotes",
        ),
        (
            "follow_scale: true",
            "follow_scale: maybe",
            "belt.follow_scale: 'maybe' is neither true nor false",
        ),
        (
            "interpreter: auto",
            "interpreter: gpu",
            "runtime.interpreter: 'gpu' is none of 'auto', 'litert' or 'tflite-runtime'",
        ),
        ("labels: [bit_20]", "labels: []", "bins[1].labels: is empty; list at least one"),
        ("pin: 6,", "", "bins[1].flap.pin: is missing"),
        (
            "name: bit_20",
            "name: a bin!",
            "bins[1].name: 'a bin!' is not a plain name of letters, digits, - _ and .",
        ),
        ("name: bit_20", "name: 20", "bins[1].name: 20 is not text; put it in quotes"),
        (
            "speed_mm_s: 250 ",
            "speed_mm_s: 250\n  speed_mm_s: 300 ",
            "belt.speed_mm_s: is given twice, first in line 17; delete one of them",
        ),
        (
            "width_px: 640",
            "width_px: 2024-13-45",
            "camera.width_px: '2024-13-45' is not a whole number",
        ),
        ("belt:\n", "belt: 3\nrest:\n", "belt: has no options in it; indent them below it"),
    ],
)
def test_a_mistake_is_explained_in_words_that_help(tmp_path, old, new, complaint):
    mistakes = list_mistakes(tmp_path, change_text((old, new)))
    assert any(line.endswith(f": {complaint}") for line in mistakes), mistakes


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_no_text_at_all_makes_a_traceback(text):
    _, mistakes = parse_config(text)
    assert mistakes


def test_a_missing_file_is_named():
    with pytest.raises(
        ConfigError, match=r"nowhere.yaml: cannot be read: No such file or directory"
    ):
        load_config(Path("nowhere.yaml"))


def test_text_that_is_not_utf_8_is_named(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"# \xfcbertaktet\n" + TEXT.encode())
    with pytest.raises(ConfigError, match=r"config\.yaml: cannot be read: it is not UTF-8 text"):
        load_config(path)


def test_a_mistake_that_shows_in_use_has_the_line_of_its_option(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    mistake = locate_mistake(path, ("runtime", "bundle"), "is not there")
    assert mistake == Mistake(line_of(TEXT, "  bundle:"), "runtime.bundle", "is not there")


def test_mistakes_are_in_the_order_of_the_file():
    mistakes = [Mistake(9, "b", "is wrong"), Mistake(2, "c", "is odd"), Mistake(9, "a", "is bad")]
    assert format_mistakes(Path("x.yaml"), mistakes) == [
        "x.yaml:2: c: is odd",
        "x.yaml:9: a: is bad",
        "x.yaml:9: b: is wrong",
    ]


def test_an_option_that_is_like_no_other_gets_the_list_of_those_there_are():
    _, mistakes = parse_config(change_text(("  path: var", "  zzz: 1\n  path: var")))
    assert [mistake.what for mistake in mistakes] == ["is no option; there are path, keep_days"]


def test_a_file_with_the_mark_and_the_line_ends_of_windows_is_read(tmp_path, config):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load_config(path) == config


def test_what_is_no_plain_file_is_named_and_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path, kind in ((pipe, "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        with pytest.raises(ConfigError, match=f"{path}: cannot be read: it is {kind}"):
            load_config(path)


def test_the_largest_file_is_read_and_one_byte_more_is_not(tmp_path, config):
    path = tmp_path / "config.yaml"
    comment = "#" * (MAX_BYTES - len(TEXT.encode()) - 1)
    path.write_text(f"{TEXT}{comment}\n")
    assert load_config(path) == config
    path.write_text(f"{TEXT}{comment}#\n")
    with pytest.raises(ConfigError, match=r"cannot be read: it is larger than 0\.1 MB"):
        load_config(path)
