"""coinsorter watch: the ledger's counts and its last coins."""

import json
import shutil


def test_watch_shows_what_the_ledger_holds(command, settings, tmp_path, simulated_run):
    (tmp_path / "var").mkdir()
    shutil.copy(simulated_run.ledger, tmp_path / "var" / "ledger.db")
    status, out, _ = command("watch", "--once", "--config", settings)
    assert status == 0 and "seen" in out and "reject" in out
    status_of_machine = json.loads(command("watch", "--json", "--config", settings)[1])
    assert status_of_machine["totals"]["seen"] == 10 and [
        row["id"] for row in status_of_machine["last"]
    ] == [*range(3, 11)]


def test_watch_without_a_ledger_says_so(command, settings):
    status, _, err = command("watch", "--once", "--config", settings)
    assert status == 66 and "ledger.db" in err and len(err.splitlines()) == 1
