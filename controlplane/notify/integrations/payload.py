"""A group as JSON, field by field as Alertmanager writes it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.notify.message import Notification

_NEVER: Final = "0001-01-01T00:00:00Z"


def payload(
    notification: Notification,
    *,
    version: str = "4",
    max_alerts: int,
    external_url: str,
    route_labels: Mapping[str, str],
) -> dict[str, Any]:
    """Return the body for a notification; `max_alerts` 0 sends all alerts.

    Version 4 is that of webhooks. `route_labels` have been written.
    """
    content = notification.content
    sent = content.alerts[:max_alerts] if max_alerts else content.alerts
    return {
        "receiver": notification.receiver,
        "status": _status(content.at, sent),
        "alerts": [_alert(alert, content.status_of(alert)) for alert in sent],
        "notification_reason": content.reason.value,
        "groupLabels": dict(content.group_labels.pairs),
        "commonLabels": _common([alert.labels for alert in sent]),
        "commonAnnotations": _common([alert.annotations for alert in sent]),
        "routeLabels": dict(route_labels),
        "externalURL": external_url,
        "version": version,
        "groupKey": notification.key,
        "truncatedAlerts": len(content.alerts) - len(sent),
    }


def _status(at: Timestamp, alerts: tuple[Alert, ...]) -> str:
    firing = any(alert.status(at) is AlertStatus.FIRING for alert in alerts)
    return (AlertStatus.FIRING if firing else AlertStatus.RESOLVED).value


def _alert(alert: Alert, status: AlertStatus) -> dict[str, Any]:
    ended = status is AlertStatus.RESOLVED
    return {
        "status": status.value,
        "labels": dict(alert.labels.pairs),
        "annotations": dict(alert.annotations.pairs),
        "startsAt": _go_time(alert.starts_at),
        "endsAt": _go_time(alert.ends_at) if ended else _NEVER,
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _common(sets: list[Labels]) -> dict[str, str]:
    if not sets:
        return {}
    shared = set(sets[0].pairs).intersection(*(other.pairs for other in sets[1:]))
    return dict(sorted(shared))


def _go_time(instant: Timestamp) -> str:
    """Return RFC 3339 with only as many digits after the second as are needed, as Go does."""
    moment = datetime.fromtimestamp(instant // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{instant % 1000:03d}".rstrip("0")
    return f"{moment}.{fraction}Z" if fraction else f"{moment}Z"
