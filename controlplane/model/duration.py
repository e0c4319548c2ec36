"""Durations and instants as text: Prometheus durations, RFC 3339 times."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# In the order in which a duration must name them.
_UNITS: Final = (
    ("y", 365 * DAY),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", 1),
)
_DURATION: Final = re.compile("".join(rf"(?:(\d+){unit})?" for unit, _ in _UNITS) + r"\Z")
_LONGEST: Final = (1 << 63) // 1_000_000


def parse_duration(text: str) -> Duration:
    """Return milliseconds for a Prometheus duration such as `1m30s`; `0` needs no unit.

    Raises InvalidInput.
    """
    if text == "0":
        return 0
    # No sensible duration is longer, and the digits of a long one take time to read.
    match = _DURATION.match(text) if len(text) <= 80 else None
    if not text or match is None:
        raise InvalidInput(f"not a valid duration: {text[:80]!r} (write it like 30s, 5m or 1h30m)")
    parts = zip(match.groups(), _UNITS, strict=True)
    total = sum(int(count) * size for count, (_, size) in parts if count)
    if total > _LONGEST:
        raise InvalidInput(f"duration out of range: {text!r}")
    return total


def format_duration(duration: Duration) -> str:
    """Return the shortest Prometheus text for milliseconds: 90000 is `1m30s`."""
    if duration == 0:
        return "0s"
    sign, rest, parts = ("-", -duration, []) if duration < 0 else ("", duration, [])
    for unit, size in _UNITS:
        # Years and weeks only where they divide exactly, as Prometheus prints them.
        if unit in ("y", "w") and rest % size:
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts)


def parse_time(text: str) -> Timestamp:
    """Return the instant of an RFC 3339 text. Raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"not an RFC 3339 time: {text!r}") from None
    if moment.tzinfo is None:
        raise InvalidInput(f"a time needs a zone, such as Z: {text!r}")
    return round(moment.timestamp() * 1000)


def format_time(instant: Timestamp) -> str:
    """Return an instant as RFC 3339 in UTC with milliseconds."""
    seconds, milliseconds = divmod(instant, 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    """Return the part that the many times of a list mostly share."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()[:19]
