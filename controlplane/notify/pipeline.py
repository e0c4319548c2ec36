"""From a group that is due to messages in the outbox: a list of stages, in one transaction."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from uuid import uuid4

from controlplane.errors import Fenced
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import OPEN
from controlplane.notify.channels import Channel, Channels
from controlplane.notify.delivery import claimed
from controlplane.notify.handover import Handover
from controlplane.notify.incident import (
    UNTOLD,
    Incident,
    Reason,
    Told,
    needs_update,
    repeat_elapsed,
    seen,
)
from controlplane.notify.message import Content, Message, MessageState
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import DeliveryOptions
from controlplane.notify.outbox import ended, enqueue, resolve
from controlplane.notify.ports import (
    GroupFlush,
    Integration,
    Muter,
    NotificationStore,
    NotificationTransaction,
    OwnedGroups,
    Sender,
)
from controlplane.notify.verdicts import QUEUED, UNCHANGED, Verdict, left_out
from controlplane.telemetry.correlation import correlated
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.traces import span

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """A flush on its way through the stages, for one integration."""

    flush: GroupFlush
    channel: Channel
    integration: Integration
    visible: tuple[Alert, ...]
    muted: tuple[Alert, ...] = ()
    incident: Incident | None = None
    told: Told = UNTOLD
    reason: Reason = Reason.NOTHING_NEW


# Is told why each alert of a flush is told or not. Must not block.
Record = Callable[[Sequence[Verdict]], None]

# Takes a draft on, or ends its way with None.
DraftStage = Callable[[NotificationTransaction, "_Book", Draft], Awaitable[Draft | None]]


class Pipeline:
    """The Stage that routing hands its groups to.

    When it returns, every message that the groups need is durable; when it
    raises, nothing has changed. What may leave at once is claimed in the same
    transaction and begun by `sender`; for the rest `wake` is called.
    """

    def __init__(
        self,
        store: NotificationStore,
        channels: Channels,
        *,
        owned: OwnedGroups,
        sender: Sender,
        wake: Callable[[], None],
        options: DeliveryOptions,
        metrics: NotifyMetrics,
        muters: Sequence[Muter] = (),
        record: Record = lambda _verdicts: None,
    ) -> None:
        self._store = store
        self._channels = channels
        self._owned = owned
        self._sender = sender
        self._wake = wake
        self._options = options
        self._metrics = metrics
        self._muters = tuple(muters)
        self._record = record
        self.stages: tuple[DraftStage, ...] = (
            self._mute,
            self._recall,
            self._verify,
            self._decide,
            self._enqueue,
        )

    def configure(self, options: DeliveryOptions) -> None:
        """Use other options from now on."""
        self._options = options

    async def __call__(self, flushes: Sequence[GroupFlush]) -> None:
        """Take the flushes of one moment through all stages. Raises Unavailable.

        Those that another replica has taken over are dropped: it tells them.
        """
        try:
            await self._together(flushes)
        except Fenced:
            if len(flushes) > 1:
                for flush in flushes:
                    await self((flush,))
            else:
                self._metrics.fenced.labels("flush").inc()
                log.info("a group is told by another replica", group=flushes[0].group_key)

    async def _together(self, flushes: Sequence[GroupFlush]) -> None:
        """Take flushes through all stages in one transaction. Raises Fenced, Unavailable."""
        fence = reduce(or_, (flush.fence for flush in flushes), OPEN)
        with Handover(self._sender) as handover:
            async with self._store.begin(fence) as tx:
                book = _Book(await tx.incidents_for(flushes), self._owned(), handover)
                for draft in self._drafts(flushes):
                    await self._process(tx, book, draft)
        for verdict in book.verdicts:
            if verdict.kind not in (QUEUED, UNCHANGED):
                self._metrics.suppressed.labels(verdict.kind).inc(len(verdict.alerts))
        self._record(book.verdicts)
        if book.left:
            self._wake()

    def _drafts(self, flushes: Iterable[GroupFlush]) -> Iterable[Draft]:
        for flush in flushes:
            for channel, integration in self._channels.of(flush.receiver):
                yield Draft(flush, channel, integration, visible=flush.alerts)

    async def _process(self, tx: NotificationTransaction, book: "_Book", draft: Draft) -> None:
        for stage in self.stages:
            onward = await stage(tx, book, draft)
            if onward is None:
                return
            draft = onward

    async def _mute(
        self, _tx: NotificationTransaction, book: "_Book", draft: Draft
    ) -> Draft | None:
        """Tell apart the alerts that are silenced, inhibited or out of hours."""
        visible: list[Alert] = []
        muted: list[Alert] = []
        untold: dict[tuple[str, tuple[str, ...]], list[Alert]] = {}
        at = draft.flush.at
        for alert in draft.visible:
            by = self._muted_by(alert, draft.flush)
            (visible if by is None else muted).append(alert)
            if by is not None and alert.status(at) is AlertStatus.FIRING:
                untold.setdefault(by, []).append(alert)
        book.verdicts += [
            Verdict(kind, alerts, draft.channel, at, {"by": list(names)})
            for (kind, names), alerts in untold.items()
        ]
        return replace(draft, visible=tuple(visible), muted=tuple(muted))

    def _muted_by(self, alert: Alert, flush: GroupFlush) -> tuple[str, tuple[str, ...]] | None:
        """Return the kind of the first muter that mutes an alert, and the names of what does."""
        for muter in self._muters:
            if names := muter.muted_by(alert.labels, flush):
                return muter.kind, names
        return None

    async def _recall(
        self, tx: NotificationTransaction, book: "_Book", draft: Draft
    ) -> Draft | None:
        """Find the open incident: the group's own, or one that lost its group and fits."""
        incident = book.own(draft) or book.orphan(draft)
        if incident is not None and incident.group_key != draft.flush.group_key:
            incident = replace(incident, group_key=draft.flush.group_key)
            await tx.put_incident(incident)
        return replace(draft, incident=incident)

    async def _verify(
        self, tx: NotificationTransaction, _book: "_Book", draft: Draft
    ) -> Draft | None:
        """Compare what would be news with what is written down: others write alerts too.

        Our alerts may be a moment behind, and the incident is not: an end that
        another replica has told would be followed by the beginning once more.
        """
        if not draft.flush.fence:
            return draft
        visible, muted = _state(draft.visible, draft.flush), _state(draft.muted, draft.flush)
        incident = draft.incident
        known = incident.told.firing if incident is not None and incident.told else frozenset()
        begun, ended = visible.firing - known, visible.resolved | muted.resolved
        if not visible.firing | (muted.firing & known):
            ended |= known
        unended = await tx.unended(begun | ended) if begun or ended else frozenset()
        if ended & unended:
            return None  # it fires again, and will be here in a moment
        over = begun - unended
        return replace(draft, visible=tuple(a for a in draft.visible if a.fingerprint not in over))

    async def _decide(
        self, _tx: NotificationTransaction, book: "_Book", draft: Draft
    ) -> Draft | None:
        """Compare the group with what was told."""
        flush, incident = draft.flush, draft.incident
        known = incident.told if incident is not None else None
        visible = _state(draft.visible, flush)
        told = seen(known, visible, _state(draft.muted, flush))
        # What nobody is to be told of is not repeated, though its end will be told.
        due = bool(visible.firing) and repeat_elapsed(incident, flush.repeat_interval, flush.at)
        reason = needs_update(
            known,
            told,
            send_resolved=draft.integration.send_resolved,
            repeat_elapsed=due,
            exposed=incident is not None and incident.exposed,
        )
        if reason is Reason.NOTHING_NEW:
            book.note(draft, None)
            return None
        return replace(draft, told=told, reason=reason)

    async def _enqueue(
        self, tx: NotificationTransaction, book: "_Book", draft: Draft
    ) -> Draft | None:
        """Write the message, in the same transaction as the log."""
        content = _content(draft)
        with (
            correlated(content.correlation_id()),
            span("flush", receiver=draft.flush.receiver, group=draft.flush.group_key),
        ):
            message, incident = await self._write(tx, book.handover, draft, content)
            book.note(draft, message)
            if message is None:
                return None
            self._told(message, draft.reason)
        if message.state is MessageState.SENDING:
            book.handover.keep(claimed(message, incident))
        else:
            book.left = True
        return draft

    async def _write(
        self, tx: NotificationTransaction, handover: Handover, draft: Draft, content: Content
    ) -> tuple[Message | None, Incident]:
        """Queue or claim the message, if one is needed; return it and its incident."""
        flush, max_age = draft.flush, self._options.max_age
        seat = handover.seat(draft.channel)
        if draft.reason is Reason.ALL_RESOLVED and draft.incident is not None:
            message = await resolve(
                tx,
                draft.incident,
                content if content.alerts else await ended(tx, draft.incident, content),
                send_resolved=draft.integration.send_resolved,
                max_age=max_age,
                now=flush.at,
                seat=seat,
            )
            return message, draft.incident
        incident = draft.incident or await _open(tx, draft)
        message = await enqueue(
            tx,
            incident,
            draft.told,
            content,
            max_age=max_age,
            now=flush.at,
            seat=seat,
            first=draft.incident is None,
        )
        return message, incident

    def _told(self, message: Message, reason: Reason) -> None:
        self._metrics.queued.labels(reason.value).inc()
        log.info(
            "notification queued",
            receiver=message.receiver,
            integration=message.integration,
            message=message.id,
            alerts=len(message.content.alerts),
            reason=reason.value,
        )


class _Book:
    """The open incidents that may concern a batch of flushes, and what becomes of the batch.

    `left` is true when a message waits in the outbox for the worker;
    `verdicts` count once the transaction is committed.
    """

    def __init__(
        self,
        incidents: Sequence[Incident],
        owned: Collection[tuple[str, str]],
        handover: Handover,
    ) -> None:
        self.handover = handover
        self.left = False
        self.verdicts: list[Verdict] = []
        self._own = {((i.receiver, i.integration), i.group_key): i for i in incidents}
        self._orphans = {
            ((i.receiver, i.integration), i.group_labels): i
            for i in incidents
            if (i.receiver, i.group_key) not in owned
        }

    def note(self, draft: Draft, message: Message | None) -> None:
        """Note what a draft came to: which of its alerts are in the message, and why not."""
        told: frozenset[str] = frozenset()
        if message is not None:
            alerts = message.content.alerts
            told = frozenset(alert.fingerprint for alert in alerts)
            detail = {"message": message.id}
            self.verdicts.append(Verdict(QUEUED, alerts, draft.channel, draft.flush.at, detail))
        self.verdicts += left_out(draft.channel, draft.flush, draft.incident, draft.visible, told)

    def own(self, draft: Draft) -> Incident | None:
        return self._own.get((draft.channel, draft.flush.group_key))

    def orphan(self, draft: Draft) -> Incident | None:
        """Return an incident with the same labels that no group owns, once."""
        firing = _state(draft.visible, draft.flush).firing
        if not firing:
            return None
        return self._orphans.pop((draft.channel, draft.flush.group_labels), None)


async def _open(tx: NotificationTransaction, draft: Draft) -> Incident:
    receiver, integration = draft.channel
    incident = Incident(
        id=uuid4().hex,
        receiver=receiver,
        integration=integration,
        group_key=draft.flush.group_key,
        group_labels=draft.flush.group_labels,
        key=draft.flush.group_key,
        opened_at=draft.flush.at,
    )
    await tx.put_incident(incident)
    return incident


def _state(alerts: Iterable[Alert], flush: GroupFlush) -> Told:
    firing: set[str] = set()
    resolved: set[str] = set()
    for alert in alerts:
        ended = alert.status(flush.at) is AlertStatus.RESOLVED
        (resolved if ended else firing).add(alert.fingerprint)
    return Told(frozenset(firing), frozenset(resolved))


def _content(draft: Draft) -> Content:
    """Return what the message is about; ends only for those who want to hear of them."""
    flush = draft.flush
    told = draft.told.firing
    if draft.integration.send_resolved or not told:
        told = told | draft.told.resolved
    return Content(
        group_key=flush.group_key,
        group_labels=flush.group_labels,
        reason=draft.reason,
        alerts=tuple(alert for alert in flush.alerts if alert.fingerprint in told),
        at=flush.at,
        route_labels=flush.route_labels,
    )
