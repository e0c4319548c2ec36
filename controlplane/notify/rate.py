"""How many messages a receiver is sent in a time: a bucket of leaves to send."""


class Rate:
    """Lets `per_second` through, and up to `burst` at once; 0 lets everything through.

    Instants are monotonic seconds, passed in.
    """

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = max(1, burst)
        self._left = float(self._burst)
        self._at: float | None = None

    def room(self, now: float, most: int) -> int:
        """Return how many of `most` may be sent now."""
        if not self._per_second:
            return most
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        return min(most, int(self._left + 1e-9))

    def take(self, number: int) -> None:
        """Count messages as sent."""
        if self._per_second:
            self._left -= number

    def give_back(self, number: int) -> None:
        """Take back what was counted and not sent."""
        if self._per_second:
            self._left = min(self._burst, self._left + number)

    def until(self, now: float) -> float:
        """Return when the next may be sent; `now` or earlier when one may."""
        if not self._per_second or self._at is None:
            return now
        return self._at + (1.0 - self._left) / self._per_second
