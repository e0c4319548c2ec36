"""Everything the HTTP surface may reach, handed over whole by the composition root."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from controlplane.alerts.ledger import Ledger
from controlplane.alerts.provider import Alerts
from controlplane.api.cache import Cache
from controlplane.api.fresh import at_once
from controlplane.api.query_pool import QueryPool
from controlplane.autoscale.autoscaler import Autoscaler
from controlplane.autoscale.policies import Policies
from controlplane.autoscale.ports import RangeFunc
from controlplane.clock import Clock, Timestamp
from controlplane.config.standing import Standing
from controlplane.events.ports import Bus
from controlplane.ingest.receiver import Receiver
from controlplane.model.job import JobRun, JobStatus
from controlplane.model.labels import Labels
from controlplane.model.member import Member
from controlplane.model.share import ALL_ROLES, Role
from controlplane.mute.silences import Silences
from controlplane.notify.integrations.slack.interactions import Interactions
from controlplane.notify.message import Message
from controlplane.notify.ports import NotificationStore
from controlplane.notify.trying import Trying
from controlplane.probes.options import Module
from controlplane.probes.prober import Tools
from controlplane.promql.engine import Engine
from controlplane.routing.ports import Flush
from controlplane.rules.status import GroupStatus
from controlplane.scrape.exposition.page import Metadata
from controlplane.scrape.job import ScrapeStatus
from controlplane.scrape.pool import DroppedTargets
from controlplane.targets.failures import FailureLog
from controlplane.targets.registry import TargetRegistry
from controlplane.tsdb.ports import Deleter, Queryable
from controlplane.tsdb.remote.engines import Engine as RemoteEngine
from controlplane.uptime.incidents import Incidents
from controlplane.uptime.pages import StatusPages
from controlplane.uptime.plans import Plans
from controlplane.uptime.reading import Uptime

# Returns an empty text when all is well, else what is wrong. It may raise.
Check = Callable[[], Awaitable[str]]


class ScheduledJobs(Protocol):
    """What runs by the clock besides probes and rules. All raise Unavailable."""

    async def statuses(self) -> Sequence[JobStatus]:
        """Return all jobs by name, each with its last run."""
        ...

    async def dead(self, *, before: int | None, limit: int) -> Sequence[JobRun]:
        """Return runs that were given up, the newest first, with ids below `before`."""
        ...

    async def redrive(self, run_id: int) -> JobRun:
        """Have a run that was given up tried again. Raises NotFound, Conflict."""
        ...


@dataclass(frozen=True, slots=True)
class Surface:
    """The service behind the API. Without a `deleter` nobody may delete samples."""

    clock: Clock
    bus: Bus
    cache: Cache
    registry: CollectorRegistry
    queries: QueryPool
    engine: Engine
    store: Queryable
    deleter: Deleter | None
    targets: TargetRegistry
    failures: FailureLog
    alerts: Alerts
    ledger: Ledger
    notifications: NotificationStore
    rules: Callable[[], Sequence[GroupStatus]]
    autoscaler: Autoscaler
    scaling_policies: Policies
    # Asks for what policies saw.
    scaling_history: RangeFunc
    scrapes: Callable[[], Sequence[ScrapeStatus]]
    dropped: Callable[[], Sequence[DroppedTargets]]
    receivers_of: Callable[[Labels], Sequence[str]]
    redrive: Callable[[int, Timestamp], Awaitable[Message]]
    silences: Silences
    slack: Interactions
    # Returns the ids of the silences, and the fingerprints of the alerts, that mute a label set.
    muting: Callable[[Labels, Timestamp], tuple[Sequence[str], Sequence[str]]]
    # Returns the groups that hold alerts, and the intervals that keep one from being told.
    groups: Callable[[Timestamp], Sequence[Flush]]
    # Returns how many groups there are, and how many alerts they hold together.
    groups_size: Callable[[], tuple[int, int]]
    outside_hours: Callable[[Flush], Sequence[str]]
    receivers: Callable[[], Sequence[str]]
    receiver_labels: Callable[[], Mapping[str, Labels]]
    # Writes the labels of a group's route.
    route_labels: Callable[[Flush], Awaitable[Mapping[str, str]]]
    trying: Trying
    alerting_configuration: Callable[[], str]
    started: Timestamp
    reload: Callable[[], Awaitable[None]]
    # Reads all rules: not on the event loop.
    standing: Callable[[], Standing]
    jobs: ScheduledJobs
    tools: Tools
    modules: Callable[[], Mapping[str, Module]]
    checks: Mapping[str, Check]
    receiver: Receiver
    metadata: Callable[[], Sequence[tuple[Labels, Mapping[str, Metadata]]]]
    external_labels: Callable[[], Labels]
    configuration: Callable[[], str]
    flags: Mapping[str, str]
    intake: QueryPool
    # The engine that answers queries in place of ours, if the configuration names one.
    elsewhere: Callable[[], RemoteEngine | None]
    uptime: Uptime
    incidents: Incidents
    maintenance: Plans
    status_pages: StatusPages
    # Where the Grafana with our dashboards is, without a slash at its end; empty: nobody said.
    grafana_url: str
    # Returns when what other replicas changed before is known here.
    fresh: Callable[[], Awaitable[None]] = at_once
    replicas: Callable[[], Sequence[Member]] = tuple
    roles: frozenset[Role] = ALL_ROLES


def surface(request: Request) -> Surface:
    """Return the surface of the application that answers the request."""
    return cast("Surface", request.app.state.surface)


# What every route takes that answers with the surface.
On = Annotated[Surface, Depends(surface)]
