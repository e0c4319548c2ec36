"""The way of an alert, from whoever raises it to the receivers that are told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from prometheus_client import CollectorRegistry

from controlplane.alerts.ledger import Ledger
from controlplane.alerts.metrics import AlertMetrics, LedgerMetrics
from controlplane.alerts.provider import Alerts
from controlplane.app.deciding import Deciding
from controlplane.app.delivering import Replica, build_delivering
from controlplane.app.notifying import Senders
from controlplane.app.silencing import Silencing
from controlplane.app.storms import Storms, build_storms
from controlplane.app.supervisor import Supervisor
from controlplane.clock import Clock, Timestamp
from controlplane.config.config import Config
from controlplane.model.alert import AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.origin import Origin
from controlplane.model.secret import Secret
from controlplane.model.share import Role
from controlplane.mute.hours import Hours
from controlplane.mute.inhibition import Inhibitor
from controlplane.mute.metrics import MuteMetrics
from controlplane.mute.ports import LastOutcome
from controlplane.mute.silences import Silences
from controlplane.notify.changes import Changes
from controlplane.notify.channels import Channel, Channels
from controlplane.notify.dead_letters import DeadLetterAlerts
from controlplane.notify.delivery import redrive
from controlplane.notify.integrations.slack.interactions import Interactions
from controlplane.notify.integrations.slack.metrics import SlackMetrics
from controlplane.notify.message import Message
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.pipeline import Pipeline
from controlplane.notify.ports import Integration, Interactive, NotificationStore
from controlplane.notify.silence_news import SilenceNews
from controlplane.notify.sweeper import Sweeper
from controlplane.notify.worker import Worker
from controlplane.routing.dispatcher import Dispatcher
from controlplane.routing.metrics import RoutingMetrics
from controlplane.routing.tree import build_tree
from controlplane.storage.alerts import SqlAlerts
from controlplane.storage.database import Database
from controlplane.storage.ledger import SqlLedger
from controlplane.storage.notifications import SqlNotifications
from controlplane.storage.silences import SqlPast, SqlSilences


@dataclass(frozen=True, slots=True)
class Alerting:
    """Everything between an alert and its receivers, made and wired."""

    clock: Clock
    replica: Replica
    senders: Senders
    alerts: Alerts
    ledger: Ledger
    deciding: Deciding
    silences: Silences
    inhibitor: Inhibitor
    hours: Hours
    storms: Storms
    dispatcher: Dispatcher
    channels: Channels
    notifications: NotificationStore
    worker: Worker
    pipeline: Pipeline
    sweeper: Sweeper
    silence_news: SilenceNews
    changes: Changes
    interactions: Interactions

    async def begin(self) -> None:
        """Take up what was kept: first what mutes, then what is muted. Raises Unavailable."""
        await self.silences.load()
        await self.alerts.load()
        await self.ledger.load(self.alerts.list())
        self.alerts.announce()

    async def change(
        self, config: Config, integrations: Mapping[str, Sequence[Integration]]
    ) -> None:
        """Put another configuration in force: whom to tell, by which routes, and when not."""
        self.alerts.reload(config.alert_options())
        for part in (self.pipeline, self.worker, self.sweeper, self.silence_news):
            part.configure(config.notification_settings)
        await self.channels.reload(integrations)
        # From here on nothing waits: no group is due between its old hours and its new ones.
        mute, kept = config.mute_options(), self.alerts.list()
        self.inhibitor.reload(mute.inhibit_rules, kept)
        self.hours.reload(mute.time_intervals)
        self.silences.configure(config.silence_settings)
        now = self.clock.now()
        self.storms.reload(config, mute, kept, now)
        self.dispatcher.reload(build_tree(config.route), kept, now)

    def start(self, supervisor: Supervisor, grace: float) -> None:
        """Set everything in motion; `grace` is how many seconds deliveries have at the end.

        A replica that is no notifier sends nothing; it knows all groups, as every other one.
        """
        supervisor.start("ledger", self.ledger.run, drain=self.ledger.drain)
        if Role.NOTIFIER in self.replica.roles:
            supervisor.start("worker", self.worker.run, drain=lambda: self.worker.drain(grace))
            supervisor.start("sweeper", self.sweeper.run)
            supervisor.start("silence news", self.silence_news.run)
            supervisor.start("changes", self.changes.run)
        supervisor.start("silences", self.silences.run)
        supervisor.start("own network", self.storms.network.run)
        supervisor.start("dispatcher", self.dispatcher.run)
        supervisor.start("alerts", self.alerts.run)

    def muting(self, labels: Labels, now: Timestamp) -> tuple[Sequence[str], Sequence[str]]:
        """Return the silences, and the alerts or targets, that mute an alert with these labels."""
        inhibited = self.inhibitor.muting(labels, now)
        depends = self.storms.dependencies.muting(labels, now)
        return self.silences.muting(labels, now), (*inhibited, *depends)

    async def redrive(self, message_id: int, now: Timestamp) -> Message:
        """Queue a dead letter again. Raises NotFound, Conflict, Unavailable."""
        message = await redrive(
            self.notifications, message_id, max_age=self.worker.options.max_age, now=now
        )
        self.worker.wake()
        return message


def build_alerting(
    config: Config,
    database: Database,
    senders: Senders,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    replica: Replica,
    last_outcome: LastOutcome,
) -> Alerting:
    """Make the parts, in the order in which an alert meets them.

    `last_outcome` tells of a target, by id, whether its last probe was a success.
    """
    share = replica.share
    alerts = Alerts(
        SqlAlerts(database), clock, AlertMetrics(registry), config.alert_options(), share
    )
    ledger = Ledger(SqlLedger(database), clock, LedgerMetrics(registry))
    deciding = Deciding(ledger)
    silences = Silences(
        SqlSilences(database),
        clock,
        MuteMetrics(registry),
        firing=lambda: alerts.list(AlertStatus.FIRING),
        past=SqlPast(database),
        options=config.silence_settings,
    )
    mute = config.mute_options()
    inhibitor, hours = Inhibitor(mute.inhibit_rules), Hours(mute.time_intervals)
    storms = build_storms(
        config,
        alerts,
        senders.clients,
        last_outcome=last_outcome,
        release=lambda labels, now: delivering.dispatcher.hurry(labels, now),  # noqa: PLW0108 - below
        clock=clock,
        registry=registry,
        replica="" if replica.alone else replica.name,
    )
    delivery, metrics = config.notification_settings, NotifyMetrics(registry)
    notifications = SqlNotifications(database)
    silencing = Silencing(silences, clock)
    senders = replace(senders, silenced_by=silencing.silenced_by)
    channels = Channels(senders.build(config))
    # Whoever mutes hears of an alert before it is grouped.
    alerts.subscribe(ledger.heard, origin=Origin.HERE)
    alerts.subscribe(ledger.learned, origin=Origin.ELSEWHERE)
    for subscriber in (inhibitor.heard, silences.heard, storms.heard):
        alerts.subscribe(subscriber)
    delivering = build_delivering(
        config.route,
        channels,
        notifications,
        alerts,
        clock=clock,
        replica=replica,
        options=delivery,
        metrics=metrics,
        routing_metrics=RoutingMetrics(registry),
        muters=(silences, inhibitor, hours, storms.dependencies, storms.network),
        grouped=deciding.grouped,
        told=deciding.told,
        dead_letters=DeadLetterAlerts(alerts, alerts.get, clock),
    )
    silence_news = SilenceNews(
        notifications,
        channels,
        clock,
        silenced_by=silencing.silenced_by,
        find_alert=alerts.get,
        wake=delivering.worker.wake,
        options=delivery,
        metrics=metrics,
        share=share,
    )
    silences.subscribe(silence_news.wake)
    interactions = Interactions(
        notifications,
        signing=partial(_signing, channels),
        find_alert=alerts.get,
        silence=silencing.silence,
        record=deciding.clicked,
        metrics=SlackMetrics(registry),
    )
    return Alerting(
        clock,
        replica,
        senders,
        alerts,
        ledger,
        deciding,
        silences,
        inhibitor,
        hours,
        storms,
        delivering.dispatcher,
        channels,
        notifications,
        delivering.worker,
        delivering.pipeline,
        delivering.sweeper,
        silence_news,
        Changes(channels, clock, metrics=metrics, share=share),
        interactions,
    )


def _signing(channels: Channels) -> Iterator[tuple[Channel, Secret]]:
    """Return the channels whose messages have buttons, with what clicks on them are signed with."""
    for channel, integration in channels.all():
        if isinstance(integration, Interactive) and integration.signing_secret is not None:
            yield channel, integration.signing_secret
