"""Tells, a JSON object a line, what a machine that sorts has in its ledger and what its flaps have done; until the plug is pulled.

The first line comes once the present run has its first row: how the ledger was found, and whether a flap was open before that.
Flaps are told by the kernel's trace of the pins: how often each began to open.
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
# Of the last so many pulses so many have to be wide for a flap to open, or narrow for it to close. It is held open for some 50, and single ones
# are far off where the guest was busy.
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


def asked(question: str) -> list[tuple]:
    while True:
        try:
            with sqlite3.connect(LEDGER, uri=True) as ledger:
                return ledger.execute(question).fetchall()
        except sqlite3.OperationalError:  # in the middle of the service's first moments
            time.sleep(0.05)


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


openings = Openings()
(this_run,) = asked("SELECT max(id) FROM runs")[0]
while not asked(f"SELECT 1 FROM coins WHERE run = {this_run}"):
    openings.read()
    time.sleep(0.1)
tell(
    sound=asked("PRAGMA integrity_check")[0][0],
    earlier=dict(
        asked(
            f"SELECT ifnull(landed, 'nowhere'), count(*) FROM coins WHERE run < {this_run} GROUP BY landed"
        )
    ),
    opened_before=openings.count,
    run=this_run,
)
while True:
    openings.read()  # first: what has opened by now has its row by then
    opened = dict(openings.count)
    bins = dict(asked(f"SELECT bin, count(*) FROM coins WHERE run = {this_run} GROUP BY bin"))
    tell(rows=asked("SELECT count(*) FROM coins")[0][0], bins=bins, opened=opened)
    time.sleep(0.2)
