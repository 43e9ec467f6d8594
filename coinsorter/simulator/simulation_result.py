"""What really happened in a simulated run, and whether the ledger says the same."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from coinsorter.config.schema import Config
from coinsorter.simulator.belt import Rider, SimulatedBelt


@dataclass(frozen=True)
class SimulationResult:
    """Counts of a simulated run, by where items landed.

    objects: all items. genuine_alone: genuine coins lying alone; correct: those in a bin of their
    label; wrong: those in another bin but the reject bin. foreign_accepted: foreign items in a bin
    but the reject bin. bins: by bin, (items, of which wrong; for the reject bin: of which genuine).
    rejected: the ledger's reasons. foreign_kinds: foreign items by kind. ledger_matches: the ledger
    has in every bin, the reject bin included, exactly as many items as landed there. fault: what
    sent the machine to safety; None for nothing. belt_s: how long the belt ran. bundle_hash: the
    digest of the bundle that it ran with.
    """

    seed: int
    objects: int
    genuine_alone: int
    correct: int
    wrong: int
    foreign: int
    foreign_accepted: int
    bins: dict[str, tuple[int, int]]
    rejected: dict[str, int]
    foreign_kinds: dict[str, int]
    ledger_matches: bool
    fault: str | None
    belt_s: float
    belt_coins_per_s: float
    cpu_ms_per_coin: float
    bundle_hash: str = ""


def compare_with_truth(
    belt: SimulatedBelt,
    totals: dict[str, Any],
    seed: int,
    fault: str | None,
    belt_s: float,
    cpu_s: float,
    bundle_hash: str = "",
) -> SimulationResult:
    """The result of a run whose items have landed.

    totals: the ledger's, as `read_totals` returns them. cpu_s: processor time that the machine
    took. bundle_hash: the digest of the bundle.
    """
    riders = belt.riders
    reject_bin = belt.config.reject_bin
    genuine = [rider for rider in riders if rider.item.label]
    foreign = [rider for rider in riders if not rider.item.label]
    accepted = [rider for rider in genuine if rider.landed != reject_bin]
    foreign_accepted = [rider for rider in foreign if rider.landed != reject_bin]
    correct = [rider for rider in genuine if _is_in_own_bin(rider, belt.config)]
    return SimulationResult(
        seed=seed,
        objects=len(riders),
        genuine_alone=len(genuine),
        correct=len(correct),
        wrong=_count_misplaced(accepted, belt.config),
        foreign=len(foreign),
        foreign_accepted=len(foreign_accepted),
        bins=_count_by_bin(belt),
        rejected=totals["rejected"],
        foreign_kinds=_count_kinds(foreign),
        ledger_matches=_matches_ledger(riders, totals),
        fault=fault,
        belt_s=belt_s,
        belt_coins_per_s=len(riders) / belt_s if belt_s else 0.0,
        cpu_ms_per_coin=1000 * cpu_s / max(1, totals["seen"]),
        bundle_hash=bundle_hash,
    )


def _count_by_bin(belt: SimulatedBelt) -> dict[str, tuple[int, int]]:
    """By bin: how many items landed there, and how many of them do not belong there."""
    names = [bin_.name for bin_ in belt.config.bins]
    names.append(belt.config.reject_bin)
    counts = {}
    for name in names:
        inside = [rider for rider in belt.riders if rider.landed == name]
        misplaced = _count_misplaced(inside, belt.config)
        counts[name] = (len(inside), misplaced)
    return counts


def _count_misplaced(
    riders: Iterable[Rider],
    config: Config,
) -> int:
    return sum(_is_misplaced(rider, config) for rider in riders)


def _is_misplaced(
    rider: Rider,
    config: Config,
) -> bool:
    """Whether it lies in a bin it does not belong to, or is a good coin among the rejects."""
    if rider.landed == config.reject_bin:
        return rider.item.label is not None
    return not _is_in_own_bin(rider, config)


def _is_in_own_bin(
    rider: Rider,
    config: Config,
) -> bool:
    own_bins = [bin_.name for bin_ in config.bins if rider.item.label in bin_.labels]
    return rider.landed in own_bins


def _count_kinds(riders: Iterable[Rider]) -> dict[str, int]:
    kinds = Counter(rider.item.kind for rider in riders)
    return dict(kinds)


def _matches_ledger(
    riders: list[Rider],
    totals: dict[str, Any],
) -> bool:
    landed = Counter(rider.landed for rider in riders)
    has_same_bins: bool = totals["bins"] == dict(landed)
    has_same_count: bool = totals["seen"] == len(riders)
    return has_same_bins and has_same_count
