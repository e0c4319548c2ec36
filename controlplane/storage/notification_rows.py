"""Notify's values as rows, and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Row

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.notify.incident import Incident, Reason, Told
from controlplane.notify.message import (
    Attempt,
    Content,
    FailureReason,
    Message,
    MessageState,
    Outcome,
)

Document = dict[str, Any]

_INCIDENT: Final = tuple(field.name for field in fields(Incident))


def incident_row(incident: Incident) -> Document:
    """Return all columns of an incident but the hash of its group key."""
    return {
        "id": incident.id,
        "receiver": incident.receiver,
        "integration": incident.integration,
        "group_key": incident.group_key,
        "group_labels": dict(incident.group_labels),
        "labels_id": incident.group_labels.fingerprint(),
        "key": incident.key,
        "opened_at": incident.opened_at,
        "delivered": _told_document(incident.delivered),
        "delivered_at": incident.delivered_at,
        "queued": _told_document(incident.queued),
        "queued_id": incident.queued_id,
        "queued_at": incident.queued_at,
        "exposed": incident.exposed,
        "external": dict(incident.external),
        "failures": incident.failures,
        "retry_at": incident.retry_at,
        "closed_at": incident.closed_at,
    }


def incident_value(columns: Mapping[Any, Any], prefix: str = "") -> Incident:
    """Return the incident of a row in which the prefix stands before its columns' names."""
    value = {name: columns[prefix + name] for name in _INCIDENT}
    return Incident(
        **value
        | {
            "group_labels": Labels(value["group_labels"]),
            "delivered": _told_or_none(value["delivered"]),
            "queued": _told_or_none(value["queued"]),
        }
    )


def message_row(message: Message) -> Document:
    """Return all columns of a message but its id, which the database counts."""
    return {
        "incident_id": message.incident_id,
        "receiver": message.receiver,
        "integration": message.integration,
        "told": _told_document(message.told),
        "content": _content_document(message.content),
        "created_at": message.created_at,
        "correlation_id": message.correlation_id,
        **life_row(message),
    }


def life_row(message: Message) -> Document:
    """Return what a message's life changes; its content stays as it was written."""
    return {
        "next_attempt_at": message.next_attempt_at,
        "expires_at": message.expires_at,
        "state": message.state.value,
        "attempts": message.attempts,
        "exposed_before": message.exposed_before,
        "owner": message.owner,
        "lease_until": message.lease_until,
        "finished_at": message.finished_at,
        "failure": message.failure,
    }


def message_value(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        incident_id=row.incident_id,
        receiver=row.receiver,
        integration=row.integration,
        told=_told_value(row.told),
        content=_content_value(row.content),
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        expires_at=row.expires_at,
        correlation_id=row.correlation_id,
        state=MessageState(row.state),
        attempts=row.attempts,
        exposed_before=row.exposed_before,
        owner=row.owner,
        lease_until=row.lease_until,
        finished_at=row.finished_at,
        failure=row.failure,
    )


def notified_rows(message_id: int, message: Message) -> list[Document]:
    """Return which alerts the message tells of."""
    told = {alert.fingerprint for alert in message.content.alerts}
    return [{"message_id": message_id, "fingerprint": name} for name in sorted(told)]


def attempt_row(attempt: Attempt) -> Document:
    return {
        "message_id": attempt.message_id,
        "number": attempt.number,
        "at": attempt.at,
        "seconds": attempt.seconds,
        "outcome": attempt.outcome.value,
        "status_code": attempt.status_code,
        "reason": attempt.reason.value if attempt.reason else None,
        "detail": attempt.detail,
    }


def attempt_value(row: Row[Any]) -> Attempt:
    return Attempt(
        message_id=row.message_id,
        number=row.number,
        at=row.at,
        seconds=row.seconds,
        outcome=Outcome(row.outcome),
        status_code=row.status_code,
        reason=FailureReason(row.reason) if row.reason else None,
        detail=row.detail,
    )


def _told_document(told: Told | None) -> Document | None:
    if told is None:
        return None
    return {"firing": sorted(told.firing), "resolved": sorted(told.resolved)}


def _told_or_none(document: Document | None) -> Told | None:
    return None if document is None else _told_value(document)


def _told_value(document: Document) -> Told:
    return Told(frozenset(document["firing"]), frozenset(document["resolved"]))


def _content_document(content: Content) -> Document:
    return {
        "group_key": content.group_key,
        "group_labels": dict(content.group_labels.pairs),
        "reason": content.reason.value,
        "alerts": [_alert_document(alert) for alert in content.alerts],
        "at": content.at,
        "route_labels": dict(content.route_labels.pairs),
    }


def _content_value(document: Document) -> Content:
    return Content(
        group_key=document["group_key"],
        group_labels=Labels(document["group_labels"]),
        reason=Reason(document["reason"]),
        alerts=tuple(_alert_value(alert) for alert in document["alerts"]),
        at=document["at"],
        route_labels=Labels(document.get("route_labels", {})),
    )


def _alert_document(alert: Alert) -> Document:
    return {
        "fingerprint": alert.fingerprint,
        "labels": dict(alert.labels.pairs),
        "annotations": dict(alert.annotations.pairs),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "updated_at": alert.updated_at,
        "generator_url": alert.generator_url,
        "correlation_id": alert.correlation_id,
        "timeout": alert.timeout,
    }


def _alert_value(document: Document) -> Alert:
    return Alert(
        labels=Labels(document["labels"], fingerprint=document.get("fingerprint")),
        annotations=Labels(document["annotations"]),
        starts_at=document["starts_at"],
        ends_at=document["ends_at"],
        updated_at=document["updated_at"],
        generator_url=document["generator_url"],
        correlation_id=document["correlation_id"],
        timeout=document["timeout"],
    )
