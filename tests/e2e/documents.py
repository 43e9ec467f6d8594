"""The commands that README and documents name, and how each is tried: as it stands, or quicker."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "RELEASING.md",
    *sorted((ROOT / "models").rglob("README.md")),
    ROOT / "firmware" / "README.md",
]
PROGRAMS = r"(?:COINSORTER_\w+=\S+ )*(?:sudo )?(?:make|coinsorter|coinsorter-train|python|bash)"
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(rf"`({PROGRAMS} [^`]+)`")


@dataclass(frozen=True)
class Command:
    """A line that a reader may type, and the page that it stands on."""

    page: str
    line: str

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def commands() -> Iterator[Command]:
    """Every command once, in the order of the pages."""
    known: set[str] = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in _lines(text):
            if line not in known:
                known.add(line)
                yield Command(str(page.relative_to(ROOT)), line)


def _lines(text: str) -> Iterator[str]:
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.strip().startswith("$ "):
                yield line.strip().removeprefix("$ ")
    yield from INLINE.findall(BLOCK.sub("", text))


#: Programs that are not ours, and what only has a meaning on a machine of one's own.
NOT_OURS = re.compile(
    r"sudo (apt|systemctl|nano|reboot|dtc)\b|git |source |cd |journalctl |systemctl |pip "
)

#: What is tried by another test or by .ci/run: where that is found, and the words that prove it.
ELSEWHERE = {
    r"make (demo|test|lint|docs)$": (".ci/run", "make {0}"),
    r"COINSORTER_TESTS=all make test$": ("tests/conftest.py", "COINSORTER_TESTS"),
    r"make help$": ("Makefile", "help:"),
    r"make train$": ("Makefile", "$(VENV)/.test: $(VENV)/.train"),
    r"make test-core$": (".ci/run", "make test-core"),
    r"make unit$": ("Makefile", "tests/unit"),
    r"make coverage$": ("Makefile", "--cov"),
    r"make format$": ("Makefile", "ruff format"),
    r"make bars$": ("Makefile", "benchmarks.bars"),
    r"make crowns$": ("Makefile", "models/crowns.yaml"),
    r"(sudo )?make (install|rollback|uninstall)\b.*": ("tests/system/test_install.py", "make"),
    # its bundle's own photographs, and weights that the tests do not fetch
    r"coinsorter-train bundle .* --foreign .*": (
        "tests/unit/training/test_add_gate.py",
        "--foreign",
    ),
    r"coinsorter-train gate models/(?:brl|euro) .*": (
        "tests/unit/training/test_add_gate.py",
        '"gate"',
    ),
    r"coinsorter-train teach models/brl .*": (
        "tests/unit/training/commands/test_teach_command.py",
        '"teach"',
    ),
    # the same on another page, where it is tried
    r"coinsorter-train bundle coins .*": ("docs/commissioning.md", "bundle my-coins "),
    # a bundle of ready crops, on simulated ones: real ones of one sitting are too few to split
    r"coinsorter-train bundle euro-crops/train .*": ("tests/unit/training", "(crops,"),
    r"python -m tools\.reference.*": ("Makefile", "tools.reference"),
    r"sudo make arm64$": ("Makefile", "tests.arm64.run"),
    r"bash \.ci/run$": (".ci/run", "make test"),
    r"python -m pytest .*|COINSORTER_.* python -m pytest .*": (".ci/run", "pytest"),
    r"coinsorter run$": ("tests/e2e/test_service.py", '"run"'),
    r"coinsorter calibrate belt bit_10 .*|coinsorter calibrate belt BIN.*": (
        "tests/unit/commands/test_calibrate_belt_command.py",
        "fall-mm",
    ),
    r"python -m benchmarks\.teaching .*": ("benchmarks/test_teaching.py", "study_teaching"),
    r"python -m benchmarks\.(learning|unknown_coins|memory|starts|ways|hostile|gate|seeds)\b.*": (
        "benchmarks/{0}.py",
        "def ",
    ),
    r"coinsorter ledger restore .*": (
        "tests/unit/commands/test_ledger_maintenance.py",
        '"restore"',
    ),
    r"python -m benchmarks\.ledger_(\w+) .*": (
        "tests/e2e/test_ledger_benchmarks.py",
        "benchmarks.ledger_{0}",
    ),
    r"dask (scheduler|worker) .*": ("tests/unit/training/cluster.py", '"{0}"'),
    r"coinsorter-train \w+ .* --cluster .*": (
        "tests/unit/training/test_same_everywhere.py",
        "start_cluster",
    ),
    r"coinsorter-train features --svm$": ("tests/unit/training/features", "svm"),
}

#: Longer ones in their quick form: what is replaced, and by what.
QUICK = [
    (
        r"^(coinsorter (?:jog|replay|capture|calibrate view)|coinsorter-train \w+)$",
        r"\1 --help",
    ),
    (r"/etc/coinsorter/config.yaml", "config.yaml"),
    (r"^coinsorter run --simulate$", "coinsorter run --simulate --coins 10"),
    (r"--coins 40 --seed 7", "--coins 10 --seed 7"),
    (r"--coins 100 --out captured$", "--coins 2 --out captured-tried"),
    (r"^coinsorter watch$", "coinsorter watch --once"),
    (r"^coinsorter bench( --bundle models/brl)?$", r"coinsorter bench\1"),
    (r"^(coinsorter-train bundle my-coins .*)$", r"\1 {quick} {quick_inspector}"),
    (r"calibrate models/first ", "calibrate models/mine "),
    (
        r"^coinsorter-train bundle brl-frames/day1 .*",
        "coinsorter-train bundle brl-frames/day1 --recipe models/brl.yaml --out models/brl-again"
        " {quick} --set inspector=null {quick_gate}",
    ),
    (r"--rotations \d+", "--rotations 2"),
    (r"benchmarks\.foreign 1000", "benchmarks.foreign 10"),
    (r"disk_faults --seeds 20 --coins 200", "disk_faults --seeds 1 --coins 20"),
    (r"coinsorter seal \{folder\}", "coinsorter seal models/crowns"),
    (r"\bFOLDER\b", "photographs"),
    (r"\bDIR\b", "photographs"),
    (r"\bBIN\b", "bit_10"),
    (
        r"\{quick\}",
        "--set folds=2 --set max_folds=1 --set pictures.foreign=16"
        " --set classifier.width=8 --set classifier.epochs=12 --set classifier.repeat=2"
        " --set autoencoder.width=4 --set autoencoder.epochs=1 --set autoencoder.repeat=1",
    ),
    (
        r"\{quick_inspector\}",
        "--set inspector.width=4 --set inspector.epochs=1 --set inspector.repeat=1",
    ),
    (
        r"\{quick_gate\}",
        "--set gate.weights=none --set gate.epochs=1 --set gate.repeat=1 --set gate.simulated=8"
        " --set gate.blocks=2 --set autoencoder.network=features"
        " --set classifier.network=separable --set classifier.weights=none",
    ),
]

#: What a reader types into a command that asks.
TYPED = {"calibrate flaps": "next\n" * 8}

#: Exit statuses that are right where no machine is.
STATUS = {"coinsorter doctor": {0, 1}}


def quick_form(line: str) -> str:
    """The command as the tests run it."""
    for pattern, replacement in QUICK:
        line = re.sub(pattern, replacement, line)
    return line


def elsewhere(line: str) -> tuple[str, str] | None:
    """The file that tries a command, and words in it; None where it is to be run here."""
    for pattern, (path, words) in ELSEWHERE.items():
        if match := re.fullmatch(pattern, line):
            return path.format(*match.groups()), words.format(*match.groups())
    return None
