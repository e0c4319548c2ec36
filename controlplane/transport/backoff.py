"""How long to wait before trying again: exponential with jitter, or as the server says.

The jitter is the full one of Marc Brooker's "Exponential Backoff And Jitter"
(AWS Architecture Blog, 2015). The source of randomness is passed in.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

from controlplane.clock import Duration, Timestamp

_MOST_DOUBLINGS: Final = 32
_LONGEST_RETRY_AFTER: Final[Duration] = 24 * 3_600_000


def backoff(attempts: int, *, first: Duration, longest: Duration, chance: Random) -> Duration:
    """Return the wait after so many failed attempts (from 1), with full jitter.

    Anything up to a ceiling that begins at `first` and doubles up to
    `longest`; at least a tenth of it, so that nothing is tried at once.
    """
    ceiling = max(1, min(longest, first << min(max(attempts - 1, 0), _MOST_DOUBLINGS)))
    return chance.randint(max(1, ceiling // 10), ceiling)


def retry_after(value: str | None, now: Timestamp) -> Duration | None:
    """Return what a Retry-After header asks for: seconds or an HTTP date (RFC 9110, 10.2.3).

    None without a header or for one that cannot be read; a date that is past
    is 0. More than a day is taken as a day.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:12]) * 1000, _LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait = round(moment.timestamp() * 1000) - now
    return min(max(wait, 0), _LONGEST_RETRY_AFTER)
