"""Waits before another try: their bounds, their spread, and the server's own wish."""

from random import Random

import pytest

from controlplane.transport.backoff import backoff, retry_after

NOW = 1_767_225_600_000  # Thu, 01 Jan 2026 00:00:00 GMT
DAY = 86_400_000


@pytest.mark.parametrize(
    ("attempts", "ceiling"),
    [(0, 1000), (1, 1000), (2, 2000), (3, 4000), (9, 60_000), (500, 60_000)],
)
def test_ceiling_doubles(attempts: int, ceiling: int) -> None:
    """Waits fill the range from a tenth of the ceiling up to it."""
    chance = Random(1)
    waits = [backoff(attempts, first=1000, longest=60_000, chance=chance) for _ in range(2000)]
    assert ceiling // 10 <= min(waits) < ceiling // 5
    assert ceiling * 9 // 10 < max(waits) <= ceiling


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("5", 5000),
        (" 0 ", 0),
        ("99999999999999999999", DAY),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30_000),
        ("Thu, 01 Jan 2026 00:00:30", 30_000),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0),
        ("Fri, 01 Jan 2027 00:00:00 GMT", DAY),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
    ],
)
def test_retry_after(value: str | None, wait: int | None) -> None:
    """Seconds or a date, at most a day; what cannot be read is nothing."""
    assert retry_after(value, NOW) == wait
