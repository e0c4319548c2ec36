"""`/alertmanager/api/v2/alerts/groups`: the groups in which alerts are told."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from controlplane.api.alertmanager.alerts import is_asked_for, suppression
from controlplane.api.alertmanager.answers import (
    DESCRIBED,
    as_json,
    found_body,
    list_of,
    unhurried,
)
from controlplane.api.alertmanager.parameters import GroupParameters, matchers_of
from controlplane.api.alertmanager.shapes import Suppression, alert_json, group_json
from controlplane.api.cache import Shelf
from controlplane.api.surface import On, Surface
from controlplane.events.event import Kind
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.duration import SECOND
from controlplane.model.labels import Labels
from controlplane.model.matchers import matches_all
from controlplane.routing.ports import Flush

router = APIRouter(prefix="/alertmanager/api/v2", tags=["alertmanager"], responses=DESCRIBED)


_SHELF: Final = Shelf(
    "alertmanager_groups",
    SECOND,
    frozenset({Kind.ALERT, Kind.SILENCE, Kind.TARGET, Kind.RULES, Kind.CONFIG, Kind.NOTIFICATION}),
    most=32,
)


@router.get("/alerts/groups")
async def get_groups(
    request: Request, on: On, given: Annotated[GroupParameters, Query()]
) -> Response:
    """Return the groups that hold alerts, by their labels, each with the alerts asked for.

    Dashboards ask for them again and again: an answer is that of all who ask the
    same until something changes, for a second at most.
    """
    asked = _Asked(on, given)
    # A group may be made a moment after its alert was told of.
    groups, alerts = on.groups_size()
    key = f"{groups} {alerts} {request.url.query}"
    return found_body(await on.cache.get(_SHELF, key, lambda: _list(on, given, asked)))


async def _list(on: Surface, given: GroupParameters, asked: "_Asked") -> bytes:
    takes = given.takes(on.receiver_labels())
    groups = [group for group in on.groups(asked.now) if takes(group.receiver)]
    held = [(group, await asked.of(group)) async for group in unhurried(in_order(groups), on.clock)]
    receivers: dict[Labels, list[str]] = defaultdict(list)
    for group, alerts in held:
        for alert, _ in alerts:
            receivers[alert.labels].append(group.receiver)
    shown: list[str] = []
    async for group, alerts in unhurried(held, on.clock):
        muted_by = on.outside_hours(group)
        if not alerts or (muted_by and not given.muted):
            continue
        told = [
            alert_json(alert, sorted(receivers[alert.labels]), replace(why, muted_by=muted_by))
            async for alert, why in unhurried(alerts, on.clock)
        ]
        shown.append(as_json(group_json(group, await on.route_labels(group), told)))
    return list_of(shown)


class _Asked:
    """Which alerts of a group a request asks for."""

    def __init__(self, on: Surface, given: GroupParameters) -> None:
        self.now = on.clock.now()
        self._on = on
        self._given = given
        self._wanted = matchers_of(given.filter)

    async def of(self, group: Flush) -> list[tuple[Alert, Suppression]]:
        """Return them in order, each with what keeps it from being told."""
        found: list[tuple[Alert, Suppression]] = []
        async for alert in unhurried(group.alerts, self._on.clock):
            if alert.status(self.now) is not AlertStatus.FIRING:
                continue
            if matches_all(self._wanted, alert.labels):
                why = suppression(self._on, alert, self.now)
                if is_asked_for(self._given, why):
                    found.append((alert, why))
        return found


def in_order(groups: Collection[Flush]) -> list[Flush]:
    """Return groups as Alertmanager orders them: by the number of labels, labels, receiver.

    Of two as long, the first is the one that lacks the first name that only
    one has, or has the smaller of two values (prometheus/common, LabelSet.Before).
    """
    names = sorted({name for group in groups for name in group.group_labels}, reverse=True)
    rank = {name: place for place, name in enumerate(names)}

    def place_of(group: Flush) -> tuple[object, ...]:
        pairs = group.group_labels.pairs
        return len(pairs), [(rank[name], value) for name, value in pairs], group.receiver

    return sorted(groups, key=place_of)
