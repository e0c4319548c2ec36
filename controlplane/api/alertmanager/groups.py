"""`/alertmanager/api/v2/alerts/groups`: the groups in which alerts are told."""

from collections import defaultdict
from functools import cmp_to_key
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from controlplane.api.alertmanager.alerts import is_asked_for, suppression
from controlplane.api.alertmanager.answers import DESCRIBED, found
from controlplane.api.alertmanager.parameters import GroupParameters, matchers_of
from controlplane.api.alertmanager.shapes import Json, Suppression, alert_json, group_json
from controlplane.api.surface import Surface, surface
from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, matches_all
from controlplane.routing.ports import Flush

router = APIRouter(prefix="/alertmanager/api/v2", tags=["alertmanager"], responses=DESCRIBED)

On = Annotated[Surface, Depends(surface)]


@router.get("/alerts/groups")
async def get_groups(on: On, given: Annotated[GroupParameters, Query()]) -> Response:
    """Return the groups that hold alerts, by their labels, each with the alerts asked for."""
    wanted, takes, now = matchers_of(given.filter), given.takes(), on.clock.now()
    groups = [group for group in on.groups(now) if takes(group.receiver)]
    held = [(group, _held(on, group, given, wanted, now)) for group in groups]
    receivers: dict[Labels, list[str]] = defaultdict(list)
    for group, alerts in held:
        for alert, _ in alerts:
            receivers[alert.labels].append(group.receiver)
    shown: list[Json] = []
    for group, alerts in sorted(held, key=lambda pair: _ORDER(pair[0])):
        muted_by = on.outside_hours(group)
        if not alerts or (muted_by and not given.muted):
            continue
        told = [
            alert_json(
                alert,
                sorted(receivers[alert.labels]),
                Suppression(why.silenced_by, why.inhibited_by, muted_by),
            )
            for alert, why in alerts
        ]
        shown.append(group_json(group.group_labels, group.receiver, told))
    return found(shown)


def _held(
    on: Surface,
    group: Flush,
    given: GroupParameters,
    wanted: tuple[Matcher, ...],
    now: Timestamp,
) -> list[tuple[Alert, Suppression]]:
    """Return the alerts of a group that are asked for, each with what keeps it from being told."""
    pairs = [
        (alert, suppression(on, alert, now))
        for alert in group.alerts
        if alert.status(now) is AlertStatus.FIRING and matches_all(wanted, alert.labels)
    ]
    return [(alert, why) for alert, why in pairs if is_asked_for(given, why)]


def _compare(one: Flush, other: Flush) -> int:
    """Compare as Alertmanager does: the shorter label set is first, then the receiver's name.

    Of two as long, the first is the one that lacks the first name that only
    one has, or has the smaller of two values (prometheus/common, LabelSet.Before).
    """
    mine, theirs = one.group_labels.pairs, other.group_labels.pairs
    if len(mine) != len(theirs):
        return len(mine) - len(theirs)
    for (name, value), (its_name, its_value) in zip(mine, theirs, strict=True):
        if name != its_name:
            return 1 if name < its_name else -1
        if value != its_value:
            return -1 if value < its_value else 1
    return (one.receiver > other.receiver) - (one.receiver < other.receiver)


_ORDER = cmp_to_key(_compare)
