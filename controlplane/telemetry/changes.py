"""Lines about changes of many things: a bounded number in a while, the rest as numbers."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from controlplane.telemetry.logs import Logger

_MOST = 100
_SECONDS = 10.0


class ChangeLines:
    """Writes at most `most` lines in `seconds`; when those are over, one line counts the others.

    When a whole network goes down, thousands of targets change at once, and
    again when it comes back. `monotonic` tells the time in seconds. Whoever
    uses it calls `settle` now and then, or the count waits for the next change.
    """

    def __init__(
        self,
        log: Logger,
        monotonic: Callable[[], float],
        *,
        most: int = _MOST,
        seconds: float = _SECONDS,
    ) -> None:
        self._log = log
        self._monotonic = monotonic
        self._most = most
        self._seconds = seconds
        self._until = float("-inf")
        self._written = 0
        self._left_out: Counter[str] = Counter()

    def tell(self, event: str, **fields: Any) -> None:
        """Write a line, or count it."""
        self.settle()
        now = self._monotonic()
        if now >= self._until:
            self._until, self._written = now + self._seconds, 0
        if self._written < self._most:
            self._written += 1
            self._log.info(event, **fields)
        else:
            self._left_out[event] += 1

    def settle(self) -> None:
        """Write how many lines were left out, once their time is over."""
        if self._left_out and self._monotonic() >= self._until:
            left_out, self._left_out = dict(self._left_out), Counter()
            self._log.warning("more changes", number=sum(left_out.values()), events=left_out)
