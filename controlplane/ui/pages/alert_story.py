"""The story of one alert, made ready to be shown: its entries, and who was told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from controlplane.alerts.decision import Kind
from controlplane.api.v1.schemas import EntryOut, NotificationOut
from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.mute.dependencies import TARGET
from controlplane.notify.message import MessageState
from controlplane.plot.axis import number_words
from controlplane.plot.subject import threshold_of
from controlplane.rules.status import GroupStatus
from controlplane.ui.pages.alert_filter import AlertFilter

# Annotations that say what to do, by the names in use.
_RUNBOOKS: Final = ("runbook_url", "runbook", "runbook_link")
# Which sign and colour an entry has; what is not here is neither good nor bad.
_SIGNS: Final[Mapping[str, str]] = {
    Kind.RECEIVED: "firing",
    Kind.RESOLVED: "resolved",
    Kind.SILENCED: "silenced",
    Kind.INHIBITED: "inhibited",
    Kind.MUTED: "muted",
    Kind.DEPENDENT: "inhibited",
    Kind.HELD: "held",
    Kind.UNKNOWN: "no_data",
    Kind.KNOWN: "ok",
    Kind.CLICKED: "acknowledged",
    "dead": "dead",
    "next_try": "queued",
    "superseded": "superseded",
}
_OUTCOMES: Final[Mapping[str, str]] = {
    "delivered": "sent",
    "refused": "failed",
    "unknown": "failed",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: `sign` names the state whose sign and colour it has, `links` lead to causes."""

    at: Timestamp
    sign: str
    what: str
    because: str
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Telling:
    """One message: to whom, why, what became of it and when."""

    place: str
    reason: str
    state: str
    at: Timestamp
    tries: int
    failure: str


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation; `href` is set where its value is an address that may be followed."""

    name: str
    text: str
    href: str


def lines(entries: Sequence[EntryOut]) -> list[Line]:
    """Return the entries of a story as lines, in their order."""
    return [
        Line(entry.at, _sign(entry), entry.what, entry.because, _links(entry)) for entry in entries
    ]


def tellings(messages: Sequence[NotificationOut]) -> list[Telling]:
    """Return who was told and when, the newest message first."""
    return [
        Telling(
            place=f"{message.receiver}/{message.integration}",
            reason=message.reason.value,
            state="sent" if message.state is MessageState.DELIVERED else message.state.value,
            at=message.created_at if message.finished_at is None else message.finished_at,
            tries=len(message.attempts),
            failure="" if message.state is MessageState.DELIVERED else message.failure,
        )
        for message in messages
    ]


def notes(annotations: Mapping[str, str]) -> list[Note]:
    """Return annotations by name."""
    return [Note(name, text, web_link(text)) for name, text in sorted(annotations.items())]


def alike(labels: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return labels with the page of all alerts that share each."""
    return [
        (name, value, AlertFilter(match=format_matchers((_same(name, value),))[1:-1]).address)
        for name, value in sorted(labels.items())
    ]


def runbook(annotations: Mapping[str, str]) -> str:
    """Return the address of the page that says what to do, empty where none is named."""
    found = (web_link(annotations.get(name, "")) for name in _RUNBOOKS)
    return next(filter(None, found), "")


def web_link(text: str) -> str:
    """Return a text that is an address of a web page, and nothing for any other.

    What a stranger's alert calls a link may be a script.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    good = parts.scheme in ("http", "https") and bool(parts.netloc) and len(text.split()) == 1
    return text if good else ""


def reading(groups: Sequence[GroupStatus], labels: Labels, outside: Mapping[str, str]) -> str:
    """Return what an alert stands at by its rule, such as `0.93 > 0.9`; empty where none tells."""
    for group in groups:
        for status in group.rules:
            if status.rule.alert != labels.value("alertname"):
                continue
            for alert in status.alerts:
                if Labels({**outside, **alert.labels}) == labels:
                    limit = threshold_of(status.rule.expr)
                    stands = number_words(alert.value)
                    if limit.threshold is None:
                        return stands
                    return f"{stands} {limit.comparison} {number_words(limit.threshold)}"
    return ""


def _same(name: str, value: str) -> Matcher:
    return Matcher(name, MatchOp.EQUAL, value)


def _sign(entry: EntryOut) -> str:
    if entry.kind == "attempt":
        return _OUTCOMES.get(str(entry.detail.get("outcome")), "queued")
    return _SIGNS.get(entry.kind, "info")


def _links(entry: EntryOut) -> list[tuple[str, str]]:
    """Return where the causes of an entry can be looked at: silences, or other alerts."""
    by = entry.detail.get("by", ())
    names = [str(each) for each in by] if isinstance(by, list | tuple) else []
    if entry.kind in (Kind.SILENCED, Kind.CLICKED):
        return [("silence", f"/silences/{quote(name, safe='')}") for name in names]
    if entry.kind in (Kind.INHIBITED, Kind.DEPENDENT):
        alerts = [name for name in names if TARGET not in name]
        return [("alert", f"/alerts/{quote(name, safe='')}") for name in alerts]
    return []
