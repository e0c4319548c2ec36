"""The circuit breaker: every transition, by passing time in."""

import pytest

from controlplane.transport.breaker import (
    Breaker,
    BreakerEvent,
    BreakerOptions,
    BreakerState,
    CircuitBreaker,
    transition,
)

OPTIONS = BreakerOptions(threshold=2, pause=10.0, longest_pause=25.0)
CLOSED, OPEN, HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
ASKED, GOOD, BAD = BreakerEvent.ASKED, BreakerEvent.SUCCEEDED, BreakerEvent.FAILED


@pytest.mark.parametrize(
    ("before", "event", "now", "after"),
    [
        (Breaker(), ASKED, 0.0, Breaker()),
        (Breaker(), BAD, 0.0, Breaker(failures=1)),
        (Breaker(failures=1), GOOD, 0.0, Breaker()),
        (Breaker(failures=1), BAD, 5.0, Breaker(OPEN, 2, 1, 15.0)),
        (Breaker(OPEN, 2, 1, 15.0), ASKED, 14.9, Breaker(OPEN, 2, 1, 15.0)),
        (Breaker(OPEN, 2, 1, 15.0), BAD, 6.0, Breaker(OPEN, 3, 1, 15.0)),
        (Breaker(OPEN, 2, 1, 15.0), GOOD, 6.0, Breaker()),
        (Breaker(OPEN, 2, 1, 15.0), ASKED, 15.0, Breaker(HALF, 2, 1, 25.0)),
        (Breaker(HALF, 2, 1, 25.0), ASKED, 20.0, Breaker(HALF, 2, 1, 25.0)),
        (Breaker(HALF, 2, 1, 25.0), ASKED, 25.0, Breaker(HALF, 2, 1, 35.0)),
        (Breaker(HALF, 2, 1, 25.0), GOOD, 20.0, Breaker()),
        (Breaker(HALF, 2, 1, 25.0), BAD, 20.0, Breaker(OPEN, 3, 2, 40.0)),
        (Breaker(HALF, 3, 2, 50.0), BAD, 50.0, Breaker(OPEN, 4, 3, 75.0)),
        (Breaker(HALF, 9, 99, 50.0), BAD, 50.0, Breaker(OPEN, 10, 100, 75.0)),
    ],
)
def test_transitions(before: Breaker, event: BreakerEvent, now: float, after: Breaker) -> None:
    """Opens at the threshold, pauses twice as long each time, closes with a success."""
    assert transition(before, event, now, OPTIONS) == after


def test_one_trial_at_a_time() -> None:
    """A half-open breaker lets one through, and another when that one was never heard of."""
    breaker = CircuitBreaker(OPTIONS)
    for _ in range(2):
        assert breaker.allows(0.0)
        breaker.failed(0.0)
    assert (breaker.state, breaker.until) == (OPEN, 10.0)
    assert [breaker.allows(now) for now in (9.9, 10.0, 10.0, 19.9, 20.0)] == [
        False, True, False, False, True,
    ]  # fmt: skip
    breaker.succeeded(21.0)
    assert breaker.state is CLOSED
    assert breaker.allows(21.0)
