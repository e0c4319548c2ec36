"""`/api/v1/alerts`: what fires, what has just resolved, and what was sent about it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from controlplane.api.responses import problems
from controlplane.api.surface import Surface, surface
from controlplane.api.v1.cursor import decode_cursor, encode_cursor
from controlplane.api.v1.filters import AlertFilter
from controlplane.api.v1.schemas import AlertOut, NotificationOut, Page, StoryOut
from controlplane.errors import NotFound
from controlplane.model.alert import Alert
from controlplane.model.matchers import matches_all
from controlplane.notify.message import Attempt, Message

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], responses=problems())

On = Annotated[Surface, Depends(surface)]

_MESSAGES_TOLD = 100


@router.get("")
async def list_alerts(on: On, given: Annotated[AlertFilter, Query()]) -> Page[AlertOut]:
    """List the alerts that fire, and those that resolved a short while ago, by labels."""
    now, selectors, states = on.clock.now(), given.selectors(), given.state
    after = decode_cursor(given.cursor)
    found = [
        alert
        for alert in on.alerts.list()
        if (not states or alert.status(now) in states)
        and (not selectors or any(matches_all(each, alert.labels) for each in selectors))
        and (after is None or str(alert.labels) > after)
    ]
    found.sort(key=lambda alert: str(alert.labels))
    shown = found[: given.limit]
    more = encode_cursor(str(shown[-1].labels)) if len(found) > given.limit else None
    return Page(items=[_out(on, alert) for alert in shown], next_cursor=more)


@router.get("/{fingerprint}", responses=problems(404))
async def show(fingerprint: str, on: On) -> AlertOut:
    """Return one alert."""
    alert = on.alerts.get(fingerprint)
    if alert is None:
        raise NotFound(f"there is no alert {fingerprint!r}")
    return _out(on, alert)


@router.get("/{fingerprint}/story", responses=problems(404))
async def story(fingerprint: str, on: On) -> StoryOut:
    """Return an alert with each message about it and each attempt to deliver it."""
    alert = on.alerts.get(fingerprint)
    messages = await on.notifications.about(fingerprint, _MESSAGES_TOLD)
    if alert is None and not messages:
        raise NotFound(f"there is no alert {fingerprint!r}")
    told = await with_attempts(on, messages)
    return StoryOut(alert=None if alert is None else _out(on, alert), notifications=told)


async def with_attempts(on: Surface, messages: Sequence[Message]) -> list[NotificationOut]:
    """Return messages with their attempts."""
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in await on.notifications.attempts([message.id for message in messages]):
        attempts[attempt.message_id].append(attempt)
    return [NotificationOut.of(message, attempts[message.id]) for message in messages]


def _out(on: Surface, alert: Alert) -> AlertOut:
    return AlertOut.of(alert, on.clock.now(), on.receivers_of(alert.labels))
