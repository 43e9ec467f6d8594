"""The installed machine on an emulated Pi: photographed coins ride by, pins are read back."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from coinsorter.recognition import bundle
from tests.conftest import BRL, IN_FULL, only_in_full
from tests.system import photographs
from tests.system.conftest import Outcome, Rig
from tests.system.guest.pulses import Pulse, Train, by_pin, trains

COINS, FOREIGN = (50, 6) if IN_FULL else (25, 3)
ENOUGH_SORTED = 0.75  # of the coins that there is a bin for: the rest may be in doubt
WARM_UP_S = 20  # of the first rides: an emulated Pi that is still busy with its start loses frames
STILL_S, MAX_STILL_S = 0.2, 1.0  # between two pulses, which are 20 ms apart; and in all
MEMORY = "3G"  # the virtual camera keeps all its pictures there
REST_US, OPEN_US = 500 + 2000 * 20 / 180, 500 + 2000 * 160 / 180
OFF_US = 350.0  # as an emulated Pi's pulses are late, by the median
BETWEEN_US = (REST_US + OPEN_US) / 2
SPEED_MM_S = photographs.STEP_MM * photographs.FRAMES_PER_S
APART_S = photographs.SPACING_MM / SPEED_MM_S  # coins, by the time at which they are seen


@dataclass(frozen=True)
class Ride:
    """A row of the ledger, and the coin that was shown then."""

    label: str
    seen_s: float
    bin: str
    reason: str
    landed: str


@pytest.fixture(scope="module")
def sorted_coins(
    rig: Rig, card: Path, data: Path, tmp_path_factory
) -> tuple[list[Ride], dict[int, list[Pulse]]]:
    """What the ledger holds of so many shown coins, and what the pins carried meanwhile."""
    folder = tmp_path_factory.mktemp("sorting")
    (folder / "given").mkdir()
    disk = Path(shutil.copy(card, folder / "disk"))
    coins = photographs.coins(data, bundle.load_bundle(BRL), COINS, FOREIGN)
    photographs.write_frames(coins, folder / "given")
    prepared = rig.run(
        "systemctl stop coinsorter; rm /var/lib/coinsorter/* rig-frames/*; "
        "cp given/* rig-frames/; sync",
        folder / "given",
        "uml",
        disk=disk,
    )
    assert prepared.status == 0, prepared.printed
    outcome = rig.run(
        f"""
        python3 guest/wait_for_coins.py {COINS + round(WARM_UP_S / APART_S)}
        systemctl stop coinsorter
        cp /sys/kernel/tracing/trace /var/lib/coinsorter/ledger.db rig-out/
        """,
        backend="uml",
        disk=disk,
        timeout_s=600,
        memory=MEMORY,
    )
    assert outcome.status == 0, outcome.printed + outcome.journal
    with closing(sqlite3.connect(outcome.left / "ledger.db")) as ledger:
        rows = ledger.execute(
            "SELECT seen_s, bin, reason, landed FROM coins ORDER BY id"
        ).fetchall()
    rides = align(rows, [coin.label for coin in coins])
    for ride in rides:
        print(ride)
    return rides, by_pin(outcome.text("trace"))


def align(rows: list[tuple], labels: list[str]) -> list[Ride]:
    """The rows with the coins that were shown then.

    Coins ride by in turn, one every APART_S. Which of them was the last one follows from all: from
    most rides that were sorted rightly. One that was not stands out.
    """
    last_s = rows[-1][0]
    places = [round((row[0] - last_s) / APART_S) for row in rows]
    shifted = [
        [labels[(place + shift) % len(labels)] for place in places] for shift in range(len(labels))
    ]
    best = max(
        shifted, key=lambda own: sum(row[1] == f"bin_{label}" for row, label in zip(rows, own))
    )
    return [Ride(label, *row) for label, row in zip(best, rows)]


def needs_real_time(sent: dict[int, list[Pulse]]) -> None:
    """Skips where the emulated Pi stood still, as its computer was busy: then no time is right."""
    pulses = next(iter(sent.values()))
    apart_s = [later.at_s - one.at_s for one, later in pairwise(pulses)]
    still_s = sum(gap_s for gap_s in apart_s if gap_s > STILL_S)
    if still_s > MAX_STILL_S:
        pytest.skip(f"the emulated Pi stood still for {still_s:.1f} s: this computer is too busy")


def opened(pin: int, sent: dict[int, list[Pulse]]) -> list[Train]:
    return [train for train in trains(sent[pin], BETWEEN_US) if train.us > BETWEEN_US]


def test_every_coin_is_decided_on_once_and_lands(sorted_coins):
    rides, _ = sorted_coins
    assert len(rides) >= COINS
    assert all(ride.landed == ride.bin for ride in rides[:COINS])


def test_coins_are_sorted_by_what_they_are_and_foreign_ones_are_not(sorted_coins):
    every, sent = sorted_coins
    needs_real_time(sent)
    rides = [ride for ride in every if ride.seen_s > every[0].seen_s + WARM_UP_S]
    accepted = [ride for ride in rides if ride.reason == "sorted"]
    reasons = {
        reason: sum(ride.reason == reason for ride in rides)
        for reason in sorted({ride.reason for ride in rides})
    }
    print(f"{len(rides)} coins shown, some of them foreign: {reasons}")
    assert [ride for ride in accepted if ride.bin != f"bin_{ride.label}"] == []
    known = [ride for ride in rides if ride.label != photographs.FOREIGN]
    assert len(accepted) >= ENOUGH_SORTED * len(known)


def test_every_opening_of_a_flap_belongs_to_a_coin_that_the_ledger_has_for_its_bin(sorted_coins):
    rides, sent = sorted_coins
    needs_real_time(sent)
    for (label, pin), distance_mm in zip(photographs.PINS.items(), photographs.DISTANCES_MM):
        coins = [ride for ride in rides if ride.bin == f"bin_{label}"]
        openings = opened(pin, sent)
        landed = [ride for ride in coins if ride.landed]  # the others were on the belt at its stop
        # none is missing, and there is none for a reject either
        assert len(landed) <= len(openings) <= len(coins), f"GPIO {pin}"
        for coin, opening in zip(coins, openings):
            arrives_s = (
                coin.seen_s + distance_mm / SPEED_MM_S
            )  # as seen from the view's middle, behind which it was last seen
            assert coin.seen_s < opening.begins_s < arrives_s and opening.ends_s < arrives_s + 1.5


def test_pulses_are_about_as_wide_as_the_settings_say(sorted_coins):
    _, sent = sorted_coins
    assert sent.keys() == set(photographs.PINS.values())
    needs_real_time(sent)
    for pin in sent:
        for train in trains(sent[pin], BETWEEN_US):
            print(f"GPIO {pin}: {train.us:.0f} us from {train.begins_s:.2f} to {train.ends_s:.2f}")
            assert train.us == pytest.approx(
                OPEN_US if train.us > BETWEEN_US else REST_US, abs=OFF_US
            )


@only_in_full
def test_it_sorts_soon_after_power_up_with_its_flaps_at_rest(rig: Rig, card: Path, tmp_path: Path):
    """With the camera as it comes with the emulated Pi, few frames at 30 a second.

    It loads each frame before it opens.
    """
    disk = Path(shutil.copy(card, tmp_path / "disk"))
    changed = rig.run(
        f"""
        rm -r rig-frames
        sed -i /shown_camera/d /usr/lib/python3/dist-packages/from-apt.pth
        sed -i 's/frames_per_s: {photographs.FRAMES_PER_S} /frames_per_s: 30 /' \\
            /etc/coinsorter/config.yaml
        sed -i 's/RIG_FPS=[0-9]*/RIG_FPS=30/' /etc/systemd/system/coinsorter.service.d/rig.conf
        sync
        """,
        backend="uml",
        disk=disk,
    )
    assert changed.status == 0, changed.printed
    outcome: Outcome = rig.run(
        """
        systemctl show coinsorter --property InactiveExitTimestampMonotonic \\
            --property ActiveEnterTimestampMonotonic --property NRestarts >rig-out/times
        cp /sys/kernel/tracing/trace rig-out/
        """,
        backend="uml",
        disk=disk,
    )
    assert outcome.status == 0, outcome.printed + outcome.journal
    times = {
        name: int(value)
        for name, value in (line.split("=") for line in outcome.text("times").splitlines())
    }
    ready_s = times["ActiveEnterTimestampMonotonic"] / 1e6
    took_s = ready_s - times["InactiveExitTimestampMonotonic"] / 1e6
    print(
        f"from the unit's start to READY=1, picamera2 and gpio-sim: {took_s:.1f} s (bar 10); "
        f"from boot: {ready_s:.1f} s"
    )
    assert times["NRestarts"] == 0
    sent = by_pin(outcome.text("trace"))
    assert sent.keys() == set(photographs.PINS.values())
    assert [opened(pin, sent) for pin in sent] == [[]] * len(sent)
