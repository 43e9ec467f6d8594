"""What `make demo` promises.

No coin lands in a wrong bin, no foreign object is accepted, and every item is accounted for.
"""

import json

from coinsorter import cli
from tests.conftest import CONFIG


def test_the_demonstration_sorts_300_items_without_one_mistake(capsys, tmp_path):
    """Of another seed than `make demo` has; `make bars` asks five."""
    options = ["--config", str(CONFIG), "--coins", "300", "--seed", "2"]
    status = cli.main(["run", "--simulate", *options, "--out", str(tmp_path), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert status == 0
    assert result["objects"] == 300 and result["foreign"] >= 40
    assert result["wrong"] == 0 and result["foreign_accepted"] == 0
    assert result["correct"] >= 0.97 * result["genuine_alone"]
    assert result["ledger_matches"] is True
