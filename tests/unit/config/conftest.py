"""What the tests of config share: the shipped settings, changed, and the mistakes in a text."""

from pathlib import Path

from coinsorter.config.load import format_mistakes, read_config
from tests.conftest import CONFIG

TEXT = CONFIG.read_text()


def list_mistakes(tmp_path: Path, text: str, labels=None, crop=None) -> list[str]:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return [
        line.removeprefix(f"{tmp_path}/")
        for line in format_mistakes(path, read_config(path, labels, crop)[1])
    ]


def change_text(*changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)
