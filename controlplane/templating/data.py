"""What notification templates look at: Alertmanager's Data, Alerts, KV and Pairs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert as ModelAlert
from controlplane.model.alert import AlertStatus
from controlplane.model.labels import Labels
from controlplane.templating.gotime import Time
from controlplane.templating.values import (
    STRING,
    STRINGS,
    List,
    Method,
    Slice,
    StringMap,
    Struct,
)


@dataclass(frozen=True, slots=True)
class Strings(Slice):
    """A list of texts that can be joined: `.GroupLabels.Values.Join ", "`."""

    GO_TYPE: ClassVar[str] = "template.Strings"
    METHODS: ClassVar = {"Join": Method("join", (STRING,))}

    def join(self, separator: str) -> str:
        return separator.join(str(item) for item in self.items)


@dataclass(frozen=True, slots=True)
class Pair(Struct):
    """A label or annotation."""

    name: str
    value: str

    GO_TYPE: ClassVar[str] = "template.Pair"
    FIELDS: ClassVar = {"Name": "name", "Value": "value"}


@dataclass(frozen=True, slots=True)
class Pairs(Slice):
    """Labels or annotations in order."""

    GO_TYPE: ClassVar[str] = "template.Pairs"
    METHODS: ClassVar = {
        "Names": Method("names"),
        "Values": Method("values"),
        "String": Method("go_string"),
    }

    def names(self) -> Strings:
        return Strings(tuple(pair.name for pair in self._pairs()))

    def values(self) -> Strings:
        return Strings(tuple(pair.value for pair in self._pairs()))

    def go_string(self) -> str:
        return ", ".join(f"{pair.name}={pair.value}" for pair in self._pairs())

    def _pairs(self) -> Iterable[Pair]:
        return (item for item in self.items if isinstance(item, Pair))


@dataclass(frozen=True, slots=True)
class KV(StringMap):
    """A set of labels or annotations."""

    GO_TYPE: ClassVar[str] = "template.KV"
    METHODS: ClassVar = {
        "SortedPairs": Method("sorted_pairs"),
        "Remove": Method("remove", (STRINGS,)),
        "Names": Method("names"),
        "Values": Method("label_values"),
        "String": Method("go_string"),
    }

    def sorted_pairs(self) -> Pairs:
        """Return the pairs by name, `alertname` before all others."""
        ordered = sorted(self.pairs.items(), key=lambda pair: (pair[0] != "alertname", pair[0]))
        return Pairs(tuple(Pair(name, value) for name, value in ordered))

    def remove(self, names: List) -> "KV":
        gone = set(names)
        return KV({name: value for name, value in self.pairs.items() if name not in gone})

    def names(self) -> Strings:
        return self.sorted_pairs().names()

    def label_values(self) -> Strings:
        return self.sorted_pairs().values()

    def go_string(self) -> str:
        return self.sorted_pairs().go_string()


@dataclass(frozen=True, slots=True)
class Alert(Struct):
    """One alert of a notification."""

    status: AlertStatus
    labels: KV
    annotations: KV
    starts_at: Time
    ends_at: Time
    generator_url: str
    fingerprint: str

    GO_TYPE: ClassVar[str] = "template.Alert"
    FIELDS: ClassVar = {
        "Status": "status_text",
        "Labels": "labels",
        "Annotations": "annotations",
        "StartsAt": "starts_at",
        "EndsAt": "ends_at",
        "GeneratorURL": "generator_url",
        "Fingerprint": "fingerprint",
    }

    @classmethod
    def of(cls, alert: ModelAlert, now: Timestamp) -> "Alert":
        """Return an alert as templates see it at `now`; one that fires has no end yet."""
        status = alert.status(now)
        ended = status is AlertStatus.RESOLVED
        return cls(
            status=status,
            labels=KV(dict(alert.labels.pairs)),
            annotations=KV(dict(alert.annotations.pairs)),
            starts_at=Time.of(alert.starts_at),
            ends_at=Time.of(alert.ends_at) if ended else Time.zero(),
            generator_url=alert.generator_url,
            fingerprint=alert.fingerprint,
        )

    @property
    def status_text(self) -> str:
        return self.status.value


@dataclass(frozen=True, slots=True)
class AlertSlice(Slice):
    """Some of the alerts of a notification."""

    GO_TYPE: ClassVar[str] = "[]template.Alert"

    def alerts(self) -> tuple[Alert, ...]:
        return tuple(item for item in self.items if isinstance(item, Alert))


@dataclass(frozen=True, slots=True)
class Alerts(AlertSlice):
    """The alerts of a notification."""

    GO_TYPE: ClassVar[str] = "template.Alerts"
    METHODS: ClassVar = {"Firing": Method("firing"), "Resolved": Method("resolved")}

    def firing(self) -> AlertSlice:
        return self._with(AlertStatus.FIRING)

    def resolved(self) -> AlertSlice:
        return self._with(AlertStatus.RESOLVED)

    def _with(self, status: AlertStatus) -> AlertSlice:
        return AlertSlice(tuple(alert for alert in self.alerts() if alert.status is status))


@dataclass(frozen=True, slots=True)
class Data(Struct):
    """Everything a notification template may look at (Alertmanager's template.Data)."""

    receiver: str
    status: AlertStatus
    alerts: Alerts
    group_labels: KV
    common_labels: KV
    common_annotations: KV
    external_url: str
    notification_reason: str = ""
    route_labels: KV = KV({})

    GO_TYPE: ClassVar[str] = "*template.Data"
    FIELDS: ClassVar = {
        "Receiver": "receiver",
        "Status": "status_text",
        "Alerts": "alerts",
        "NotificationReason": "notification_reason",
        "GroupLabels": "group_labels",
        "CommonLabels": "common_labels",
        "CommonAnnotations": "common_annotations",
        "RouteLabels": "route_labels",
        "ExternalURL": "external_url",
    }

    @classmethod
    def of(
        cls,
        receiver: str,
        group_labels: Mapping[str, str],
        alerts: Iterable[ModelAlert],
        *,
        now: Timestamp,
        external_url: str,
    ) -> "Data":
        """Return what templates see of a group's alerts at `now`, in the order given.

        The group is firing while one of its alerts is; common are the labels
        and annotations that all alerts share.
        """
        told = tuple(alerts)
        seen = tuple([Alert.of(alert, now) for alert in told])
        firing = any(alert.status is AlertStatus.FIRING for alert in seen)
        return cls(
            receiver=receiver,
            status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
            alerts=Alerts(seen),
            group_labels=KV(dict(group_labels)),
            common_labels=_common([alert.labels for alert in told]),
            common_annotations=_common([alert.annotations for alert in told]),
            external_url=external_url,
        )

    @property
    def status_text(self) -> str:
        return self.status.value


def _common(sets: Sequence[Labels]) -> KV:
    """Return the pairs that all sets hold."""
    if not sets:
        return KV({})
    shared = set(sets[0].pairs).intersection(*(each.pairs for each in sets[1:]))
    return KV(dict(pair for pair in sets[0].pairs if pair in shared))
