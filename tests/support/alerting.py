"""The alerting half of the program put together: alerts, mute, routing, notify, on SQLite."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import httpx
from prometheus_client import CollectorRegistry

from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.options import AlertOptions
from controlplane.alerts.provider import Alerts
from controlplane.app.delivering import Replica, build_delivering
from controlplane.app.mirroring import MirrorMetrics, Mirrors
from controlplane.clock import Clock, SystemClock, Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.share import WHOLE, Share
from controlplane.mute.hours import Hours
from controlplane.mute.inhibition import Inhibitor
from controlplane.mute.metrics import MuteMetrics
from controlplane.mute.options import MuteOptions
from controlplane.mute.silences import Silences
from controlplane.notify.channels import Channels
from controlplane.notify.dead_letters import DeadLetterAlerts
from controlplane.notify.integrations.table import Surroundings, build_integrations
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import DeliveryOptions, Receiver
from controlplane.notify.pipeline import Pipeline
from controlplane.notify.rendering import Templates
from controlplane.notify.sweeper import Sweeper
from controlplane.notify.worker import Worker
from controlplane.routing.dispatcher import Dispatcher
from controlplane.routing.metrics import RoutingMetrics
from controlplane.routing.options import Route
from controlplane.routing.ports import always_fresh
from controlplane.routing.tree import build_tree
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.changes import SqlChanges
from controlplane.storage.database import Database
from controlplane.storage.notifications import SqlNotifications
from controlplane.storage.silences import SqlPast, SqlSilences
from controlplane.transport.breaker import BreakerOptions
from controlplane.transport.options import HTTPClientConfig
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.socket_guard import Watch, guarded
from tests.support.sqlite import migrated

EXTERNAL_URL = "http://controlplane.example"


# Retries come quickly, and no breaker gets in the way.
QUICK = DeliveryOptions(first_backoff=20, longest_backoff=100)
_NEVER = MuteOptions()
NEVER_BREAKS = BreakerOptions(threshold=1_000_000)


@dataclass
class Alerting:
    """Everything between an alert and its receivers."""

    db: Database
    clock: Clock
    alerts: Alerts
    silences: Silences
    inhibitor: Inhibitor
    hours: Hours
    dispatcher: Dispatcher
    channels: Channels
    store: SqlNotifications
    worker: Worker
    sweeper: Sweeper
    around: Surroundings
    registry: CollectorRegistry
    pipeline: Pipeline
    mirrors: Mirrors | None = None
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def start(self) -> None:
        """Load what was kept and start the loops."""
        if self.mirrors is not None:
            await self.mirrors.begin()
        await self.silences.load()
        await self.alerts.load()
        self.alerts.announce()
        self.tasks = [
            asyncio.create_task(loop.run())
            for loop in (self.alerts, self.silences, self.dispatcher, self.worker, self.sweeper)
        ]
        if self.mirrors is not None:
            self.tasks.append(asyncio.create_task(self._mirror(self.mirrors)))

    async def reload(
        self, route: Route, receivers: Iterable[Receiver], mute: MuteOptions = _NEVER
    ) -> None:
        """Take up another configuration, as the program does."""
        await self.channels.reload(build_integrations(receivers, self.around))
        kept = self.alerts.list()
        self.inhibitor.reload(mute.inhibit_rules, kept)
        self.hours.reload(mute.time_intervals)
        self.dispatcher.reload(build_tree(route), kept, self.clock.now())

    async def stop(self) -> None:
        """End the loops and the connections."""
        await self.worker.drain(1.0)
        await self.kill()

    async def kill(self) -> None:
        """End the loops and the connections without ado: what is under way is cut off."""
        await self.worker.drain(0.0)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []
        if self.mirrors is not None:
            await self.mirrors.drain()
        await self.channels.close()
        await self.db.close()

    async def _mirror(self, mirrors: Mirrors) -> None:
        """Look often at what others have written."""
        while True:
            await mirrors.fresh()
            await SystemClock().sleep(0.03)


async def plain_dial(host: str, port: int, *, timeout: float) -> socket.socket:
    """Connect as the standard library does."""
    sock = socket.socket()
    sock.setblocking(False)
    async with asyncio.timeout(timeout):
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    return sock


def plain_client(_config: HTTPClientConfig) -> httpx.AsyncClient:
    """Return a client without any policy."""
    return httpx.AsyncClient(timeout=httpx.Timeout(10.0))


def plain_guard() -> AbstractContextManager[Watch]:
    """Watch sockets, and deny none."""
    return guarded(OutboundPolicy(()))


@asynccontextmanager
async def alerting(
    directory: Path,
    route: Route,
    receivers: Sequence[Receiver],
    *,
    clock: Clock | None = None,
    options: DeliveryOptions | None = None,
    alert_options: AlertOptions | None = None,
    breaker: BreakerOptions = NEVER_BREAKS,
    owner: str = "test",
    start: bool = True,
    around: Surroundings | None = None,
    tell_deaths: bool = True,
    mute: MuteOptions = _NEVER,
    url: str = "",
    share: Share = WHOLE,
    longest_sleep: float | None = None,
) -> AsyncIterator[Alerting]:
    """Put the parts together on the SQLite file in `directory`; stop them at the end.

    With a `url` they are on that database, and with a `share` one of several
    replicas there, which look at each other's alerts before they act.
    """
    db = Database(url or migrated(directory / "controlplane.db"))
    clock = clock or SystemClock()
    options = options or QUICK
    registry = CollectorRegistry()
    store = SqlNotifications(db)
    around = around or Surroundings(
        Templates(external_url=EXTERNAL_URL),
        plain_client,
        aiohttp.TCPConnector,
        plain_dial,
        plain_guard,
    )
    channels = Channels(build_integrations(receivers, around))
    alerts = Alerts(SqlAlerts(db), clock, AlertMetrics(registry), alert_options, share)

    silences = Silences(
        SqlSilences(db),
        clock,
        MuteMetrics(registry),
        firing=lambda: alerts.list(AlertStatus.FIRING),
        past=SqlPast(db),
    )
    handlers = {"alert": alerts.refresh, "silence": silences.refresh}
    mirrors = Mirrors(SqlChanges(db), handlers, clock, MirrorMetrics(registry))
    fresh = always_fresh if share is WHOLE else mirrors.fresh
    inhibitor, hours = Inhibitor(mute.inhibit_rules), Hours(mute.time_intervals)
    for subscriber in (inhibitor.heard, silences.heard):
        alerts.subscribe(subscriber)
    delivering = build_delivering(
        route,
        channels,
        store,
        alerts,
        clock=clock,
        replica=Replica(owner, share=share, fresh=fresh),
        options=options,
        metrics=NotifyMetrics(registry),
        routing_metrics=RoutingMetrics(registry),
        muters=(silences, inhibitor, hours),
        dead_letters=DeadLetterAlerts(alerts, alerts.get, clock) if tell_deaths else None,
        breaker=breaker,
        longest_sleep=longest_sleep,
    )
    whole = Alerting(
        db,
        clock,
        alerts,
        silences,
        inhibitor,
        hours,
        delivering.dispatcher,
        channels,
        store,
        delivering.worker,
        delivering.sweeper,
        around,
        registry,
        delivering.pipeline,
        None if share is WHOLE else mirrors,
    )
    try:
        if start:
            await whole.start()
        yield whole
    finally:
        await whole.stop()


def firing(now: Timestamp, *, lasts: int = 3_600_000, **labels: str) -> Alert:
    """Return an alert that fires from `now` on."""
    named = Labels({"alertname": "Broken", **labels})
    summary = Labels({"summary": f"{named.value('alertname')} {labels}"})
    return Alert(named, now, now + lasts, now, annotations=summary, correlation_id="c0ffee")


def resolved(alert: Alert, now: Timestamp) -> Alert:
    """Return the same alert, ended now."""
    return Alert(
        alert.labels, alert.starts_at, now, now, annotations=alert.annotations, correlation_id="c1"
    )
