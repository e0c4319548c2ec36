"""An event, and the kinds there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.clock import Timestamp

# Small, and fit for JSON.
Data = Mapping[str, str | int | float | bool | None]


class Kind(StrEnum):
    """What an event is about; the names are part of the API."""

    TARGET = "target"  # a target appeared, changed, went up or down, or was removed
    ALERT = "alert"  # an alert is pending, fires, ended, or is suppressed
    NOTIFICATION = "notification"  # a message was sent, failed or died
    SILENCE = "silence"
    RULES = "rules"  # a group was loaded or its health changed
    CONFIG = "config"  # a reload, good or bad
    INCIDENT = "incident"  # on a status page
    RESET = "reset"  # events were missed: read everything anew


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to `subject` (a target's id, an alert's fingerprint ...).

    `id` is what a listener resumes after; whoever publishes leaves it empty.
    """

    kind: Kind
    subject: str
    time: Timestamp
    data: Data = field(default_factory=dict)
    id: str = ""
