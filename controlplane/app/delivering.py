"""From the alerts that are kept to the receivers that are told: grouped, decided on, and sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.alerts.provider import Alerts
from controlplane.clock import Clock
from controlplane.model.share import ALL_ROLES, WHOLE, Role, Share
from controlplane.notify.channels import Channels
from controlplane.notify.dead_letters import DeadLetterAlerts
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import DeliveryOptions
from controlplane.notify.pipeline import Pipeline
from controlplane.notify.pipeline import Record as RecordTold
from controlplane.notify.ports import Muter, NotificationStore
from controlplane.notify.sweeper import Sweeper
from controlplane.notify.worker import LONGEST_SLEEP, Worker
from controlplane.routing.dispatcher import Dispatcher
from controlplane.routing.metrics import RoutingMetrics
from controlplane.routing.options import Route
from controlplane.routing.ports import Flush, Fresh, Stage, always_fresh
from controlplane.routing.ports import Record as RecordGrouped
from controlplane.routing.tree import build_tree
from controlplane.transport.breaker import BreakerOptions

# Where several replicas queue messages, each looks so often for those of others, in seconds.
_LOOK: Final = 1.0


@dataclass(frozen=True, slots=True)
class Replica:
    """What this process is among several: alone, unless said otherwise.

    `run` tells it from an earlier process of its name. `share` is its part of
    the notifiers' work; `fresh` returns when it knows what others wrote.
    """

    name: str
    run: str = ""
    roles: frozenset[Role] = ALL_ROLES
    share: Share = WHOLE
    fresh: Fresh = always_fresh

    @property
    def owner(self) -> str:
        """The name that it claims messages by."""
        return f"{self.name}/{self.run}" if self.run else self.name

    @property
    def alone(self) -> bool:
        return self.share is WHOLE


@dataclass(frozen=True, slots=True)
class Delivering:
    """The parts in the order of their work, the last of which sees to what the others left."""

    dispatcher: Dispatcher
    pipeline: Pipeline
    worker: Worker
    sweeper: Sweeper


def build_delivering(
    route: Route,
    channels: Channels,
    notifications: NotificationStore,
    alerts: Alerts,
    *,
    clock: Clock,
    replica: Replica,
    options: DeliveryOptions,
    metrics: NotifyMetrics,
    routing_metrics: RoutingMetrics,
    muters: Sequence[Muter],
    grouped: RecordGrouped = lambda _grouped: None,
    told: RecordTold = lambda _verdicts: None,
    dead_letters: DeadLetterAlerts | None = None,
    breaker: BreakerOptions | None = None,
    longest_sleep: float | None = None,
) -> Delivering:
    """Make the parts, and have them hear of alerts: whoever mutes those must hear of them already.

    `grouped` and `told` keep why somebody is told, or is not; `dead_letters`
    raises an alert for a message that was given up. The worker looks for work
    each `longest_sleep` seconds at least, else as often as such a replica must.
    """
    if longest_sleep is None:
        longest_sleep = LONGEST_SLEEP if replica.alone else _LOOK
    worker = Worker(
        notifications,
        channels,
        clock,
        owner=replica.owner,
        options=options,
        metrics=metrics,
        dead_letters=dead_letters,
        breaker=breaker,
        longest_sleep=longest_sleep,
    )
    pipeline = Pipeline(
        notifications,
        channels,
        owned=lambda: dispatcher.owned(),  # noqa: PLW0108 - it is made below
        sender=worker,
        wake=worker.wake,
        options=options,
        metrics=metrics,
        muters=muters,
        record=told,
    )
    dispatcher = Dispatcher(
        build_tree(route),
        ends_first(alerts, pipeline),
        clock,
        routing_metrics,
        tells=lambda receiver: bool(channels.of(receiver)),
        record=grouped,
        share=replica.share,
        kept=lambda alert: alerts.get(alert.fingerprint) is not None,
        fresh=replica.fresh,
    )
    alerts.subscribe(dispatcher.offer, dispatcher.gathering)
    sweeper = Sweeper(
        notifications,
        channels,
        clock,
        owned=dispatcher.owned,
        find_alert=alerts.get,
        wake=worker.wake,
        options=options,
        metrics=metrics,
        share=replica.share,
        fresh=replica.fresh,
    )
    return Delivering(dispatcher, pipeline, worker, sweeper)


def ends_first(alerts: Alerts, stage: Stage) -> Stage:
    """Return a stage before which the ends that nobody named are written down.

    An alert that ran out, and was told so, would else fire again after a
    restart, which gives what has no end some time to be spoken of.
    """

    async def settled(flushes: Sequence[Flush]) -> None:
        now = max((flush.at for flush in flushes), default=0)
        ended = (alert for flush in flushes for alert in flush.resolved())
        if any(alert.updated_at < alert.ends_at for alert in ended):
            await alerts.settle(now)
        await stage(flushes)

    return settled
