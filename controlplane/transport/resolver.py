"""Names to addresses: what everyone who connects sees of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Resolution:
    """The end of a lookup: an address (version 4 or 6), or an error. `seconds` it took."""

    address: str
    version: int
    seconds: float
    error: str = ""
    timed_out: bool = False


Resolved = Callable[[Resolution], None]


class Resolver(Protocol):
    """Looks a name up afresh each time. A literal address costs nothing."""

    def lookup(
        self,
        host: str,
        done: Resolved,
        *,
        prefer: str = "ip6",
        fallback: bool = True,
        timeout: float,
    ) -> None:
        """Call `done` once on the event loop, at once when nothing need be asked.

        `prefer` is `ip4` or `ip6`; without `fallback` the other is no answer.
        """
        ...

    async def resolve(
        self, host: str, *, prefer: str = "ip6", fallback: bool = True, timeout: float
    ) -> Resolution:
        """Return the address. A failure is a Resolution too, never an exception."""
        ...
