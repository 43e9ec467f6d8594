"""Prints what a sorting machine has in its ledger and what its flaps did, until the plug is pulled.

Each line is a JSON object. The first one comes when the present run has its first row: the state of
the ledger, and whether a flap was open before that. The kernel's trace of the pins says how often
each flap began to open.
"""

import json
import os
import sqlite3
import sys
import time
from collections import deque

from pulses import Pulse, Reader

LEDGER = "file:/var/lib/coinsorter/ledger.db?mode=ro"
TRACE = "/sys/kernel/tracing/trace_pipe"
BETWEEN_US = float(sys.argv[1])
# Of the last LOOKED_AT pulses SURE have to be wide for a flap to open, or narrow for it to close.
# It is held open for some 50; single ones are far off where the guest was busy.
LOOKED_AT, SURE = 15, 12


class Openings:
    """How often each pin's pulses became wide."""

    def __init__(self) -> None:
        self.count: dict[int, int] = {}
        self._last: dict[int, deque[float]] = {}
        self._open: dict[int, bool] = {}
        self._reader = Reader()
        self._pipe = os.open(TRACE, os.O_RDONLY | os.O_NONBLOCK)
        self._rest = ""

    def read(self) -> None:
        while True:
            try:
                part = os.read(self._pipe, 1 << 16).decode()
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + part).split("\n")
            for pulse in self._reader.pulses(lines):
                self._take(pulse)

    def _take(self, pulse: Pulse) -> None:
        pin, last = pulse.pin, self._last.setdefault(pulse.pin, deque(maxlen=LOOKED_AT))
        last.append(pulse.us)
        wide = sum(us > BETWEEN_US for us in last)
        if wide >= SURE and not self._open.get(pin):
            self._open[pin] = True
            self.count[pin] = self.count.get(pin, 0) + 1
        elif len(last) - wide >= SURE:
            self._open[pin] = False


def query(question: str) -> list[tuple]:
    while True:
        try:
            with sqlite3.connect(LEDGER, uri=True) as ledger:
                return ledger.execute(question).fetchall()
        except sqlite3.OperationalError:  # in the middle of the service's first moments
            time.sleep(0.05)


def report(**values: object) -> None:
    print(json.dumps(values), flush=True)


openings = Openings()
(this_run,) = query("SELECT max(id) FROM runs")[0]
while not query(f"SELECT 1 FROM coins WHERE run = {this_run}"):
    openings.read()
    time.sleep(0.1)
report(
    sound=query("PRAGMA integrity_check")[0][0],
    earlier=dict(
        query(
            "SELECT ifnull(landed, 'nowhere'), count(*) FROM coins "
            f"WHERE run < {this_run} GROUP BY landed"
        )
    ),
    opened_before=openings.count,
    run=this_run,
)
while True:
    openings.read()  # first: what has opened by now has its row by then
    opened = dict(openings.count)
    bins = dict(query(f"SELECT bin, count(*) FROM coins WHERE run = {this_run} GROUP BY bin"))
    report(rows=query("SELECT count(*) FROM coins")[0][0], bins=bins, opened=opened)
    time.sleep(0.2)
