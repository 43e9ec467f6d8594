"""What `make demo` promises, for two seeds (`make bars` asks five): nothing in a wrong bin, nothing foreign accepted, every thing accounted for."""

import json

import pytest

from coinsorter import cli
from tests.conftest import CONFIG


@pytest.mark.parametrize("seed", [1, 2])
def test_the_demonstration_sorts_300_things_without_one_mistake(capsys, tmp_path, seed):
    status = cli.main(
        [
            "run",
            "--config",
            str(CONFIG),
            "--simulate",
            "--coins",
            "300",
            "--seed",
            str(seed),
            "--out",
            str(tmp_path),
            "--json",
        ]
    )
    result = json.loads(capsys.readouterr().out)
    assert status == 0
    assert result["objects"] == 300 and result["foreign"] >= 40
    assert result["wrong"] == 0 and result["foreign_accepted"] == 0
    assert result["correct"] >= 0.97 * result["genuine_alone"]
    assert result["ledger_matches"] is True
