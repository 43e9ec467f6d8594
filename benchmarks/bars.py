"""Every figure that the project promises, with its bar: `make bars`, or `python -m benchmarks.bars` for what is already set up.

Prints one line a bar and exits with 1 if any is not met. Bars on real photographs are skipped, and say so, where there are none.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import trays
from coinsorter.recognition import bundle, runtime
from tests.conftest import BRL, CROWNS, EURO, ROOT, data_folder

Line = tuple[str, str, bool]


def command(*arguments: Any, program: str = "coinsorter.cli") -> dict[str, Any]:
    """What a command prints as JSON, run in a process of its own from the checkout."""
    words = [
        sys.executable,
        "-c",
        f"import sys; from {program} import main; sys.exit(main())",
        *map(str, arguments),
        "--json",
    ]
    return json.loads(
        subprocess.run(words, cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True).stdout
    )


def demonstration(seeds: list[int]) -> Iterator[Line]:
    for seed in seeds:
        with tempfile.TemporaryDirectory() as out:
            r = command("run", "--simulate", "--coins", 300, "--seed", seed, "--out", out)
        share = r["correct"] / r["genuine_alone"]
        figures = (
            f"{r['objects']} things, {r['foreign']} foreign: {r['wrong']} genuine in a wrong bin, {r['foreign_accepted']} foreign accepted, "
            f"{100 * share:.1f} % in their own bin, ledger {'matches' if r['ledger_matches'] else 'DIFFERS'}; {r['belt_coins_per_s']:.2f} coins/s of belt"
        )
        yield (
            f"demonstration, seed {seed}",
            figures,
            r["foreign"] >= 40
            and not r["wrong"]
            and not r["foreign_accepted"]
            and share >= 0.97
            and r["ledger_matches"],
        )


def replay(data: Path) -> Iterator[Line]:
    decisions = {}
    for name in runtime.list_runtimes():
        with tempfile.TemporaryDirectory() as out:
            events = Path(out) / "events.jsonl"
            r = command(
                "replay",
                data / "brl-frames" / "day2",
                "--bundle",
                BRL,
                "--interpreter",
                name,
                "--events",
                events,
            )
            decisions[name] = [
                (row["predicted"], row["accepted"])
                for row in map(json.loads, events.read_text().splitlines())
            ]
        one, accepted, wrong = (
            r["one_coin"] / r["pictures"],
            r["accepted"] / r["pictures"],
            r["wrong"] / max(1, r["accepted"]),
        )
        figures = f"{100 * one:.2f} % of {r['pictures']} frames one coin, {100 * accepted:.2f} % accepted, {r['wrong']} wrong ({100 * wrong:.2f} %)"
        yield (
            f"brl-frames/day2, {name}",
            figures,
            one >= 0.995 and accepted >= 0.95 and wrong <= 0.005,
        )
    if len(decisions) == 2:
        different = sum(a != b for a, b in zip(*decisions.values()))
        yield (
            "both runtimes",
            f"{different} of {len(decisions[name])} decisions differ",
            different <= 0.005 * len(decisions[name]),
        )


def euros(data: Path) -> Iterator[Line]:
    """By looks alone, every coin answered; and what the limits let through."""
    for folder, share, bar in (("euro-crops-64", "right", 0.97), ("euro-crops", "balanced", 0.92)):
        with tempfile.TemporaryDirectory() as out:
            r = command(
                "evaluate",
                EURO,
                data / folder / "test",
                "--crops",
                "--out",
                out,
                program="coinsorter.training.train_cli",
            )
        named, machine = r["all_answered"], r["machine"]
        found = {"right": named["right"]["share"], "balanced": named["balanced_accuracy"]}
        figures = (
            f"{100 * found['right']:.2f} % right, balanced {100 * found['balanced']:.2f} % of {r['genuine']} (bar: {share} {100 * bar:g} %); "
            f"{machine['accepted']} accepted, {machine['false_accepts']['count']} of them wrongly"
        )
        yield f"{folder}/test", figures, found[share] >= bar


def segmentation(data: Path) -> Iterator[Line]:
    found = trays.score(trays.photographs(data, "val"))
    figures = f"recall {found.recall:.3f}, precision {found.precision:.3f} at IoU {trays.MATCH}"
    yield "euro-trays/val", figures, found.recall >= 0.95 and found.precision >= 0.95


def speed() -> Iterator[Line]:
    for path in (CROWNS, BRL):
        f = command("bench", "--bundle", path)
        figures = f"{f['kernel_ratio']:.2f} times the bare kernels, {f['coins_per_s']:.0f} coins/s, {f['rss_mb']:.0f} MB, ready in {f['ready_s']:.2f} s ({f['runtime']}, core {f['core']})"
        fast = f["coins_per_s"] >= 300 and f["rss_mb"] <= 200 and f["ready_s"] <= 2
        if path == BRL:  # it compares reliefs in numpy, which is no kernel by the bench's own count
            yield f"bench, {path.name}", f"{figures}; no bar on the ratio to the kernels", fast
        else:
            yield f"bench, {path.name}", figures, fast and f["kernel_ratio"] <= 1.25


def sizes() -> Iterator[Line]:
    for path in (CROWNS, BRL, EURO):
        size = sum(
            (path / name).stat().st_size
            for name in (bundle.MANIFEST, *bundle.load_bundle(path).manifest.files)
        )
        yield f"size of {path.name}", f"{size / 1e6:.2f} MB", size < 1.5e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    options = parser.parse_args()
    data, met = data_folder(), True
    parts = [sizes(), speed(), demonstration(options.seeds)]
    if data:
        parts += [segmentation(data), replay(data), euros(data)]
    else:
        print("no photographs at $COINSORTER_DATA or ../shared/data: their bars are skipped")
    for part in parts:
        for name, figures, good in part:
            met &= good
            print(f"{'met   ' if good else 'NOT MET'} {name:<26} {figures}", flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
