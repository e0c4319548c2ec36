"""Every error that crosses a package border, as one tree.

    ControlPlaneError
    ├── InvalidInput      what was sent or written cannot be used
    │   ├── InvalidFields something sent: every problem with its pointer
    │   ├── ConfigError   a file: every problem with its file and line
    │   └── ParseError    a text: the place inside it
    ├── NotFound          no such thing
    ├── Conflict          it exists, or something else owns it
    │   ├── Fenced        another replica has taken over: do not write, do not try again
    │   └── Outdated      another replica changed it meanwhile: look again, decide again
    ├── Unauthorized      no, or a wrong, credential
    ├── Forbidden         a policy says no
    ├── TooLarge          over a stated limit of size
    ├── Overloaded        a bounded queue is full; try again later
    ├── Throttled         somebody asks for it too often; try again later
    ├── Unavailable       something that we depend on does not answer
    └── DeadlineExceeded  the work took longer than it was allowed to

`api/problems.py` is the one place that maps the tree to HTTP. A failed probe
or scrape is no error but a sample with a reason.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


class ControlPlaneError(Exception):
    """The root: nothing of ours raises anything else across a border."""


class InvalidInput(ControlPlaneError):
    """Input that cannot be used; `pointer` is an RFC 6901 path into it, or empty."""

    def __init__(self, reason: str, *, pointer: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Place:
    """One thing wrong with what was sent: an RFC 6901 pointer, and what to do."""

    pointer: str
    reason: str


class InvalidFields(InvalidInput):
    """Something that was sent and cannot be used, with all its problems."""

    def __init__(self, places: Sequence[Place]) -> None:
        super().__init__("; ".join(f"{each.pointer or 'body'}: {each.reason}" for each in places))
        self.places = tuple(places)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file: where it stands (line from 1) and what to do."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class ConfigError(InvalidInput):
    """A configuration or rule file that cannot be used, with all its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ParseError(InvalidInput):
    """A text that breaks its grammar; line and column count from 1."""

    def __init__(self, reason: str, *, line: int, column: int) -> None:
        super().__init__(f"{line}:{column}: parse error: {reason}")
        self.detail = reason
        self.line = line
        self.column = column


class NotFound(ControlPlaneError):
    """There is no such thing."""


class Conflict(ControlPlaneError):
    """The thing exists already, changed meanwhile, or is owned by a file."""


class Fenced(Conflict):
    """It is another replica's now: what this one decided before must not be written."""


class Outdated(Conflict):
    """What a change was decided on is not what is kept: read it anew, then decide again.

    `keys` name what differs; none means that it is not known what does.
    """

    def __init__(self, reason: str, keys: Collection[str] = ()) -> None:
        super().__init__(reason)
        self.keys = frozenset(keys)


class Unauthorized(ControlPlaneError):
    """No credential, or one that is not valid."""


class Forbidden(ControlPlaneError):
    """A policy refuses the request."""


class TooLarge(ControlPlaneError):
    """Something is over a stated limit of size."""


class Overloaded(ControlPlaneError):
    """A bounded queue is full; the caller may try again after `retry_after` seconds."""

    def __init__(self, reason: str, *, retry_after: float = 1.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Throttled(ControlPlaneError):
    """It was asked for too often; the caller may try again after `retry_after` seconds."""

    def __init__(self, reason: str, *, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unavailable(ControlPlaneError):
    """A dependency does not answer."""


class DeadlineExceeded(ControlPlaneError):
    """The work was stopped because its time was up."""
