"""trust: a trial that was passed is remembered; what cannot be read counts as nothing."""

import pytest

from coinsorter.recognition import trust

TRIAL = f"{'a' * 64} litert 2.1.0 4 aarch64"
OTHER = f"{'b' * 64} litert 2.1.0 4 aarch64"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(trust, "_passed", set())
    return tmp_path / trust.FILE


def forget(monkeypatch):
    """As if the program had been started again."""
    monkeypatch.setattr(trust, "_passed", set())


def test_a_trial_is_remembered_over_a_restart_and_another_is_not(file, monkeypatch):
    assert not trust.is_remembered(TRIAL)
    trust.remember(TRIAL)
    forget(monkeypatch)
    assert trust.is_remembered(TRIAL) and not trust.is_remembered(OTHER)
    trust.remember(OTHER)
    assert file.read_text() == f"{TRIAL}\n{OTHER}\n"


@pytest.mark.parametrize("content", [b"", b"\xff\x00\n" * 100, b"x" * 10**6, b"a b c d e\n"])
def test_a_damaged_file_means_that_nothing_is_known_and_is_written_anew(file, monkeypatch, content):
    file.write_bytes(content)
    assert not trust.is_remembered(TRIAL)
    trust.remember(TRIAL)
    assert file.read_text() == f"{TRIAL}\n"


def test_the_latest_trials_are_kept(file):
    for number in range(trust.MAX_TRIALS + 5):
        trust.remember(f"{number:064x} litert 2.1.0 4 aarch64")
    lines = file.read_text().splitlines()
    assert len(lines) == trust.MAX_TRIALS and lines[-1].startswith(f"{trust.MAX_TRIALS + 4:064x}")


def test_where_nothing_can_be_written_it_is_remembered_in_this_process(file):
    file.mkdir()
    trust.remember(TRIAL)
    assert trust.is_remembered(TRIAL)


def test_without_systemd_it_lies_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    trust.remember(TRIAL)
    assert (tmp_path / "coinsorter" / trust.FILE).read_text() == f"{TRIAL}\n"
