"""An aggregation group: the alerts of one route that share their group labels."""

from collections.abc import Collection

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.model.share import notifier_key
from controlplane.routing.ports import Flush, Kept
from controlplane.routing.tree import Node


class Group:
    """Collects alerts until it is due, then again after each `group_interval`.

    It is `parked` when it was due and another replica's to tell.
    """

    __slots__ = ("_alerts", "due", "flushed", "key", "labels", "node", "parked", "work")

    def __init__(self, node: Node, labels: Labels, *, due: Timestamp) -> None:
        self.node = node
        self.labels = labels
        self.key = node.group_key(labels)
        self.work = notifier_key(node.receiver, labels)
        self.due = due
        self.flushed = False
        self.parked = False
        self._alerts: dict[Labels, Alert] = {}

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return tuple(sorted(self._alerts.values(), key=_order))

    @property
    def identity(self) -> tuple[str, str]:
        """The receiver and the group key: what an open incident belongs to."""
        return (self.node.receiver, self.key)

    def __len__(self) -> int:
        return len(self._alerts)

    def insert(self, alert: Alert) -> bool:
        """Put an alert in, or its newer self; tell whether it begins to belong here."""
        known = self._alerts.get(alert.labels)
        self._alerts[alert.labels] = alert
        return known is None or known.starts_at != alert.starts_at

    def holds_any(self, labels: Collection[Labels]) -> bool:
        """Tell whether an alert with one of these label sets is in the group."""
        return any(each in labels for each in self._alerts)

    def flush(self, now: Timestamp, fence: Fence = OPEN) -> Flush:
        """Return what is to be told now, and be due again after `group_interval`."""
        self.flushed = True
        self.due = now + self.node.group_interval
        return self.look(now, fence)

    def look(self, now: Timestamp, fence: Fence = OPEN) -> Flush:
        """Return what would be told now, and change nothing."""
        return Flush(
            group_key=self.key,
            group_labels=self.labels,
            route_id=self.node.id,
            receiver=self.node.receiver,
            repeat_interval=self.node.repeat_interval,
            alerts=self.alerts,
            at=now,
            mute_time_intervals=self.node.mute_time_intervals,
            active_time_intervals=self.node.active_time_intervals,
            route_labels=self.node.labels,
            fence=fence,
        )

    def forget(self, flush: Flush) -> None:
        """Drop the alerts that `flush` told resolved and that have not fired again since."""
        for alert in flush.resolved():
            if self._alerts.get(alert.labels) is alert:
                del self._alerts[alert.labels]

    def prune(self, now: Timestamp, kept: Kept) -> None:
        """Drop the alerts that have ended and are kept nowhere else.

        For a group that another replica tells, which forgets them here to
        nobody's loss: who began anew now would not know of them either.
        """
        for alert in tuple(self._alerts.values()):
            if alert.status(now) is AlertStatus.RESOLVED and not kept(alert):
                del self._alerts[alert.labels]

    def take_over(self, old: "Group", now: Timestamp) -> None:
        """Go on with the clock of the group that this one replaces on a reload."""
        self.flushed = old.flushed
        wait = self.node.group_interval if old.flushed else self.node.group_wait
        self.due = min(old.due, now + wait)


def first_due(node: Node, alert: Alert, now: Timestamp) -> Timestamp:
    """Return when a group that begins with `alert` is due.

    An alert that is older than `group_wait` has waited enough.
    """
    return now if alert.starts_at + node.group_wait < now else now + node.group_wait


def counts(group: Group, now: Timestamp) -> tuple[int, int]:
    """Return how many alerts of a group are firing and resolved."""
    firing = sum(alert.status(now) is AlertStatus.FIRING for alert in group.alerts)
    return firing, len(group) - firing


def _order(alert: Alert) -> tuple[object, ...]:
    """Sort as Alertmanager does: by job and instance (absent ones last), then the labels."""
    labels = alert.labels
    job, instance = labels.value("job"), labels.value("instance")
    return (not job, job, not instance, instance, len(labels), labels.pairs)
