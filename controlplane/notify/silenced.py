"""What messages show of silences: whether somebody has taken on what a group tells of."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels


@dataclass(frozen=True, slots=True)
class Silenced:
    """A silence that mutes an alert now: who set it, why, and until when at most.

    `acknowledges` is true for one that ends as soon as its alerts have.
    """

    id: str
    author: str
    comment: str
    until: Timestamp
    acknowledges: bool = False


# The silences that mute an alert with these labels now.
SilencedBy = Callable[[Labels], Sequence[Silenced]]


@dataclass(frozen=True, slots=True)
class Quiet:
    """How much of a group that fires is silenced: each silence with the alerts it mutes."""

    firing: int
    silences: tuple[tuple[Silenced, int], ...] = ()
    acknowledged: bool = False  # each of those that fire is
    silenced: bool = False  # each of those that fire is, one way or the other

    @property
    def digest(self) -> str:
        """Return a short text that differs when something else is to be shown; '' for nothing."""
        if not self.silences:
            return ""
        shown = [(s.id, s.until, alerts) for s, alerts in self.silences]
        return sha256(repr((self.firing, shown)).encode()).hexdigest()[:16]


def quiet(firing: Collection[Alert], silenced_by: SilencedBy) -> Quiet:
    """Return what is silenced of the alerts of a group that fire; acknowledgements come first."""
    found: dict[str, tuple[Silenced, int]] = {}
    silenced, acknowledged = 0, 0
    for alert in firing:
        by = silenced_by(alert.labels)
        silenced += bool(by)
        acknowledged += any(silence.acknowledges for silence in by)
        for silence in by:
            _, alerts = found.get(silence.id, (silence, 0))
            found[silence.id] = (silence, alerts + 1)
    return Quiet(
        len(firing),
        tuple(sorted(found.values(), key=_prominence)),
        acknowledged=0 < acknowledged == len(firing),
        silenced=0 < silenced == len(firing),
    )


def _prominence(shown: tuple[Silenced, int]) -> tuple[bool, int, Timestamp, str]:
    silence, alerts = shown
    return (not silence.acknowledges, -alerts, silence.until, silence.id)
