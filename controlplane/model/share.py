"""Whose work something is, where several replicas share it.

Everything that only one replica may do has a key: a target's id, a rule
group's key, a receiver with the labels of an aggregation group. Keys fall into
shards, and a shard has one owner at a time.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Protocol

from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels

# Shards of each role. More would only mean more rows: keys are what is many.
SHARDS: Final = 256


class Role(StrEnum):
    """What a replica does. `api` is shared by all who have it, and so has no shards."""

    API = "api"
    PROBER = "prober"
    EVALUATOR = "evaluator"
    NOTIFIER = "notifier"


ALL_ROLES: Final = frozenset(Role)
# The roles whose work is shared out, in the order in which a sample meets them.
SHARED_ROLES: Final = (Role.PROBER, Role.EVALUATOR, Role.NOTIFIER)


# A change of shares asks of each target, several times over.
@lru_cache(maxsize=1 << 17)
def shard_of(key: str) -> int:
    """Return the shard of a key, 0 to SHARDS - 1: the same in every process and version."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) % SHARDS


def notifier_key(receiver: str, group_labels: Labels) -> str:
    """Return the key of what a receiver is told of the alerts with these group labels.

    The labels and not the group's key: an incident that passes to a group by
    another route, because their labels are the same, stays with its owner.
    """
    return f"{receiver}\0{group_labels.fingerprint()}"


class Share(Protocol):
    """This replica's part of the work of one role. Belongs to the event loop."""

    def owns(self, key: str) -> bool:
        """Tell whether a key is this replica's work now."""
        ...

    def fence(self, keys: Iterable[str]) -> Fence:
        """Return what must still hold when a decision on these keys, made now, is written.

        Raises Fenced when one of them is not this replica's.
        """
        ...

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have `changed` called, on the event loop, each time that the part has become another."""
        ...


class Whole:
    """The Share of one who does everything alone."""

    def owns(self, key: str) -> bool:  # noqa: ARG002 - whichever it is
        return True

    def fence(self, keys: Iterable[str]) -> Fence:  # noqa: ARG002 - nobody could take them
        return OPEN

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Nothing ever changes."""


WHOLE: Final[Share] = Whole()
