"""When a rule group is due: fixed slots, spread over the interval by a stable hash."""

import hashlib

from controlplane.clock import Duration, Timestamp


def slot_offset(key: str, interval: Duration) -> Duration:
    """Return where in the interval the slots of a group lie, the same after each restart."""
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") % interval


def slot(now: Timestamp, interval: Duration, offset: Duration) -> Timestamp:
    """Return the newest slot that has come: `now - ((now - offset) % interval)`."""
    return now - ((now - offset) % interval)
