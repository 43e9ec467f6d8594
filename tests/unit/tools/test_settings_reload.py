"""config.yaml is read again beside the machine's loop, and whatever it is does no harm."""

import os
import time

import pytest

from coinsorter.tools.settings_reload import MAX_READING_S, Reloaded, SettingsReload
from tests.conftest import CONFIG


def read_again(path, labels) -> Reloaded:
    """What comes of a file, as the loop sees it."""
    reload = SettingsReload(path, labels)
    reload.start()
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        result = reload.take_result()
        if result:
            assert reload.take_result() is None
            return result
        time.sleep(0.01)
    raise AssertionError("reading does not end")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.read_text())
    return tmp_path / "config.yaml"


def test_settings_without_a_mistake_are_given(path, crowns):
    result = read_again(path, crowns.labels)
    assert result.settings and result.problem == ""


def test_several_mistakes_are_one_line_that_counts_them(path, crowns):
    text = path.read_text().replace("min_confidence: null ", "min_confidence: 7 ")
    path.write_text(text.replace("max_anomaly: null ", "max_anomaly: -1 "))
    result = read_again(path, crowns.labels)
    assert result.settings is None and "\n" not in result.problem
    assert "min_confidence: 7 is above 1 (and 1 more" in result.problem


def remove(path):
    path.unlink()


def make_folder(path):
    path.unlink()
    path.mkdir()


def make_pipe(path):
    path.unlink()
    os.mkfifo(path)


def lead_to_zeros(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def add_latin_1(path):
    path.write_bytes(path.read_bytes() + b"# \xe4\n")


def add_tag(path):
    path.write_text(path.read_text() + "\nextra: !!python/object:os.system {}\n")


def nest(path):
    path.write_text("a: " + "[" * 20_000)


def grow(path):
    path.write_text("a: 1\n" * 400_000)


def halve(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path):
    path.write_text("")


def write_huge_number(path):
    text = path.read_text().replace("min_confidence: null ", f"min_confidence: {'9' * 6000} ")
    path.write_text(text)


@pytest.mark.parametrize(
    "damage",
    [
        remove,
        make_folder,
        make_pipe,
        lead_to_zeros,
        add_latin_1,
        add_tag,
        nest,
        grow,
        halve,
        empty,
        write_huge_number,
    ],
    ids=lambda damage: damage.__name__,
)
def test_whatever_the_file_is_the_old_settings_stay_in_force_and_one_line_says_why(
    path, crowns, damage
):
    damage(path)
    result = read_again(path, crowns.labels)
    assert result.settings is None
    assert result.problem.startswith(str(path)) and "\n" not in result.problem


def test_a_file_that_is_not_read_in_time_is_given_up(path, crowns, monkeypatch):
    clock = [0.0]
    reload = SettingsReload(path, crowns.labels, lambda: clock[0])
    monkeypatch.setattr(reload, "_read", lambda results: None)
    reload.start()
    assert reload.take_result() is None
    clock[0] = MAX_READING_S
    result = reload.take_result()
    assert result.settings is None and f"{path}: not read within" in result.problem
    assert reload.take_result() is None


def test_nothing_comes_where_nothing_is_read(path, crowns):
    assert SettingsReload(path, crowns.labels).take_result() is None
