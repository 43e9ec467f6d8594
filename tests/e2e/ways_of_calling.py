"""Ways of calling the programs, as data: what is called, with what, and under what condition.

`{place}` in a command stands for a path in the folder of `calling.build_place`. The lists below are
multiplied: every condition with several commands, every kind of file with every option that takes
one.
"""

from dataclasses import dataclass

#: Endings: the statuses that a way may have.
DONE = (0,)
FULL = (74,)
#: What is wrong with the input; 2 is argparse's.
REFUSED = (2, 65, 66, 69, 71, 74, 75, 78)
EITHER = (0, *REFUSED)


@dataclass(frozen=True)
class Way:
    """A way of calling a program.

    words: of the command line. condition: one of `calling.CONDITIONS`. statuses: those it may end
    with. stop_s: seconds after which SIGTERM is sent, for what does not end by itself.
    """

    words: str
    condition: str = "plain"
    statuses: tuple[int, ...] = DONE
    stop_s: float | None = None

    @property
    def name(self) -> str:
        return f"{self.words} [{self.condition}]"


#: Commands that print something and end well.
PRINTING = (
    "coinsorter --help",
    "coinsorter --version",
    "coinsorter run --help",
    "coinsorter check {config}",
    "coinsorter check {config} --json",
    "coinsorter ledger totals --config {config}",
    "coinsorter ledger totals --config {config} --json",
    "coinsorter ledger tail --config {config}",
    "coinsorter ledger tail --config {config} --json",
    "coinsorter ledger export --config {config}",
    "coinsorter ledger export --config {config} --format jsonl",
    "coinsorter watch --once --config {config}",
    "coinsorter watch --json --config {config}",
    "coinsorter park --config {config}",
    "coinsorter jog bit_10 --hold-s 0 --config {config}",
    "coinsorter snap --config {config} --out {out}/snap.jpg --json",
    "coinsorter wiring --config {config} --out {out}/firmware",
    "coinsorter replay {photographs} --config {config} --json",
    "coinsorter replay {photographs} --config {config}",
    "coinsorter run --simulate --coins 2 --config {config} --out {out}/demo --json",
    "coinsorter-train --help",
    "coinsorter-train evaluate --help",
)
#: What becomes of those where the output goes nowhere.
UNWRITABLE = ("stdout full", "stdout closed")
#: Conditions that change nothing for a command that has its files.
HARMLESS = (
    "stdout is a pipe without a reader",
    "stderr full",
    "stderr closed",
    "stderr is a pipe without a reader",
    "stdin closed",
    "all closed but output",
    "no HOME",
    "no TERM",
    "LANG=C",
    "ASCII",
    "empty environment",
    "nohup",
)
#: Of these every third command is called under each, so that each command meets several.
STRIDE = 3

#: Options that take a settings file.
TAKES_CONFIG = (
    "coinsorter check {file}",
    "coinsorter check {file} --json",
    "coinsorter run --config {file}",
    "coinsorter run --simulate --coins 1 --out {out}/demo --config {file}",
    "coinsorter park --config {file}",
    "coinsorter jog bit_10 --config {file}",
    "coinsorter snap --config {file}",
    "coinsorter capture --label x --config {file}",
    "coinsorter calibrate flaps --config {file}",
    "coinsorter ledger totals --config {file} --json",
    "coinsorter watch --once --config {file}",
    "coinsorter wiring --config {file} --out {out}/firmware",
    "coinsorter bench --config {file} --json",
)
#: Options that take a ledger.
TAKES_LEDGER = (
    "coinsorter ledger totals --ledger {file}",
    "coinsorter ledger totals --ledger {file} --json",
    "coinsorter ledger tail --ledger {file}",
    "coinsorter ledger export --ledger {file}",
    "coinsorter ledger export --ledger {file} --to {out}/coins.csv",
)
#: Options that take a folder of images or a bundle.
TAKES_FOLDER = (
    "coinsorter replay {file} --config {config} --json",
    "coinsorter replay {photographs} --bundle {file}",
    "coinsorter calibrate view {file} --config {config}",
    "coinsorter-train prepare {file} --out {out}/set",
    "coinsorter-train evaluate {bundle} {file}",
    "coinsorter-train bundle {file} --out {out}/bundle",
)
#: What is handed to them instead of a file or folder that fits.
KINDS = (
    "missing",
    "empty",
    "folder",
    "pipe",
    "/dev/null",
    "/dev/zero",
    "binary",
    "sparse",
    "socket",
    "loop",
    "long name",
    "newline",
    "escape",
    "no utf-8",
    "unreadable",
    "unreadable folder",
)
#: Options that name what is written, and what is there already.
OUTPUTS = (
    "coinsorter ledger export --config {config} --to {file}",
    "coinsorter replay {photographs} --config {config} --json --events {file}",
    "coinsorter snap --config {config} --out {file}",
    "coinsorter wiring --config {config} --out {file}",
    "coinsorter run --simulate --coins 1 --config {config} --out {file}",
)
OUTPUT_KINDS = (
    "folder",
    "pipe",
    "/dev/full",
    "socket",
    "loop",
    "long name",
    "binary/below",
    "unreadable folder",
    "read-only folder",
)

#: Numbers and words that no option takes.
WRONG_USAGE = (
    "coinsorter",
    "coinsorter melt",
    "coinsorter run --nonsense",
    "coinsorter run --simulate --coins -1",
    "coinsorter run --simulate --coins 100001",
    "coinsorter run --simulate --coins 1e3",
    "coinsorter run --simulate --coins 99999999999999999999999999",
    "coinsorter run --simulate --seed -1",
    "coinsorter run --simulate --seed 9223372036854775808",
    "coinsorter ledger tail -n x",
    "coinsorter ledger export --format xml",
    "coinsorter jog",
    "coinsorter jog bit_10 --hold-s nan --config {config}",
    "coinsorter jog bit_10 --hold-s -1 --config {config}",
    "coinsorter jog bit_10 --hold-s 61 --config {config}",
    "coinsorter jog bit_10 --us many --config {config}",
    "coinsorter bench --turns 3",
    "coinsorter replay",
    "coinsorter capture --label ../x --config {config}",
    "coinsorter calibrate view {photographs} --px-per-mm inf",
    "coinsorter-train",
    "coinsorter-train melt",
    "coinsorter-train prepare {photographs} --out {out}/set --seed x",
    "coinsorter-train evaluate {bundle} {photographs} --rotations -1",
)
NOT_ACCEPTED = (
    "coinsorter-train prepare {photographs} --out {out}/set --test 2",
    "coinsorter jog none --config {config}",
    "coinsorter jog bit_10 --us nan --config {config}",
    "coinsorter jog bit_10 --us 1e400 --config {config}",
    "coinsorter jog bit_10 --us -1e400 --config {config}",
    "coinsorter calibrate flaps none --config {config}",
    "coinsorter calibrate belt bit_10 --config {config}",
)
#: What does not end by itself, and is sent SIGTERM.
ENDLESS = (
    "coinsorter run --config {config}",
    "coinsorter watch --config {config}",
    "coinsorter capture --label x --config {config} --out {out}/captured",
)


def list_ways() -> list[Way]:
    """Every way of calling."""
    ways = [Way(words) for words in PRINTING]
    ways += [Way(words, how, FULL) for how in UNWRITABLE for words in PRINTING]
    for number, how in enumerate(HARMLESS):
        ways += [Way(words, how) for words in PRINTING[number % STRIDE :: STRIDE]]
    for takes in (TAKES_CONFIG, TAKES_LEDGER, TAKES_FOLDER):
        ways += [_hand_over(words, kind) for kind in KINDS for words in takes]
    ways += [_write_to(words, kind) for kind in OUTPUT_KINDS for words in OUTPUTS]
    ways += [Way(words, statuses=(2,)) for words in WRONG_USAGE]
    ways += [Way(words, statuses=REFUSED) for words in NOT_ACCEPTED]
    ways += [
        Way(words, "input ends") for words in ("coinsorter calibrate flaps --config {config}",)
    ]
    ways += _list_places() + _list_endless()
    return ways


def _hand_over(words: str, kind: str) -> Way:
    # Names that are merely odd are those of files that fit, and so are folders of folders.
    fits = kind in ("newline", "escape", "no utf-8")
    return _fill(words, kind, EITHER if fits else REFUSED)


def _write_to(words: str, kind: str) -> Way:
    fits = kind == "folder" and ("wiring" in words or "simulate" in words)
    return _fill(words, kind, DONE if fits else REFUSED)


def _fill(words: str, kind: str, statuses: tuple[int, ...]) -> Way:
    is_forbidden = kind.startswith(("unreadable", "read-only"))
    condition = "without rights" if is_forbidden else "plain"
    return Way(words.replace("{file}", "{" + kind + "}"), condition, statuses)


def _list_places() -> list[Way]:
    """The working directory and the user."""
    ways = []
    for how in ("folder deleted", "folder read-only", "folder not readable"):
        ways += [Way(words, how, EITHER) for words in PRINTING]
    for words in ("coinsorter check", "coinsorter ledger totals", "coinsorter wiring"):
        ways.append(Way(words, "folder deleted", REFUSED))
        ways.append(Way(words, "folder not readable", REFUSED))
    return ways


def _list_endless() -> list[Way]:
    hows = ("plain", "stdout full", "stdout closed", "stderr full", "all closed but output")
    statuses = (0, 74, 143)
    return [Way(words, how, statuses, stop_s=3.0) for how in hows for words in ENDLESS]


WAYS = list_ways()
