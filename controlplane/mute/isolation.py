"""Is it only we? What a replica tells the others of its own network, and when that changes.

    CONNECTED ──a mass failure may be ours──> DOUBTED ──it is, for a while──> ISOLATED
        ^  └<──────────it is not, or is over─────┘                              │  ^
        │                                                       a canary answers│  │none does
        │                                                                       v  │
        └──────────────────canaries have answered for long enough────────── RECOVERING

A canary alone proves nothing: only a mass failure makes a replica doubt its
network. Once it is isolated others probe its targets, and the canaries alone
tell when it is well again.
"""

from dataclasses import dataclass
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
    """What is said of our network, and since when."""

    network: Network = Network.CONNECTED
    since: Timestamp = 0


NOT_ISOLATED: Final = Isolation()


def judge_isolation(
    known: Isolation, storm: Storm, canaries: Canaries, now: Timestamp
) -> Isolation:
    """Return what is to be said now."""
    network = _next(known, storm, canaries, now)
    return known if network is known.network else Isolation(network, now)


def _next(known: Isolation, storm: Storm, canaries: Canaries, now: Timestamp) -> Network:
    down = ours(storm, canaries)
    # When the clock was set back nobody waits longer for that.
    certain, settled = (
        not known.since <= now < known.since + each for each in (_CERTAIN, _SETTLED)
    )
    match known.network:
        case Network.CONNECTED if storm.holds or down:
            return Network.DOUBTED
        case Network.DOUBTED if not (storm.holds or down):
            return Network.CONNECTED
        case Network.DOUBTED if down and certain:
            return Network.ISOLATED
        case Network.ISOLATED if not canaries.down:
            return Network.RECOVERING
        case Network.RECOVERING if canaries.down:
            return Network.ISOLATED
        case Network.RECOVERING if settled:
            return Network.CONNECTED
    return known.network
