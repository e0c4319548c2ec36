"""How often somebody may ask: by what is asked for, by who asks, and from where."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from controlplane.auth.principals import Principal, PrincipalKind
from controlplane.clock import Duration
from controlplane.model.duration import MINUTE

# Every limit is so many in a sliding window of this length.
WINDOW: Final[Duration] = MINUTE


class Limited(StrEnum):
    """What is asked for. What must never be refused is none of these."""

    READ = "read"
    QUERY = "query"
    WRITE = "write"
    INGEST = "ingest"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class AnonymousLimits:
    """Requests a minute of somebody unknown, to what is open to all; 0 is any number of them."""

    read: int = 600
    login: int = 20


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """Requests a minute with the token or a session, from one address; 0 is any number of them."""

    read: int = 60_000
    query: int = 12_000
    write: int = 12_000
    ingest: int = 0


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """What each tier may ask for.

    The defaults are to stop what runs wild, not to ration: a page that is open
    all day, or a Grafana with many panels, stays far below.
    """

    anonymous: AnonymousLimits = field(default_factory=AnonymousLimits)
    token: TokenLimits = field(default_factory=TokenLimits)

    def of(self, principal: Principal, limited: Limited) -> tuple[str, int]:
        """Return the tier of somebody and how many requests it has; 0 is any number of them.

        A process on this machine, while there is no token, is in no tier.
        """
        if principal.kind is PrincipalKind.LOCAL:
            return "", 0
        anonymous = principal.kind is PrincipalKind.ANONYMOUS
        tier = self.anonymous if anonymous else self.token
        return "anonymous" if anonymous else "token", getattr(tier, limited.value, 0)


class Verdict(NamedTuple):
    """What came of a request: `remaining` may follow at once, more after `reset` seconds."""

    allowed: bool
    remaining: int
    reset: float


class Counter(Protocol):
    """Counts requests under keys, in sliding windows. Belongs to the event loop."""

    async def hit(self, key: str, limit: int) -> Verdict:
        """Count one request under a key, unless there were `limit` of them within the window."""
        ...
