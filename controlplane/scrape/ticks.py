"""When a target is scraped: its own fixed slots, spread over the interval by hash."""

import hashlib

from controlplane.clock import Duration, Timestamp


def offset_of(key: str, interval: Duration) -> Duration:
    """Return where in its interval a target's slots lie: stable between restarts."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % interval


def next_tick(now: Timestamp, interval: Duration, offset: Duration) -> Timestamp:
    """Return the first slot after `now`."""
    return now - (now - offset) % interval + interval


def sample_time(tick: Timestamp, now: Timestamp, interval: Duration) -> Timestamp:
    """Return the instant that samples get: the slot's own when it was hardly missed.

    Even distances compress better; Prometheus does the same within 2 ms.
    """
    tolerance = min(interval // 100, 20)
    return tick if 0 <= now - tick <= tolerance else now
