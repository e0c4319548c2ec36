"""What a replica must still own when that which it decided is written down.

A replica that was thought dead may only have been paused. What it decided
before, on a state that others have changed since, must not be written: so each
move of a share takes a new number from the database, and a transaction with an
old one is refused (a fencing token; Kleppmann, "How to do distributed locking",
2016).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple


class Token(NamedTuple):
    """One share as it was held: `number` grows each time that it changes hands."""

    role: str
    shard: int
    number: int


@dataclass(frozen=True, slots=True)
class Fence:
    """The shares behind a decision. An empty fence refuses nothing: there is one replica."""

    tokens: frozenset[Token] = frozenset()

    def __or__(self, other: "Fence") -> "Fence":
        """Return the fence of what was decided by both."""
        return Fence(self.tokens | other.tokens) if other.tokens else self

    def __bool__(self) -> bool:
        return bool(self.tokens)


OPEN: Final = Fence()
