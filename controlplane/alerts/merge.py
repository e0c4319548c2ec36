"""What becomes of an alert when its source speaks of it again."""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import EMPTY, Labels


def received(
    labels: Labels,
    *,
    now: Timestamp,
    resolve_timeout: Duration,
    annotations: Labels = EMPTY,
    starts_at: Timestamp | None = None,
    ends_at: Timestamp | None = None,
    generator_url: str = "",
    correlation_id: str = "",
) -> Alert:
    """Return the alert that a client meant by what it left out, as Alertmanager reads it.

    Without an end it lasts `resolve_timeout` from now; without a start it
    begins now, or at its end when that is past. Raises InvalidInput.
    """
    start = starts_at
    if start is None:
        start = now if ends_at is None else min(now, ends_at)
    alert = Alert(
        labels=labels,
        annotations=annotations,
        starts_at=start,
        ends_at=now + resolve_timeout if ends_at is None else ends_at,
        updated_at=now,
        generator_url=generator_url,
        correlation_id=correlation_id,
        timeout=ends_at is None,
    )
    check(alert)
    return alert


def check(alert: Alert) -> None:
    """Raise InvalidInput, in Alertmanager's words, for what ends too early or has no name."""
    if alert.ends_at < alert.starts_at:
        raise InvalidInput("start time must be before end time", pointer="/endsAt")
    if not alert.labels:
        raise InvalidInput("at least one label pair required", pointer="/labels")
    for what, held in (("label set", alert.labels), ("annotations", alert.annotations)):
        if held.pairs and not held.pairs[0][0]:
            raise InvalidInput(f'invalid {what}: invalid name ""')


def merged(old: Alert | None, new: Alert, now: Timestamp) -> Alert:
    """Return what is known after `new`: alerts whose times overlap are one.

    The earliest start counts. The end is that of the younger alert, but a
    later end that was really named outlasts it (Alertmanager, Alert.Merge).
    """
    if old is None:
        return new
    if not _overlap(old, new):
        same = old.starts_at == new.starts_at
        return replace(new, correlation_id=_told_by(old, new, now)) if same else new
    # What was said "later than now" was said before the clock was set back.
    late = new.updated_at < old.updated_at <= now
    older, younger = (new, old) if late else (old, new)
    ends_at, timeout = younger.ends_at, younger.timeout
    if older.ends_at > younger.ends_at:
        both_ended = older.status(now) is younger.status(now) is AlertStatus.RESOLVED
        runs_on = younger.status(now) is AlertStatus.FIRING and not older.timeout
        if both_ended or runs_on:
            ends_at, timeout = older.ends_at, older.timeout
    return replace(
        younger,
        starts_at=min(older.starts_at, younger.starts_at),
        ends_at=ends_at,
        timeout=timeout,
        correlation_id=_told_by(older, younger, now),
    )


def run_out(
    ended: Mapping[str, Alert], now: Timestamp, kept: Mapping[str, Alert] | None
) -> list[Alert]:
    """Return alerts that ran out as they ended, but for those `kept` that did not, or are gone."""
    found = []
    for name, alert in ended.items():
        known = alert if kept is None else kept.get(name)
        if known is not None and known.updated_at < known.ends_at <= now:
            end = max(known.ends_at, alert.ends_at)
            found.append(replace(known, ends_at=end, updated_at=end))
    return found


def ended_at(alert: Alert, now: Timestamp) -> Alert:
    """Return an alert that ends now, of which nobody says more."""
    return replace(alert, starts_at=min(alert.starts_at, now), ends_at=now, updated_at=now)


def _told_by(older: Alert, younger: Alert, now: Timestamp) -> str:
    """Return the id of what last changed the state: saying the same again starts no new story."""
    same = older.status(now) is younger.status(now) and older.correlation_id
    return older.correlation_id if same else younger.correlation_id


def _overlap(old: Alert, new: Alert) -> bool:
    return old.starts_at < new.ends_at < old.ends_at or old.starts_at < new.starts_at < old.ends_at
