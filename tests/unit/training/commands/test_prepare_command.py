"""coinsorter-train prepare: its help teaches."""

import pytest

from coinsorter.training import train_cli


def test_help_teaches_with_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        train_cli.main(["prepare", "--help"])
    text = capsys.readouterr().out
    assert (
        caught.value.code == 0
        and "coinsorter-train prepare photographs --out coins" in text
        and max(map(len, text.splitlines())) <= 100
    )
