"""When which flap moves: a coin's arrival predicted, the flap proven in place before it, and nobody else caught.

At each flap a coin is expected within a window of time, from the earliest its leading edge may arrive to the latest its trailing edge may
have left. A flap that turns a coin into its bin is away from rest from before that window (it has to open) until after it (it has to
close). A coin may be sorted only if its flap can be open in time, and if no window of any other coin falls into that stretch. If one
does after all (it was seen only later, or the loop was held up), the plan is given up; where the flap is open already, it is uncertain
where that coin went, and it is called so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from coinsorter.records import Motion

# Standard errors of a coin's measured speed that a window allows for: 3 leave out 0.3 % of a normal distribution.
SPREADS = 3.0
# Ticks of the machine's loop that a command may be early, so that one missed tick does no harm.
EARLY_TICKS = 2


@dataclass(frozen=True)
class FlapSite:
    """One flap on the belt: its bin, where its middle is (mm from the view's centre), how long it is, how long it takes to move."""

    bin: str
    distance_mm: float
    length_mm: float
    travel_s: float


@dataclass(frozen=True)
class Window:
    """When a thing may be at a flap, seconds on the monotonic clock."""

    enters_s: float
    leaves_s: float

    def overlaps(self, other: "Window") -> bool:
        return self.enters_s < other.leaves_s and other.enters_s < self.leaves_s


@dataclass(eq=False)
class _Ride:
    """A decided coin on its way: its windows at the flaps it meets, the last of them the one that turns it into `bin`, if any does."""

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
        return max(
            (window.leaves_s for window in self.windows.values()), default=self.motion.seen_s
        )


@dataclass(frozen=True)
class FlapCommand:
    """A flap is to move now."""

    bin: str
    open: bool


@dataclass(frozen=True)
class Passage:
    """A coin has passed: into `bin`, or to the belt's end where that is None; `late` if it was to be sorted and its flap was not proven.

    uncertain: a flap was not at rest when it passed, so it may lie in that flap's bin.
    """

    coin: int
    bin: str | None
    late: bool
    uncertain: bool = False


@dataclass
class Schedule:
    """Plans and proves; knows no hardware and no clock. speed_tolerance: relative; tick_s: how often `tick` is called at least."""

    sites: list[FlapSite]
    speed_tolerance: float
    tick_s: float
    _rides: list[_Ride] = field(default_factory=list)
    _open_since_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sites = sorted(self.sites, key=lambda site: site.distance_mm)

    def latest_decision_s(self, motion: Motion) -> float:
        """Until when a coin may be decided on, whatever its bin: then the first flap on its way is too near."""
        windows = self._windows(motion, None)
        return min(windows[site.bin].enters_s - site.travel_s - self.tick_s for site in self.sites)

    def sort(
        self, coin: int, motion: Motion, bin: str, others: Iterable[Motion], now_s: float
    ) -> bool:
        """Plans to turn a coin into `bin`; False, and nothing planned, if that cannot be proven safe.

        others: everything else in view that is not decided on yet.
        """
        site, windows = self._site(bin), self._windows(motion, bin)
        away = self._away(site, windows[bin])
        in_time = now_s + self.tick_s + site.travel_s <= windows[bin].enters_s
        in_the_way = [*self._passing(bin), *(self._window(other, site) for other in others)]
        if (
            not in_time
            or self._caught(windows, bin)
            or any(window.overlaps(away) for window in in_the_way)
        ):
            return False
        self._rides.append(_Ride(coin, motion, bin, windows))
        return True

    def let_pass(self, coin: int, motion: Motion) -> None:
        """Takes note of a coin that is to reach the belt's end."""
        ride = _Ride(coin, motion, None, self._windows(motion, None))
        self._rides.append(ride)
        self._keep_clear(ride)

    def arm(self, coin: int) -> None:
        """The coin's row is durable: its flap may move."""
        for ride in self._rides:
            if ride.coin == coin:
                ride.armed = True

    def tick(self, now_s: float) -> tuple[list[FlapCommand], list[Passage]]:
        """What is to be done now, and which coins have passed since the last tick."""
        commands = [command for site in self.sites for command in self._move(site, now_s)]
        over = [ride for ride in self._rides if ride.over_s <= now_s]
        self._rides = [ride for ride in self._rides if ride.over_s > now_s]
        return commands, [Passage(ride.coin, ride.bin, ride.late, ride.uncertain) for ride in over]

    def abandon(self) -> list[int]:
        """Forgets every plan, for when the machine goes to safety; returns the coins that were on their way."""
        coins = [ride.coin for ride in self._rides]
        self._rides, self._open_since_s = [], {}
        return coins

    @property
    def busy(self) -> bool:
        """Whether any coin is still on its way."""
        return bool(self._rides)

    def _site(self, bin: str) -> FlapSite:
        return next(site for site in self.sites if site.bin == bin)

    def _windows(self, motion: Motion, bin: str | None) -> dict[str, Window]:
        """The coin's windows at every flap it passes, up to and including the one of `bin`."""
        windows = {}
        for site in self.sites:
            windows[site.bin] = self._window(motion, site)
            if site.bin == bin:
                break
        return windows

    def _window(self, motion: Motion, site: FlapSite) -> Window:
        spread = SPREADS * motion.speed_sem_mm_s
        fastest = motion.speed_mm_s * (1 + self.speed_tolerance) + spread
        slowest = max(motion.speed_mm_s * (1 - self.speed_tolerance) - spread, 1e-3)
        near = site.distance_mm - site.length_mm / 2 - motion.radius_mm - motion.x_mm
        far = (
            site.distance_mm
            + site.length_mm / 2
            + motion.radius_mm
            + motion.behind_mm
            - motion.x_mm
        )
        return Window(motion.seen_s + near / fastest, motion.seen_s + far / slowest)

    def _away(self, site: FlapSite, window: Window) -> Window:
        """How long the flap is not at rest for a coin with this window, ticks of the loop included."""
        return Window(
            window.enters_s - site.travel_s - EARLY_TICKS * self.tick_s,
            window.leaves_s + self.tick_s + site.travel_s,
        )

    def _turned_at(self, bin: str) -> list[_Ride]:
        return [ride for ride in self._rides if ride.bin == bin]

    def _passing(self, bin: str) -> list[Window]:
        """The windows of the decided coins that have to get past this flap."""
        return [
            ride.windows[bin] for ride in self._rides if bin in ride.windows and ride.bin != bin
        ]

    def _caught(self, windows: dict[str, Window], bin: str | None) -> bool:
        """Whether a flap on the way to `bin` is away from rest, for another coin, while this one passes it."""
        return any(
            self._away(self._site(name), ride.windows[name]).overlaps(window)
            for name, window in windows.items()
            if name != bin
            for ride in self._turned_at(name)
        )

    def _move(self, site: FlapSite, now_s: float) -> list[FlapCommand]:
        for ride in self._turned_at(site.bin):
            if not ride.opened and now_s >= self._away(site, ride.windows[site.bin]).enters_s:
                self._try_to_open(ride, site, now_s)
        wanted = any(
            ride.opened and now_s < ride.windows[site.bin].leaves_s
            for ride in self._turned_at(site.bin)
        )
        is_open = site.bin in self._open_since_s
        if wanted == is_open:
            return []
        if wanted:
            self._open_since_s[site.bin] = now_s
        else:
            self._look_back(site, Window(self._open_since_s.pop(site.bin), now_s + site.travel_s))
        return [FlapCommand(site.bin, wanted)]

    def _try_to_open(self, ride: _Ride, site: FlapSite, now_s: float) -> None:
        """Opens for a coin if the flap will be in place by the start of its window; once it cannot be, the coin is late."""
        enters_s = ride.windows[site.bin].enters_s
        in_place_s = self._open_since_s.get(site.bin, now_s) + site.travel_s
        if ride.armed and in_place_s <= enters_s:
            ride.opened = True
        elif now_s + site.travel_s > enters_s:
            self._pass_on(ride)

    def _pass_on(self, ride: _Ride) -> None:
        """A coin whose flap was not in time rides on to the end; coins whose flaps would now catch it are late with it."""
        ride.bin, ride.late, ride.windows = None, True, self._windows(ride.motion, None)
        self._keep_clear(ride)

    def _keep_clear(self, ride: _Ride) -> None:
        """Gives up the plans whose flap would be in the way of a coin that rides to the end; it is uncertain where the flap is open already."""
        for other in [
            other for other in self._rides if other.bin is not None and other is not ride
        ]:
            if other.bin is None or not self._away(
                self._site(other.bin), other.windows[other.bin]
            ).overlaps(ride.windows[other.bin]):
                continue
            if other.opened:
                ride.uncertain = True
            else:
                self._pass_on(other)

    def _look_back(self, site: FlapSite, away: Window) -> None:
        """The flap closes: whoever else was at it in the meantime may have been turned, which happens only if the loop was held up."""
        for ride in self._rides:
            if (
                ride.bin != site.bin
                and site.bin in ride.windows
                and ride.windows[site.bin].overlaps(away)
            ):
                ride.uncertain = True
