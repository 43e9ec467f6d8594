"""When which flap moves: arrivals predicted, flaps proven in place, no other coin caught.

At each flap a coin is expected within a window of time, from the earliest its leading edge may
arrive to the latest its trailing edge may have left. A flap that turns a coin into its bin is away
from rest from before that window (it has to open) until after it (it has to close). A coin may be
sorted only if its flap can be open in time, and if no window of any other coin overlaps that
stretch. If one does after all, because the coin was seen only later or the loop was held up, the
plan is given up. Where the flap is open already, it is uncertain where that coin went, and its
passage says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from coinsorter.records import Motion
from coinsorter.vision.track import SPEED_SEMS

#: Ticks of the machine's loop that a command is early, so that one missed tick does no harm.
EARLY_TICKS = 2
#: The slowest speed that a window reckons with, mm/s: keeps the division finite.
MIN_SPEED_MM_S = 1e-3


@dataclass(frozen=True)
class FlapSite:
    """One flap on the belt.

    bin: the name of its bin. distance_mm: where its middle is, from the view's centre.
    length_mm: how long it is along the belt. travel_s: how long it takes to open, or to close.
    """

    bin: str
    distance_mm: float
    length_mm: float
    travel_s: float


@dataclass(frozen=True)
class Window:
    """When a coin may be at a flap, seconds on the monotonic clock."""

    enters_s: float
    leaves_s: float

    def overlaps(self, other: "Window") -> bool:
        """Whether there is a time in both windows."""
        return self.enters_s < other.leaves_s and other.enters_s < self.leaves_s


@dataclass(frozen=True)
class FlapCommand:
    """A flap is to move now."""

    bin: str
    open: bool


@dataclass(frozen=True)
class Passage:
    """A coin has passed.

    bin: where it was turned into; None for the belt's end.
    late: it was to be sorted, and its flap could not be proven to be in place.
    uncertain: a flap was not at rest when the coin passed, so it may lie in that flap's bin.
    """

    coin: int
    bin: str | None
    late: bool
    uncertain: bool = False


@dataclass(eq=False)
class _Ride:
    """A coin on its way that was decided on.

    bin: where it is to be turned into; None for the belt's end.
    windows: at every flap that it meets, by bin; the last is the one that turns it, if any.
    armed: its row is durable, so that its flap may move. opened: its flap was opened for it.
    """

    coin: int
    motion: Motion
    bin: str | None
    windows: dict[str, Window]
    armed: bool = False
    opened: bool = False
    late: bool = False
    uncertain: bool = False

    @property
    def over_s(self) -> float:
        last_times_s = (window.leaves_s for window in self.windows.values())
        return max(last_times_s, default=self.motion.seen_s)


@dataclass
class Schedule:
    """Plans the flaps' movements and proves them safe; knows no hardware and no clock.

    speed_tolerance: how much a coin's speed may differ from the measured one later, relative.
    tick_s: the longest time between two calls of `tick`.
    """

    sites: list[FlapSite]
    speed_tolerance: float
    tick_s: float
    _rides: list[_Ride] = field(default_factory=list)
    _open_since_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sites = sorted(self.sites, key=lambda site: site.distance_mm)

    def latest_decision_s(self, motion: Motion) -> float:
        """Until when a coin may be decided on, whatever its bin.

        Later, the first flap on its way is too near.
        """
        windows = self._predict_windows(motion, None)
        latest_s = []
        for site in self.sites:
            enters_s = windows[site.bin].enters_s
            latest_s.append(enters_s - site.travel_s - self.tick_s)
        return min(latest_s)

    def plan_turn(
        self, coin: int, motion: Motion, bin: str, others: Iterable[Motion], now_s: float
    ) -> bool:
        """Plans to turn a coin into a bin; False, and nothing planned, if that is not proven safe.

        others: everything else in view that is not decided on yet.
        """
        windows = self._predict_windows(motion, bin)
        if not self._is_in_time(windows, bin, now_s):
            return False
        if self._would_be_caught(windows, bin) or self._would_catch(windows, bin, others):
            return False
        self._rides.append(_Ride(coin, motion, bin, windows))
        return True

    def let_pass(self, coin: int, motion: Motion) -> None:
        """Takes note of a coin that is to reach the belt's end."""
        ride = _Ride(coin, motion, None, self._predict_windows(motion, None))
        self._rides.append(ride)
        self._keep_clear(ride)

    def arm(self, coin: int) -> None:
        """Lets a coin's flap move: its row is durable."""
        for ride in self._rides:
            if ride.coin == coin:
                ride.armed = True

    def tick(self, now_s: float) -> tuple[list[FlapCommand], list[Passage]]:
        """Which flaps are to move now, and which coins have passed since the last call."""
        commands = []
        for site in self.sites:
            commands += self._move(site, now_s)
        over = [ride for ride in self._rides if ride.over_s <= now_s]
        self._rides = [ride for ride in self._rides if ride.over_s > now_s]
        passages = [Passage(ride.coin, ride.bin, ride.late, ride.uncertain) for ride in over]
        return commands, passages

    def stand_down(self) -> None:
        """Gives up every plan whose flap is not open; those coins ride to the belt's end."""
        for ride in list(self._rides):
            if ride.bin is not None and not ride.opened:
                self._send_on(ride)

    def abandon(self) -> list[int]:
        """Forgets every plan; returns the coins that were on their way."""
        coins = [ride.coin for ride in self._rides]
        self._rides = []
        self._open_since_s = {}
        return coins

    @property
    def busy(self) -> bool:
        """Whether any coin is still on its way."""
        return bool(self._rides)

    # Windows.

    def _site(self, bin: str) -> FlapSite:
        return next(site for site in self.sites if site.bin == bin)

    def _predict_windows(self, motion: Motion, bin: str | None) -> dict[str, Window]:
        """The coin's windows at every flap it passes, up to and including the one of `bin`."""
        windows = {}
        for site in self.sites:
            windows[site.bin] = self._predict_window(motion, site)
            if site.bin == bin:
                break
        return windows

    def _predict_window(self, motion: Motion, site: FlapSite) -> Window:
        allowance_mm_s = SPEED_SEMS * motion.speed_sem_mm_s
        fastest_mm_s = motion.speed_mm_s * (1 + self.speed_tolerance) + allowance_mm_s
        slowest_mm_s = motion.speed_mm_s * (1 - self.speed_tolerance) - allowance_mm_s
        slowest_mm_s = max(slowest_mm_s, MIN_SPEED_MM_S)
        half_mm = site.length_mm / 2
        flap_starts_mm = site.distance_mm - half_mm
        flap_ends_mm = site.distance_mm + half_mm
        near_mm = flap_starts_mm - motion.radius_mm - motion.x_mm
        far_mm = flap_ends_mm + motion.radius_mm + motion.behind_mm - motion.x_mm
        enters_s = motion.seen_s + near_mm / fastest_mm_s
        leaves_s = motion.seen_s + far_mm / slowest_mm_s
        return Window(enters_s, leaves_s)

    def _away(self, site: FlapSite, window: Window) -> Window:
        """When the flap is not at rest for a coin with this window, ticks of the loop included."""
        opens_s = window.enters_s - site.travel_s - EARLY_TICKS * self.tick_s
        closed_s = window.leaves_s + self.tick_s + site.travel_s
        return Window(opens_s, closed_s)

    def _away_for(self, ride: _Ride, bin: str) -> Window:
        """When the flap of `bin` is not at rest for a coin."""
        return self._away(self._site(bin), ride.windows[bin])

    # What a plan has to prove.

    def _is_in_time(self, windows: dict[str, Window], bin: str, now_s: float) -> bool:
        in_place_s = now_s + self.tick_s + self._site(bin).travel_s
        return in_place_s <= windows[bin].enters_s

    def _would_be_caught(self, windows: dict[str, Window], bin: str) -> bool:
        """Whether another coin's flap is away from rest while this coin passes it."""
        for name, window in windows.items():
            if name == bin:
                continue
            for ride in self._list_turned_at(name):
                if self._away_for(ride, name).overlaps(window):
                    return True
        return False

    def _would_catch(self, windows: dict[str, Window], bin: str, others: Iterable[Motion]) -> bool:
        """Whether another coin passes the flap of `bin` while it is away from rest for this one."""
        site = self._site(bin)
        away = self._away(site, windows[bin])
        decided = [ride.windows[bin] for ride in self._rides if _passes(ride, bin)]
        undecided = [self._predict_window(other, site) for other in others]
        return any(window.overlaps(away) for window in decided + undecided)

    def _list_turned_at(self, bin: str) -> list[_Ride]:
        return [ride for ride in self._rides if ride.bin == bin]

    # What a flap does.

    def _move(self, site: FlapSite, now_s: float) -> list[FlapCommand]:
        """The command that the flap needs now, if any."""
        for ride in self._list_turned_at(site.bin):
            opens_s = self._away_for(ride, site.bin).enters_s
            if not ride.opened and now_s >= opens_s:
                self._try_to_open(ride, site, now_s)
        should_be_open = self._should_be_open(site, now_s)
        is_open = site.bin in self._open_since_s
        if should_be_open == is_open:
            return []
        if should_be_open:
            self._open_since_s[site.bin] = now_s
        else:
            self._close(site, now_s)
        return [FlapCommand(site.bin, should_be_open)]

    def _should_be_open(self, site: FlapSite, now_s: float) -> bool:
        for ride in self._list_turned_at(site.bin):
            if ride.opened and now_s < ride.windows[site.bin].leaves_s:
                return True
        return False

    def _close(self, site: FlapSite, now_s: float) -> None:
        opened_s = self._open_since_s.pop(site.bin)
        away = Window(opened_s, now_s + site.travel_s)
        self._mark_passed_open_flap(site, away)

    def _try_to_open(self, ride: _Ride, site: FlapSite, now_s: float) -> None:
        """Opens for a coin if the flap will be in place in time; sends it on once it cannot be."""
        enters_s = ride.windows[site.bin].enters_s
        in_place_s = self._open_since_s.get(site.bin, now_s) + site.travel_s
        if ride.armed and in_place_s <= enters_s:
            ride.opened = True
        elif now_s + site.travel_s > enters_s:
            self._send_on(ride)

    def _send_on(self, ride: _Ride) -> None:
        """Lets a coin whose flap was not in time ride on to the belt's end."""
        ride.bin = None
        ride.late = True
        ride.windows = self._predict_windows(ride.motion, None)
        self._keep_clear(ride)

    def _keep_clear(self, ride: _Ride) -> None:
        """Gives up the plans whose flap would catch a coin that rides to the belt's end.

        Where such a flap is open already, it is uncertain where the coin goes.
        """
        for other in list(self._rides):
            if other is ride or not self._catches(other, ride):
                continue
            if other.opened:
                ride.uncertain = True
            else:
                self._send_on(other)

    def _catches(self, turned: _Ride, passing: _Ride) -> bool:
        if turned.bin is None:
            return False
        away = self._away_for(turned, turned.bin)
        return away.overlaps(passing.windows[turned.bin])

    def _mark_passed_open_flap(self, site: FlapSite, away: Window) -> None:
        """Marks coins that passed a flap while it was away from rest: it may have turned them.

        That happens only if the loop was held up.
        """
        for ride in self._rides:
            if _passes(ride, site.bin) and ride.windows[site.bin].overlaps(away):
                ride.uncertain = True


def _passes(ride: _Ride, bin: str) -> bool:
    """Whether a coin has to get past the flap of `bin`."""
    return bin in ride.windows and ride.bin != bin
