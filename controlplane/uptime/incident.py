"""An incident as a person tells it: what is wrong, what was found out, that it is over."""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.clock import Timestamp


class Stage(StrEnum):
    """How far those who work on it are."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Impact(StrEnum):
    """What an incident does to the services it names, whatever probes say."""

    NONE = "none"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Update:
    """What a person wrote at a time."""

    at: Timestamp
    stage: Stage
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident with its updates, the oldest first; there is always one.

    Without `pages` it is on every page. `services` are names of services or
    groups as the pages have them.
    """

    id: str
    title: str
    impact: Impact
    pages: tuple[str, ...]
    services: tuple[str, ...]
    updates: tuple[Update, ...]

    @property
    def created_at(self) -> Timestamp:
        return self.updates[0].at

    @property
    def updated_at(self) -> Timestamp:
        return self.updates[-1].at

    @property
    def stage(self) -> Stage:
        return self.updates[-1].stage

    @property
    def resolved_at(self) -> Timestamp | None:
        """When it was over, None while it is not."""
        return self.updated_at if self.stage is Stage.RESOLVED else None

    def is_on(self, page: str) -> bool:
        """Tell whether a page shows it."""
        return not self.pages or page in self.pages
