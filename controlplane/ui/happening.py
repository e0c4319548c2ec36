"""What fires now and what changed last, as the overview shows it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Timestamp
from controlplane.events.event import Event, Kind
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.matchers import Matcher, MatchOp

_SEVERITIES: Final = ("critical", "page", "error", "warning", "info", "none")
_NAMES_SHOWN: Final = 12
_ALERTS_SHOWN: Final = 3
CHANGES_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Named:
    """The alerts of one name: the newest few, how many there are, and since when."""

    name: str
    selector: str
    count: int
    since: Timestamp
    newest: Sequence[Alert]


@dataclass(frozen=True, slots=True)
class Severity:
    """What fires with one severity; `unseen` names are not shown."""

    name: str
    selector: str
    count: int
    names: Sequence[Named]
    unseen: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed: of what kind and how it stands since, what, and where to look."""

    at: Timestamp
    kind: str
    state: str
    subject: str
    link: str
    detail: str = ""


def firing(alerts: Iterable[Alert], now: Timestamp) -> Sequence[Severity]:
    """Return what fires, the worst first, alerts of the same name together."""
    by_severity: dict[str, dict[str, list[Alert]]] = {}
    for alert in alerts:
        if alert.status(now) is AlertStatus.FIRING:
            names = by_severity.setdefault(alert.labels.value("severity"), {})
            names.setdefault(alert.name, []).append(alert)
    return [_severity(name, by_severity[name]) for name in sorted(by_severity, key=_rank)]


def changes(
    events: Iterable[Event],
    alerts: Iterable[Alert],
    name_of: Callable[[str], str | None],
    now: Timestamp,
) -> Sequence[Change]:
    """Return the last changes, the newest first.

    `events` come the newest first; `name_of` gives the name of a target's id.
    That a target is up is a change only where it was seen to be down.
    """
    found = [*_of_alerts(alerts, now), *_of_events(events, name_of)]
    found.sort(key=lambda change: change.at, reverse=True)
    return found[:CHANGES_SHOWN]


def _severity(name: str, names: dict[str, list[Alert]]) -> Severity:
    ordered = sorted(names, key=lambda each: (-len(names[each]), each))
    return Severity(
        name,
        format_matchers((Matcher("severity", MatchOp.EQUAL, name),)),
        sum(len(alerts) for alerts in names.values()),
        [_named(each, names[each]) for each in ordered[:_NAMES_SHOWN]],
        max(0, len(ordered) - _NAMES_SHOWN),
    )


def _named(name: str, alerts: Sequence[Alert]) -> Named:
    newest = sorted(alerts, key=lambda alert: alert.starts_at, reverse=True)
    selector = format_matchers((Matcher("alertname", MatchOp.EQUAL, name),))
    return Named(name, selector, len(alerts), newest[-1].starts_at, newest[:_ALERTS_SHOWN])


def _rank(severity: str) -> tuple[int, str]:
    known = severity in _SEVERITIES
    return (_SEVERITIES.index(severity) if known else len(_SEVERITIES) - 1, severity)


def _of_alerts(alerts: Iterable[Alert], now: Timestamp) -> list[Change]:
    found = []
    for alert in alerts:
        ended = alert.status(now) is AlertStatus.RESOLVED
        at = alert.ends_at if ended else alert.starts_at
        state = "resolved" if ended else "firing"
        link = f"/alerts/{alert.fingerprint}"
        found.append(Change(at, "alert", state, alert.name, link, alert.labels.value("instance")))
    return found


def _of_events(events: Iterable[Event], name_of: Callable[[str], str | None]) -> list[Change]:
    found: list[Change] = []
    was_down: set[str] = set()
    for event in reversed(list(events)):
        if event.kind is Kind.CONFIG:
            state = "ok" if event.data.get("good") else "error"
            found.append(Change(event.time, "config", state, "", "/system"))
        elif event.kind is Kind.SILENCE:
            found.append(Change(event.time, "silence", "silenced", "", "/silences"))
        elif event.kind is Kind.TARGET:
            state = str(event.data.get("state", ""))
            name = name_of(event.subject)
            if name and (state == "down" or (state == "up" and event.subject in was_down)):
                reason = str(event.data.get("reason", ""))
                link = f"/targets/{event.subject}"
                found.append(Change(event.time, "target", state, name, link, reason))
            if state == "down":
                was_down.add(event.subject)
    return found
