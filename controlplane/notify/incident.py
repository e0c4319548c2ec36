"""The notification log and the open incidents: what a receiver was told, and what is next.

One `Incident` is one conversation with one integration of one receiver about
one alert group, from the first "firing" to the "resolved" after it. It records
the state last *delivered*; what is queued stands apart. `needs_update` decides
whether there is something to say, as Alertmanager's DedupStage does; the
functions below it are all the transitions there are:

    (none) --firing--> queued --claimed--> exposed --delivered--> open
    open --changed--> open + queued ... --all resolved, delivered--> closed
    queued, never exposed --all resolved--> closed, nothing is sent
    queued --dead--> as it was before: the next flush tries again
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.labels import Labels
from controlplane.model.share import notifier_key


class Reason(StrEnum):
    """Why a receiver is told something, in Alertmanager's words, or that it is not."""

    NOTHING_NEW = "none"
    FIRST = "first notification"
    NEW_ALERTS = "new alerts added"
    NEW_RESOLVED = "some alerts resolved"
    ALL_RESOLVED = "all alerts resolved"
    REPEAT = "repeat interval elapsed"
    SILENCED = "silenced or acknowledged"  # ours: nothing new of the alerts themselves


@dataclass(frozen=True, slots=True)
class Told:
    """A state of a group as a receiver knows it: fingerprints of its alerts."""

    firing: frozenset[str] = frozenset()
    resolved: frozenset[str] = frozenset()


UNTOLD: Final = Told()


@dataclass(frozen=True, slots=True)
class Incident:
    """One row of the notification log.

    `key` is the group key it was opened with, and stays: receivers know it by
    that. `group_key` is that of the group that owns it now. `exposed` is true
    when the receiver may have it open: an attempt was begun and its outcome
    was not a clear no. `external` is what the integration keeps (a message id).
    """

    id: str
    receiver: str
    integration: str
    group_key: str
    group_labels: Labels
    key: str
    opened_at: Timestamp
    delivered: Told | None = None
    delivered_at: Timestamp | None = None
    queued: Told | None = None
    queued_id: int | None = None
    queued_at: Timestamp | None = None
    exposed: bool = False
    external: Mapping[str, str] = field(default_factory=dict)
    failures: int = 0
    retry_at: Timestamp = 0
    closed_at: Timestamp | None = None

    @property
    def work(self) -> str:
        """The key of the work that it is: see model.share."""
        return notifier_key(self.receiver, self.group_labels)

    @property
    def told(self) -> Told | None:
        """What the receiver knows, or will once the queue is empty."""
        return self.queued if self.queued is not None else self.delivered

    @property
    def told_at(self) -> Timestamp:
        """When it was told, or queued to be."""
        at = self.queued_at if self.queued is not None else self.delivered_at
        return self.opened_at if at is None else at


def needs_update(
    told: Told | None,
    now_is: Told,
    *,
    send_resolved: bool,
    repeat_elapsed: bool,
    exposed: bool = False,
) -> Reason:
    """Return why a receiver that was told one state must be told another.

    All alerts resolved is a reason even without `send_resolved`: the log must
    be closed, though nothing is sent. `exposed` is that of the incident: what
    was given up may have arrived, and then has to end.
    """
    if told is None:
        if now_is.firing:
            return Reason.FIRST
        return Reason.ALL_RESOLVED if exposed else Reason.NOTHING_NEW
    if not now_is.firing <= told.firing:
        return Reason.NEW_ALERTS if told.firing else Reason.FIRST
    if not now_is.firing:
        return Reason.ALL_RESOLVED if told.firing else Reason.NOTHING_NEW
    if send_resolved and not now_is.resolved <= told.resolved:
        return Reason.NEW_RESOLVED
    return Reason.REPEAT if repeat_elapsed else Reason.NOTHING_NEW


def seen(told: Told | None, visible: Told, muted: Told) -> Told:
    """Return the state to be told when some alerts are muted.

    A muted alert is not told of, unless the receiver knows it already: then it
    stays firing for it until it ends, so that whoever was told "firing" is
    told "resolved" through any silence.
    """
    known = told.firing if told is not None else frozenset()
    return Told(
        firing=visible.firing | (muted.firing & known),
        resolved=visible.resolved | (muted.resolved & known),
    )


def repeat_elapsed(incident: Incident | None, interval: Duration, now: Timestamp) -> bool:
    """Tell whether the state was told so long ago that it is told again."""
    return incident is not None and incident.told_at < now - interval


def never_reached(incident: Incident) -> bool:
    """Tell whether the receiver cannot know of the incident."""
    return not incident.exposed and not (incident.delivered and incident.delivered.firing)


def on_queued(incident: Incident, message: int, told: Told, now: Timestamp) -> Incident:
    """A message was put into the outbox; it is the newest of this incident."""
    return replace(incident, queued=told, queued_id=message, queued_at=now)


def on_claimed(incident: Incident, told: Told) -> Incident:
    """An attempt begins: from here on its outcome may be unknown."""
    return replace(incident, exposed=True) if told.firing else incident


def on_refused(incident: Incident, told: Told, *, exposed_before: bool) -> Incident:
    """An attempt was clearly turned down, so it exposed nothing."""
    return replace(incident, exposed=exposed_before) if told.firing else incident


def on_delivered(
    incident: Incident, message: int, told: Told, external: Mapping[str, str], now: Timestamp
) -> Incident:
    """A message arrived. A resolve closes the incident, unless something newer waits."""
    newest = incident.queued_id in (message, None)
    after = replace(incident, failures=0, retry_at=0)
    if newest:
        after = replace(after, queued=None, queued_id=None, queued_at=None)
    if told.firing:
        return replace(
            after, delivered=told, delivered_at=now, exposed=True, external=dict(external)
        )
    after = replace(after, delivered=None, delivered_at=None, exposed=False, external={})
    return replace(after, closed_at=now) if newest else replace(after, opened_at=now)


def on_dead(incident: Incident, message: int, now: Timestamp, retry_in: Duration) -> Incident:
    """A message was given up: what was delivered before counts again."""
    if incident.queued_id != message:
        return incident
    return replace(
        incident,
        queued=None,
        queued_id=None,
        queued_at=None,
        failures=incident.failures + 1,
        retry_at=now + retry_in,
    )


def on_closed(incident: Incident, now: Timestamp) -> Incident:
    """It ends without a message: nobody knows of it, or nobody wants to hear the end."""
    return replace(incident, queued=None, queued_id=None, queued_at=None, closed_at=now)
