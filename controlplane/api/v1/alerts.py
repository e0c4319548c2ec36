"""`/api/v1/alerts`: what fires, what has ended, and why somebody was told of it or was not."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query

from controlplane.api.responses import problems
from controlplane.api.surface import On, Surface
from controlplane.api.v1.cursor import decode_cursor, encode_cursor
from controlplane.api.v1.filters import AlertFilter
from controlplane.api.v1.schemas import AlertOut, NotificationOut, Page, StoryOut
from controlplane.api.v1.story import tell
from controlplane.clock import Timestamp
from controlplane.errors import NotFound
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.matchers import Matcher, matches_all
from controlplane.notify.message import Attempt, Message

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], responses=problems())


_MESSAGES_TOLD: Final = 100
_DECISIONS_TOLD: Final = 1_000
# Past alerts that are looked at in one reading.
_PAST_AT_ONCE: Final = 1_000


@router.get("")
async def list_alerts(on: On, given: Annotated[AlertFilter, Query()]) -> Page[AlertOut]:
    """List the alerts that fire and, until the ledger forgets them, those that have ended.

    They are in the order of their fingerprints.
    """
    now, selectors = on.clock.now(), given.selectors()
    after, most = decode_cursor(given.cursor) or "", given.limit + 1
    kept = [
        alert
        for alert in on.alerts.list()
        if alert.fingerprint > after
        and (not given.state or alert.status(now) in given.state)
        and _matches(alert, selectors)
    ]
    past: list[Alert] = []
    if not given.state or AlertStatus.RESOLVED in given.state:
        past = await _past(on, after, selectors, most)
    found = sorted([*kept, *past], key=lambda alert: alert.fingerprint)
    shown = found[: given.limit]
    more = encode_cursor(shown[-1].fingerprint) if len(found) > given.limit else None
    return Page(items=[alert_out(on, alert, now) for alert in shown], next_cursor=more)


@router.get("/{fingerprint}", responses=problems(404))
async def show(fingerprint: str, on: On) -> AlertOut:
    """Return one alert, also one that has ended."""
    alert = await _find(on, fingerprint)
    if alert is None:
        raise NotFound(f"there is no alert {fingerprint!r}")
    return alert_out(on, alert, on.clock.now())


@router.get("/{fingerprint}/story", responses=problems(404))
async def story(fingerprint: str, on: On) -> StoryOut:
    """Return why somebody was told of an alert or was not: every decision, message and attempt."""
    alert = await _find(on, fingerprint)
    decisions = await on.ledger.story(fingerprint, _DECISIONS_TOLD)
    messages = await on.notifications.about(fingerprint, _MESSAGES_TOLD)
    if alert is None and not messages and not decisions:
        raise NotFound(f"there is no alert {fingerprint!r}")
    attempts = await _attempts(on, messages)
    return StoryOut(
        alert=None if alert is None else alert_out(on, alert, on.clock.now()),
        entries=await tell(on, fingerprint, decisions, messages, attempts),
        notifications=[NotificationOut.of(each, attempts[each.id]) for each in messages],
    )


async def with_attempts(on: Surface, messages: Sequence[Message]) -> list[NotificationOut]:
    """Return messages with their attempts."""
    attempts = await _attempts(on, messages)
    return [NotificationOut.of(message, attempts[message.id]) for message in messages]


async def _attempts(on: Surface, messages: Sequence[Message]) -> defaultdict[int, list[Attempt]]:
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    for attempt in await on.notifications.attempts([message.id for message in messages]):
        attempts[attempt.message_id].append(attempt)
    return attempts


async def _find(on: Surface, fingerprint: str) -> Alert | None:
    return on.alerts.get(fingerprint) or await on.ledger.alert(fingerprint)


async def _past(
    on: Surface, after: str, selectors: Sequence[tuple[Matcher, ...]], most: int
) -> list[Alert]:
    """Return the first `most` past alerts that match and are not kept as active ones any more."""
    found: list[Alert] = []
    while len(found) < most:
        read = await on.ledger.resolved(after=after, limit=_PAST_AT_ONCE)
        found += [
            alert
            for alert in read
            if on.alerts.get(alert.fingerprint) is None and _matches(alert, selectors)
        ]
        if len(read) < _PAST_AT_ONCE:
            break
        after = read[-1].fingerprint
    return found[:most]


def _matches(alert: Alert, selectors: Sequence[tuple[Matcher, ...]]) -> bool:
    return not selectors or any(matches_all(each, alert.labels) for each in selectors)


def alert_out(on: Surface, alert: Alert, now: Timestamp) -> AlertOut:
    """Return the answer for an alert, with whom it is for and what mutes it now."""
    firing = alert.status(now) is AlertStatus.FIRING
    muting = on.muting(alert.labels, now) if firing else ((), ())
    return AlertOut.of(alert, now, on.receivers_of(alert.labels), muting)
