"""Is it them or us? When many targets in many networks fail at once, and our canaries too.

All of it is decided here, by functions of what was seen and of the time:

    CALM ──a mass fails──> ASKING ──a canary answers──> CLEARED ──all canaries fail──> HOLDING
      ^                      └───────all canaries fail──────────────────────────────────> │
      │                                                                                   │
      │        HOLDING ──a canary answers──> SETTLING ──time for another probe───> RELEASED
      │        HOLDING, SETTLING ──held for the longest time──────────────────────> RELEASED
      └──no mass fails any more── ASKING, CLEARED, HOLDING, SETTLING; RELEASED after a rest

ASKING, HOLDING and SETTLING hold, for `hold` together at most; after RELEASED
nothing is held until the mass has been over for as long again.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.mute.options import StormOptions

# Why a probe fails when it is the network that fails.
NETWORK_REASONS: Final = frozenset(("dns", "connect", "timeout"))
# Targets that are probed more rarely count as if they were probed so often.
_LONGEST_INTERVAL: Final[Duration] = 120_000
# If nobody asks the canaries, nobody is held for longer than this.
_PATIENCE: Final[Duration] = 10_000


class Phase(StrEnum):
    """Where a storm stands."""

    CALM = "calm"
    ASKING = "asking"
    CLEARED = "cleared"
    HOLDING = "holding"
    SETTLING = "settling"
    RELEASED = "released"


HOLDS: Final = frozenset((Phase.ASKING, Phase.HOLDING, Phase.SETTLING))


@dataclass(frozen=True, slots=True)
class Failing:
    """A target that fails now: since when, by what it failed last, and where it is.

    `began` and `at` are the slots of its first and its last failed probe.
    """

    target: str
    reason: str
    network: str
    interval: Duration
    began: Timestamp
    at: Timestamp


@dataclass(frozen=True, slots=True)
class Mass:
    """Targets that began to fail within one interval."""

    began: Timestamp
    targets: int
    networks: int
    interval: Duration
    reasons: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        by = ", ".join(f"{count} {reason}" for reason, count in self.reasons)
        return f"{self.targets} targets in {self.networks} networks ({by})"


@dataclass(frozen=True, slots=True)
class Canaries:
    """How the canaries did in their last round, which began at `asked_at`.

    Those count that answered a short while before: one that never did says
    nothing about our network.
    """

    asked_at: Timestamp = 0
    counted: int = 0
    failing: int = 0

    @property
    def down(self) -> bool:
        return 0 < self.counted == self.failing


@dataclass(frozen=True, slots=True)
class Storm:
    """A phase since `since`; `began` is when it was first asked whether it is us."""

    phase: Phase = Phase.CALM
    since: Timestamp = 0
    began: Timestamp = 0
    mass: Mass | None = None

    @property
    def holds(self) -> bool:
        return self.phase in HOLDS


CALM: Final = Storm()


def ours(storm: Storm, canaries: Canaries) -> bool:
    """Tell whether it is our own network: the mass failure lasts, and no canary answers."""
    looked_at = storm.phase in (Phase.HOLDING, Phase.RELEASED) and storm.mass is not None
    return looked_at and canaries.down


def mass_of(failing: Iterable[Failing], options: StormOptions) -> Mass | None:
    """Return the newest mass failure, if enough targets in enough networks fail alike.

    They count when their failing began within one interval, the longest among
    them, of the last one that began to fail.
    """
    alike = [each for each in failing if each.reason in NETWORK_REASONS]
    if len(alike) < options.targets:
        return None
    interval = min(max(each.interval for each in alike), _LONGEST_INTERVAL)
    newest = max(each.began for each in alike)
    return _mass([each for each in alike if each.began > newest - interval], interval, options)


def still(mass: Mass, failing: Iterable[Failing], options: StormOptions) -> Mass | None:
    """Return what a mass failure has become: those that began with it or after, and fail still."""
    alike = [each for each in failing if each.reason in NETWORK_REASONS]
    return _mass([each for each in alike if each.began >= mass.began], mass.interval, options)


def step(
    storm: Storm, mass: Mass | None, canaries: Canaries, now: Timestamp, options: StormOptions
) -> Storm:
    """Return where a storm stands now. `mass` is what fails, as `mass_of` and `still` say."""
    overdue = storm.holds and now >= storm.began + options.hold
    if storm.phase is Phase.RELEASED:
        return _rest(storm, mass, now, options)
    if mass is None:
        return CALM
    # When the clock was set back nobody waits longer for that.
    phase = Phase.RELEASED if overdue or now < storm.since else _next(storm, mass, canaries, now)
    if phase is storm.phase:
        return replace(storm, mass=mass)
    begins = phase is Phase.ASKING or storm.phase is Phase.CLEARED
    return Storm(phase, now, now if begins else storm.began, mass)


def _next(storm: Storm, mass: Mass, canaries: Canaries, now: Timestamp) -> Phase:
    """Return the phase that what the canaries say leads to, the mass failure lasting."""
    answered = canaries.asked_at >= storm.began or now >= storm.began + _PATIENCE
    match storm.phase:
        case Phase.CALM:
            return Phase.ASKING
        case Phase.ASKING if canaries.down and canaries.asked_at >= mass.began:
            return Phase.HOLDING
        case Phase.ASKING if answered:
            return Phase.CLEARED
        case Phase.CLEARED | Phase.SETTLING if canaries.down:
            return Phase.HOLDING
        case Phase.HOLDING if not canaries.down:
            return Phase.SETTLING
        # Time for one more probe of each, and for rules to look at it.
        case Phase.SETTLING if now >= storm.since + 2 * mass.interval:
            return Phase.RELEASED
    return storm.phase


def _rest(storm: Storm, mass: Mass | None, now: Timestamp, options: StormOptions) -> Storm:
    """Hold nobody again until it has been quiet for a while: `since` is when it became so."""
    if mass is not None:
        return replace(storm, mass=mass, since=now)
    return CALM if now >= storm.since + options.hold else replace(storm, mass=None)


def _mass(members: list[Failing], interval: Duration, options: StormOptions) -> Mass | None:
    networks = {each.network for each in members}
    if len(members) < options.targets or len(networks) < options.networks:
        return None
    reasons = Counter(each.reason for each in members)
    return Mass(
        began=min(each.began for each in members),
        targets=len(members),
        networks=len(networks),
        interval=interval,
        reasons=tuple(reasons.most_common()),
    )
