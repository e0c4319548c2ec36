"""The story of an alert: the ledger's entries, its messages and their attempts, in order."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from controlplane.alerts.decision import Decision, Kind
from controlplane.api.surface import Surface
from controlplane.api.v1 import words
from controlplane.api.v1.schemas import EntryOut
from controlplane.clock import Timestamp
from controlplane.errors import NotFound
from controlplane.model.alert import AlertStatus
from controlplane.mute.dependencies import TARGET
from controlplane.notify.message import Attempt, Message, MessageState

# What happened in one instant is told in this order: what is known of an alert comes first.
_MESSAGE: Final = "message"
_ORDER: Final[Sequence[str]] = (
    Kind.KNOWN,
    Kind.UNKNOWN,
    Kind.RECEIVED,
    Kind.RESOLVED,
    Kind.GROUPED,
    Kind.CLICKED,
    Kind.SILENCED,
    Kind.INHIBITED,
    Kind.MUTED,
    Kind.DEPENDENT,
    Kind.HELD,
    Kind.DEDUPLICATED,
    Kind.QUEUED,
    _MESSAGE,
    "attempt",
    "superseded",
    "dead",
    "next_try",
)


async def tell(
    on: Surface,
    fingerprint: str,
    decisions: Sequence[Decision],
    messages: Sequence[Message],
    attempts: Mapping[int, Sequence[Attempt]],
) -> list[EntryOut]:
    """Return all that is known of an alert, from its beginning on. Raises Unavailable."""
    names = await _names(on, decisions)
    entries = [
        *(_of_decision(decision, names) for decision in decisions),
        *chain.from_iterable(
            _of_message(message, fingerprint, attempts.get(message.id, ())) for message in messages
        ),
    ]
    return sorted(entries, key=lambda entry: (entry.at, _ORDER.index(entry.kind)))


async def _names(on: Surface, decisions: Sequence[Decision]) -> dict[str, str]:
    """Return what the ids in decisions stand for, as far as it is still known."""
    names: dict[str, str] = {}
    for decision in decisions:
        by = decision.detail.get("by", ())
        for each in by if isinstance(by, list) else ():
            if each in names:
                continue
            if decision.kind in (Kind.SILENCED, Kind.CLICKED):
                names[each] = _silence(on, each)
            elif decision.kind in (Kind.INHIBITED, Kind.DEPENDENT) and TARGET not in each:
                alert = on.alerts.get(each) or await on.ledger.alert(each)
                names[each] = each if alert is None else f"{alert.labels} ({each})"
    return names


def _silence(on: Surface, silence_id: str) -> str:
    try:
        silence = on.silences.get(silence_id)
    except NotFound:
        return silence_id
    return f"{silence.created_by}, {silence.comment!r} ({silence_id})"


def _of_decision(decision: Decision, names: Mapping[str, str]) -> EntryOut:
    return _entry(
        decision.at,
        decision.kind,
        decision.place,
        words.of_decision(decision, names),
        dict(decision.detail),
        decision.correlation_id,
    )


def _of_message(
    message: Message, fingerprint: str, attempts: Sequence[Attempt]
) -> Iterator[EntryOut]:
    status = _status(message, fingerprint)

    def entry(at: Timestamp, kind: str, said: words.Said, **detail: object) -> EntryOut:
        whole = {"message": str(message.id), **detail}
        place, correlation = words.place_of(message), message.correlation_id
        return _entry(at, kind, place, said, whole, correlation)

    said = words.of_message(message, status)
    yield entry(message.created_at, _MESSAGE, said, status=status, state=message.state)
    for attempt in attempts:
        yield entry(
            attempt.at,
            "attempt",
            words.of_attempt(attempt, message),
            number=attempt.number,
            outcome=attempt.outcome,
            status_code=attempt.status_code,
            seconds=attempt.seconds,
        )
    ended = message.created_at if message.finished_at is None else message.finished_at
    if message.state is MessageState.DEAD:
        yield entry(ended, "dead", words.of_dead(message))
    elif message.state is MessageState.SUPERSEDED:
        yield entry(ended, "superseded", words.of_superseded(message))
    elif message.state is MessageState.QUEUED:
        number = message.attempts + 1
        said = words.of_next_try(message)
        yield entry(message.next_attempt_at, "next_try", said, number=number)


def _status(message: Message, fingerprint: str) -> AlertStatus:
    """Return what a message told of an alert."""
    firing = fingerprint in message.told.firing
    return AlertStatus.FIRING if firing else AlertStatus.RESOLVED


def _entry(
    at: Timestamp,
    kind: str,
    place: str,
    said: words.Said,
    detail: dict[str, object],
    correlation_id: str,
) -> EntryOut:
    what, because = said
    return EntryOut(
        at=at,
        what=what,
        because=because,
        place=place,
        kind=kind,
        detail=detail,
        correlation_id=correlation_id,
    )
