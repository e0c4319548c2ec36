"""Is it only we? What a replica tells the others of its own network, and when that changes.

    CONNECTED ──a mass failure may be ours──> DOUBTED ──it is, and for a while──> ISOLATED
        ^                                        │                                  │
        ├────────it is not, or it is over────────┘                                  │
        └────────────────────canaries have answered for long enough─────────────────┘

A canary alone proves nothing: only a mass failure makes a replica doubt its
network. Once it is isolated others probe its targets, and the canaries alone
tell when it is well again.
"""

from dataclasses import dataclass, replace
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.member import Network
from controlplane.mute.storm import Canaries, Storm, ours

# By then the others have read what failed here, within two seconds, and ask their own canaries:
# when the network of all breaks, nobody gives its probes to one that is about to find out.
_CERTAIN: Final[Duration] = 3_000
# Canaries answer in a dozen rounds on end. A cable that comes and goes would else have the
# targets change hands at each turn; that others probe them for a minute more costs nothing.
_SETTLED: Final[Duration] = 60_000


@dataclass(frozen=True, slots=True)
class Isolation:
    """What is said of our network since `since`; `answered` is when a canary did again."""

    network: Network = Network.CONNECTED
    since: Timestamp = 0
    answered: Timestamp | None = None


NOT_ISOLATED: Final = Isolation()


def judge_isolation(
    known: Isolation, storm: Storm, canaries: Canaries, now: Timestamp
) -> Isolation:
    """Return what is to be said now. When the clock was set back nobody waits longer for that."""
    if known.network is Network.ISOLATED:
        return _recover(known, canaries, now)
    down = ours(storm, canaries)
    match known.network:
        case Network.CONNECTED if storm.holds or down:
            return Isolation(Network.DOUBTED, now)
        case Network.DOUBTED if not (storm.holds or down):
            return Isolation(Network.CONNECTED, now)
        case Network.DOUBTED if down and not known.since <= now < known.since + _CERTAIN:
            return Isolation(Network.ISOLATED, now)
    return known


def _recover(known: Isolation, canaries: Canaries, now: Timestamp) -> Isolation:
    if canaries.down:
        return replace(known, answered=None)
    if known.answered is None:
        return replace(known, answered=now)
    if known.answered <= now < known.answered + _SETTLED:
        return known
    return Isolation(Network.CONNECTED, now)
