"""A circuit breaker: stop asking what keeps failing, and try again with care."""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Closed lets everything through, open nothing, half-open one trial at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerEvent(StrEnum):
    """What happens to a breaker."""

    ASKED = "asked"  # somebody wants to try
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """`threshold` failures in a row open it, for `pause` seconds, doubled up to `longest_pause`."""

    threshold: int = 5
    pause: float = 10.0
    longest_pause: float = 300.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """One moment of a circuit breaker. `until` is when an open one lets a trial through."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    pauses: int = 0
    until: float = 0.0

    def allows(self, now: float) -> bool:
        """Tell whether a try may be made now."""
        match self.state:
            case BreakerState.CLOSED:
                return True
            case BreakerState.OPEN | BreakerState.HALF_OPEN:
                return now >= self.until


def transition(
    breaker: Breaker, event: BreakerEvent, now: float, options: BreakerOptions
) -> Breaker:
    """Return the breaker after an event: all its transitions.

    A trial that is never told of (its process ended) is replaced by another
    once its pause is over, so that no breaker stays half-open for ever.
    """
    pause = min(options.pause * 2.0 ** min(breaker.pauses, 16), options.longest_pause)
    match breaker.state, event:
        case _, BreakerEvent.SUCCEEDED:
            return Breaker()
        case BreakerState.CLOSED, BreakerEvent.FAILED:
            failures = breaker.failures + 1
            if failures < options.threshold:
                return Breaker(failures=failures)
            return Breaker(BreakerState.OPEN, failures, 1, now + options.pause)
        case ((BreakerState.OPEN | BreakerState.HALF_OPEN), BreakerEvent.ASKED) if (
            now >= breaker.until
        ):
            return Breaker(
                BreakerState.HALF_OPEN, breaker.failures, breaker.pauses, now + options.pause
            )
        case BreakerState.HALF_OPEN, BreakerEvent.FAILED:
            return Breaker(BreakerState.OPEN, breaker.failures + 1, breaker.pauses + 1, now + pause)
        case BreakerState.OPEN, BreakerEvent.FAILED:
            # The end of a try that began before it opened.
            return Breaker(BreakerState.OPEN, breaker.failures + 1, breaker.pauses, breaker.until)
        case _:
            return breaker


class CircuitBreaker:
    """A breaker that remembers its moment. Instants are monotonic seconds, passed in."""

    __slots__ = ("_breaker", "_options")

    def __init__(self, options: BreakerOptions | None = None) -> None:
        self._options = options or BreakerOptions()
        self._breaker = Breaker()

    @property
    def state(self) -> BreakerState:
        return self._breaker.state

    @property
    def until(self) -> float:
        """When the next try is allowed, of a breaker that is not closed."""
        return self._breaker.until

    def allows(self, now: float) -> bool:
        """Tell whether a try may begin, and take it: say afterwards how it ended.

        A half-open breaker lets one through.
        """
        allowed = self._breaker.allows(now)
        self._breaker = transition(self._breaker, BreakerEvent.ASKED, now, self._options)
        return allowed

    def succeeded(self, now: float) -> None:
        """A try went well."""
        self._breaker = transition(self._breaker, BreakerEvent.SUCCEEDED, now, self._options)

    def failed(self, now: float) -> None:
        """A try failed for a reason that another try may not have."""
        self._breaker = transition(self._breaker, BreakerEvent.FAILED, now, self._options)
