"""A timing wheel: who is due when, in buckets of some milliseconds.

Pure: time is an argument. Putting in, taking out and finding what is due cost
the same however many there are.
"""

import heapq
from collections.abc import Hashable
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from controlplane.clock import Duration, Timestamp

GRAIN: Final[Duration] = 20  # milliseconds a bucket

K = TypeVar("K", bound=Hashable)


def phase(key: str, interval: Duration) -> Duration:
    """Return where in its interval `key` has its slot: the same in every process."""
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % interval


def slot_at(now: Timestamp, interval: Duration, offset: Duration) -> Timestamp:
    """Return the newest slot that has begun at `now`."""
    return now - (now - offset) % interval


class Wheel(Generic[K]):
    """Keys by the instant at which each is due; a key is due once, until put in again."""

    __slots__ = ("_buckets", "_due", "_order")

    def __init__(self) -> None:
        self._buckets: dict[int, list[K]] = {}
        self._order: list[int] = []  # a heap of the buckets that there are
        self._due: dict[K, Timestamp] = {}

    def __len__(self) -> int:
        return len(self._due)

    def put(self, key: K, due: Timestamp) -> None:
        """Make `key` due at `due`, and at no other time."""
        self._due[key] = due
        number = -(-due // GRAIN)  # rounded up: never before its time
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = []
            heapq.heappush(self._order, number)
        bucket.append(key)

    def remove(self, key: K) -> Timestamp | None:
        """Make `key` never due; return when it was, None when it is not there."""
        # Its place in a bucket is left to be passed over.
        return self._due.pop(key, None)

    def take(self, now: Timestamp) -> list[tuple[K, Timestamp]]:
        """Take out all that is due, with the instants they were due at."""
        taken: list[tuple[K, Timestamp]] = []
        last = now // GRAIN
        while self._order and self._order[0] <= last:
            number = heapq.heappop(self._order)
            for key in self._buckets.pop(number):
                due = self._due.get(key)
                if due is not None and -(-due // GRAIN) == number:
                    del self._due[key]
                    taken.append((key, due))
        return taken

    def next_at(self) -> Timestamp | None:
        """Return when to look again, None when nothing is in the wheel."""
        return self._order[0] * GRAIN if self._order else None

    def clear(self) -> list[K]:
        """Take out everything."""
        keys = list(self._due)
        self._due.clear()
        self._buckets.clear()
        self._order.clear()
        return keys
