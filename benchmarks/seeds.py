"""How much of a bundle's figures is chance: `python -m benchmarks.seeds`.

    python -m benchmarks.seeds models/brl.yaml brl-frames/day1 brl-frames/day2 --out seeds \
        --foreign foreign-train --foreign euro-crops/train --seeds 5

The recipe's bundle is trained with some other seeds, and each is judged on the same coins, which no
training saw. Printed are, for each seed, how long it took, and how many coins were accepted, and
wrongly; and all of them together. Bundles that are in OUT already are not trained again. Each takes
as long as `coinsorter-train bundle`.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from coinsorter.training.recipe import load_recipe

#: The programs.
PROGRAM = "coinsorter"
TRAINING_PROGRAM = "coinsorter.training"


@dataclass(frozen=True)
class Result:
    """What one bundle makes of the coins. train_s: None where it was there already."""

    seed: int
    train_s: float | None
    coins: int
    accepted: int
    wrong: int


def main() -> None:
    options = _parse_options()
    first = load_recipe(options.recipe).seed
    results = []
    for seed in range(first + 1, first + 1 + options.seeds):
        bundle = options.out / f"seed-{seed}"
        train_s = train(options, seed, bundle)
        results.append(judge(options.test, seed, bundle, train_s))
        print(format_result(results[-1]), flush=True)
    print(summarize(results))


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.seeds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("data", type=Path, help="frames to train on")
    parser.add_argument("test", type=Path, help="frames of another day")
    parser.add_argument("--foreign", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundles")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: 5)")
    return parser.parse_args()


def train(options: argparse.Namespace, seed: int, bundle: Path) -> float | None:
    """Trains the recipe with a seed; the seconds it took, None where it was done before."""
    if bundle.is_dir():
        return None
    options.out.mkdir(parents=True, exist_ok=True)
    foreign = [word for folder in options.foreign for word in ("--foreign", str(folder))]
    arguments = [str(options.data), "--recipe", str(options.recipe), "--out", str(bundle)]
    begin = time.monotonic()
    _run(TRAINING_PROGRAM, "bundle", *arguments, "--set", f"seed={seed}", *foreign)
    return time.monotonic() - begin


def judge(test: Path, seed: int, bundle: Path, train_s: float | None) -> Result:
    """What a bundle makes of the coins of a folder."""
    answer = json.loads(_run(PROGRAM, "replay", str(test), "--bundle", str(bundle), "--json"))
    return Result(seed, train_s, answer["pictures"], answer["accepted"], answer["wrong"])


def _run(program: str, *arguments: str) -> str:
    """What a command prints; ends the program with its own status where it fails."""
    command = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def format_result(result: Result) -> str:
    """One line of a bundle."""
    took = "there already" if result.train_s is None else f"{result.train_s / 60:.1f} min"
    right = result.accepted - result.wrong
    return (
        f"seed {result.seed}: {took}; {100 * right / result.coins:.2f} % of {result.coins} "
        f"accepted rightly, {result.wrong} wrongly"
    )


def summarize(results: list[Result]) -> str:
    """The line of all bundles."""
    shares = [100 * (one.accepted - one.wrong) / one.coins for one in results]
    wrong = sum(one.wrong for one in results)
    return (
        f"{len(results)} seeds: {min(shares):.2f} to {max(shares):.2f} % accepted rightly, "
        f"{wrong} wrongly in all"
    )


if __name__ == "__main__":
    main()
