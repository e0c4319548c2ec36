"""What a status page shows: plain values, which can be written down and read again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from controlplane.clock import Timestamp
from controlplane.uptime.incident import Impact, Incident, Stage, Update
from controlplane.uptime.reading import Bar, total


class ServiceState(StrEnum):
    """How a service, a group or a page stands, for the public."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service, or the average of a group, with a bar for each of the last days."""

    name: str
    state: ServiceState
    bars: tuple[Bar, ...] = ()

    @property
    def ratio(self) -> float | None:
        """The uptime of all bars together."""
        return total(self.bars).ratio


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group with its services by name."""

    whole: ServiceView
    services: tuple[ServiceView, ...]

    @property
    def name(self) -> str:
        return self.whole.name


@dataclass(frozen=True, slots=True)
class MaintenanceView:
    """Planned maintenance that is under way or to come, with the services that it concerns."""

    id: str
    title: str
    text: str
    starts_at: Timestamp
    ends_at: Timestamp | None
    under_way: bool
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageView:
    """Everything that a status page says, as it was at `at`.

    `read_at` is when the database last answered: history, incidents and
    maintenance are as of then. `incidents` begin with the newest.
    """

    name: str
    title: str
    text: str
    state: ServiceState
    groups: tuple[GroupView, ...]
    incidents: tuple[Incident, ...]
    maintenance: tuple[MaintenanceView, ...]
    at: Timestamp
    read_at: Timestamp

    def service(self, name: str) -> ServiceView | None:
        """Return the service or the group of that name; a service goes before a group."""
        services = [service for group in self.groups for service in group.services]
        wholes = [group.whole for group in self.groups]
        return next((each for each in (*services, *wholes) if each.name == name), None)

    def open_incidents(self) -> Sequence[Incident]:
        """Return the incidents that are not over."""
        return [each for each in self.incidents if each.resolved_at is None]

    def past_incidents(self) -> Sequence[Incident]:
        """Return those that are."""
        return [each for each in self.incidents if each.resolved_at is not None]


def document_of(view: PageView) -> dict[str, Any]:
    """Return a view as JSON can hold it."""
    return asdict(view)


def view_of(document: Mapping[str, Any]) -> PageView:
    """Return the view of a document. Raises TypeError, KeyError or ValueError for any other."""
    plain = dict(document)
    return PageView(
        **plain
        | {
            "state": ServiceState(plain["state"]),
            "groups": tuple(
                GroupView(_service(each["whole"]), tuple(map(_service, each["services"])))
                for each in plain["groups"]
            ),
            "incidents": tuple(map(_incident, plain["incidents"])),
            "maintenance": tuple(
                MaintenanceView(**each | {"services": tuple(each["services"])})
                for each in plain["maintenance"]
            ),
        }
    )


def _service(document: Mapping[str, Any]) -> ServiceView:
    bars = tuple(Bar(**bar) for bar in document["bars"])
    return ServiceView(document["name"], ServiceState(document["state"]), bars)


def _incident(document: Mapping[str, Any]) -> Incident:
    updates = tuple(
        Update(**each | {"stage": Stage(each["stage"])}) for each in document["updates"]
    )
    return Incident(
        document["id"],
        document["title"],
        Impact(document["impact"]),
        tuple(document["pages"]),
        tuple(document["services"]),
        updates,
    )
