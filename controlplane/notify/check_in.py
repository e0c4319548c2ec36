"""A dead man's switch: somebody else's monitor hears from us for as long as we can tell anybody.

It is the monitor that raises the alarm, when we have fallen silent.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import MINUTE, SECOND
from controlplane.model.secret import Secret
from controlplane.transport.options import HTTPClientConfig

METHODS: Final = ("GET", "HEAD", "POST")


@dataclass(frozen=True, slots=True)
class CheckInOptions:
    """One entry of `check_ins`. `fail_url` is told when something is wrong."""

    name: str
    url: Secret
    fail_url: Secret | None = None
    interval: Duration = MINUTE
    timeout: Duration = 10 * SECOND
    method: str = "GET"
    http_config: HTTPClientConfig = field(default_factory=HTTPClientConfig)

    def __post_init__(self) -> None:
        if self.timeout > self.interval:
            raise InvalidInput("timeout is longer than interval", pointer="/timeout")


class Result(StrEnum):
    """What came of one turn."""

    SENT = "sent"
    FAILED = "failed"  # all was well, and the monitor could not be told so
    WITHHELD = "withheld"  # something was wrong, so that it was not told


@dataclass(frozen=True, slots=True)
class CheckInStatus:
    """The last turn of a check-in; `problem` is what was wrong, with us or on the way."""

    name: str
    result: Result
    at: Timestamp
    problem: str = ""
