"""The overview: the fleet at a glance, what fires now, who is being told, what changed last."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.responses import Response

from controlplane.api.surface import Surface
from controlplane.errors import NotFound, Unavailable
from controlplane.model.alert import AlertStatus
from controlplane.notify.message import Message, MessageState
from controlplane.targets.index import State
from controlplane.ui.console import Page
from controlplane.ui.fleet import NAMED, Grouping, Standing, blocks, group
from controlplane.ui.happening import Change, changes, firing
from controlplane.ui.shelves import CHANGES, FIRING, MESSAGES

# Messages that are looked at for what waits after a failure.
_WAITING_SHOWN: Final = 50

Context = Mapping[str, Any]


async def show(page: Page) -> Response:
    """Show how everything stands, or the part of it that is asked for."""
    wanted = [page.part] if page.part in _PARTS else list(_PARTS)
    context: dict[str, Any] = {}
    for part in wanted:
        context |= await _PARTS[part](page)
    return page.render("overview.html", context)


def grouping(page: Page) -> Grouping:
    """Return the targets grouped as the reader asked for; kept until a target or label changes."""
    asked = page.request.query_params.get("by", "")[:200]
    registry = page.on.targets
    return page.console.kept.get(
        f"grouping {asked}", registry.version, lambda: group(registry.entries(), asked)
    )


def standing(page: Page) -> Standing:
    """Return how all targets stand; kept until something happens."""
    registry = page.on.targets

    def look() -> Standing:
        return Standing.of([registry.state(entry.target) for entry in registry.entries()])

    return page.console.kept.get("standing", _version(page), look)


def _version(page: Page) -> tuple[int, str]:
    return (page.on.targets.version, page.on.bus.position)


async def depth(on: Surface) -> Mapping[MessageState, int]:
    """Return how many messages there are in each state. Raises Unavailable."""
    return await on.cache.get(MESSAGES, "depth", on.notifications.depth)


async def waiting(on: Surface, state: MessageState) -> Sequence[Message]:
    """Return the newest messages in a state. Raises Unavailable."""

    async def read() -> Sequence[Message]:
        return await on.notifications.list_messages(state, before=None, limit=_WAITING_SHOWN)

    return await on.cache.get(MESSAGES, state.value, read)


async def _fleet(page: Page) -> Context:
    """Return the map: named cells of a small fleet, drawn blocks of a large one."""
    registry = page.on.targets
    stand = standing(page)
    if len(registry) <= NAMED:
        entries = [entry.target for entry in registry.entries()]
        return {"total": len(entries), "cells": list(zip(entries, stand.states, strict=True))}
    found = grouping(page)
    drawn = page.console.kept.get(
        f"blocks {found.label}", _version(page), lambda: blocks(found, stand.states)
    )
    return {"total": len(registry), "cells": None, "grouping": found, "blocks": drawn}


async def _numbers(page: Page) -> Context:
    counts = standing(page).counts
    return {
        "counts": {state.value: counts.get(state, 0) for state in State},
        "firing_counts": await page.on.cache.get(FIRING, "counts", partial(_count_firing, page.on)),
        "depth": await _depth(page.on),
    }


async def _count_firing(on: Surface) -> Mapping[str, int]:
    alerts = on.alerts.list(AlertStatus.FIRING)
    severities = Counter(alert.labels.value("severity") for alert in alerts)
    critical, warning = severities["critical"], severities["warning"]
    return {
        "critical": critical,
        "warning": warning,
        "other": len(alerts) - critical - warning,
    }


async def _depth(on: Surface) -> Mapping[str, int] | None:
    """Return how many messages are under way and dead; None while nobody can tell."""
    try:
        counts = await depth(on)
    except Unavailable:
        return None
    queued = counts.get(MessageState.QUEUED, 0) + counts.get(MessageState.SENDING, 0)
    return {"queued": queued, "dead": counts.get(MessageState.DEAD, 0)}


async def _firing(page: Page) -> Context:
    return await page.on.cache.get(FIRING, "overview", partial(_look_what_fires, page))


async def _look_what_fires(page: Page) -> Context:
    severities = firing(page.on.alerts.list(AlertStatus.FIRING), page.now)
    shown = [alert for severity in severities for named in severity.names for alert in named.newest]
    muted = {alert.fingerprint for alert in shown if any(page.on.muting(alert.labels, page.now))}
    return {"severities": severities, "muted": muted}


async def _notifications(page: Page) -> Context:
    """Return the messages that wait after a failed attempt, and those that were given up."""
    try:
        queued = await waiting(page.on, MessageState.QUEUED)
        dead = await waiting(page.on, MessageState.DEAD)
    except Unavailable:
        return {"unknown": True, "waiting": {}, "dead": {}}
    return {
        "unknown": False,
        "waiting": Counter(message.channel for message in queued if message.attempts),
        "dead": Counter(message.channel for message in dead),
    }


async def _changes(page: Page) -> Context:
    found = await page.on.cache.get(CHANGES, "overview", partial(_look_what_changed, page))
    return {"changes": found, "started": page.on.started}


async def _look_what_changed(page: Page) -> Sequence[Change]:
    def name_of(target_id: str) -> str | None:
        try:
            return page.on.targets.get(target_id).name
        except NotFound:
            return None

    return changes(page.on.bus.recent(), page.on.alerts.list(), name_of, page.now)


_PARTS: Final[Mapping[str, Callable[[Page], Awaitable[Context]]]] = {
    "numbers": _numbers,
    "fleet": _fleet,
    "firing": _firing,
    "notifications": _notifications,
    "changes": _changes,
}
