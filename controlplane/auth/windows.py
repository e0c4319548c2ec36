"""Counting in this process.

A sliding window counter: requests of the window before count for the part of
it that the sliding one still covers (Cloudflare, "How we built rate limiting
capable of scaling to millions of domains", 2017). Two numbers a key, however
many requests there are.
"""

from typing import Final

from controlplane.auth.limits import WINDOW, Verdict
from controlplane.clock import Clock, Timestamp

# Keys that are counted in one window: who comes beyond them is not refused.
_KEYS: Final = 100_000


class Windows:
    """The Counter of one process. A limit may be another at each request."""

    def __init__(self, clock: Clock, keys: int = _KEYS) -> None:
        self._clock = clock
        self._keys = keys
        self._window = 0
        self._before: dict[str, int] = {}
        self._current: dict[str, int] = {}

    async def hit(self, key: str, limit: int) -> Verdict:
        return self.count(key, limit, self._clock.now())

    def count(self, key: str, limit: int, now: Timestamp) -> Verdict:
        """Count one request at an instant."""
        window, elapsed = divmod(now, WINDOW)
        if window != self._window:
            self._turn(window)
        current = self._current.get(key, 0)
        before = self._before.get(key, 0)
        used = current + before * (WINDOW - elapsed) / WINDOW
        if used + 1 > limit:
            return Verdict(
                allowed=False, remaining=0, reset=_until_one(used, before, limit, elapsed)
            )
        if current or len(self._current) < self._keys:
            self._current[key] = current + 1
        return Verdict(
            allowed=True, remaining=int(limit - used - 1), reset=(WINDOW - elapsed) / 1000
        )

    def _turn(self, window: int) -> None:
        self._before = self._current if window == self._window + 1 else {}
        self._current = {}
        self._window = window


def _until_one(used: float, before: int, limit: int, elapsed: int) -> float:
    """Return the seconds after which one more is within the limit."""
    rest = (WINDOW - elapsed) / 1000
    if not before:
        return rest
    # Each of the window before leaves after an equal part of a window.
    return min(rest, (used + 1 - limit) * WINDOW / before / 1000)
