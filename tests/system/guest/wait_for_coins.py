"""Waits until so many coins have passed, by the ledger; gives up when the service stops."""

import sqlite3
import subprocess
import sys
import time

LANDED = "SELECT count(*) FROM coins WHERE landed IS NOT NULL"


def landed() -> int:
    with sqlite3.connect("file:/var/lib/coinsorter/ledger.db?mode=ro", uri=True) as ledger:
        return ledger.execute(LANDED).fetchone()[0]


while landed() < int(sys.argv[1]):
    if subprocess.run(["systemctl", "--quiet", "is-active", "coinsorter"]).returncode:
        sys.exit("the service is not active any more")
    time.sleep(1)
