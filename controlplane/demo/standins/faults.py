"""The ways in which a service fails."""

from dataclasses import dataclass
from enum import StrEnum


class Manner(StrEnum):
    """What the other side sees."""

    ANSWER = "answer"  # an error status
    HANG = "hang"  # nothing, for a while
    RESET = "reset"  # the connection is cut


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure. With `after` the request is obeyed first, and only the answer is lost."""

    manner: Manner
    status: int = 500
    retry_after: str = ""
    seconds: float = 60.0
    after: bool = False

    @classmethod
    def answer(cls, status: int, *, after: bool = False) -> "Fault":
        """Answer with an error status."""
        return cls(Manner.ANSWER, status=status, after=after)

    @classmethod
    def rate_limited(cls, retry_after: float | str = 1) -> "Fault":
        """Answer 429 with a `Retry-After` of seconds, or of an HTTP date."""
        return cls(Manner.ANSWER, status=429, retry_after=str(retry_after))

    @classmethod
    def hang(cls, seconds: float = 60.0, *, after: bool = False) -> "Fault":
        """Say nothing for so long, then cut the connection."""
        return cls(Manner.HANG, seconds=seconds, after=after)

    @classmethod
    def reset(cls, *, after: bool = False) -> "Fault":
        """Cut the connection at once."""
        return cls(Manner.RESET, after=after)
