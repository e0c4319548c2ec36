"""`/alertmanager/api/v2/alerts`: what fires, and where other programs send their alerts to."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from controlplane.alerts.merge import received
from controlplane.api.alertmanager.answers import (
    DESCRIBED,
    as_json,
    done,
    found_all,
    refused,
    unhurried,
)
from controlplane.api.alertmanager.bodies import ALERTS_BODY, PostableAlert, read_alerts
from controlplane.api.alertmanager.parameters import AlertParameters, matchers_of
from controlplane.api.alertmanager.shapes import Suppression, alert_json
from controlplane.api.surface import On, Surface
from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.matchers import matches_all
from controlplane.telemetry.correlation import correlation_id

router = APIRouter(prefix="/alertmanager/api/v2", tags=["alertmanager"], responses=DESCRIBED)


@router.get("/alerts")
async def get_alerts(on: On, given: Annotated[AlertParameters, Query()]) -> Response:
    """Return the alerts that fire, by fingerprint, with what keeps each from being told."""
    wanted, takes, now = (
        matchers_of(given.filter),
        given.takes(on.receiver_labels()),
        on.clock.now(),
    )
    shown: list[tuple[str, str]] = []
    async for alert in unhurried(on.alerts.list(AlertStatus.FIRING), on.clock):
        if not matches_all(wanted, alert.labels):
            continue
        receivers = on.receivers_of(alert.labels)
        why = suppression(on, alert, now)
        if any(map(takes, receivers)) and is_asked_for(given, why):
            shown.append((alert.fingerprint, as_json(alert_json(alert, receivers, why))))
    return found_all(text for _, text in sorted(shown))


@router.post("/alerts", openapi_extra=ALERTS_BODY)
async def post_alerts(request: Request, on: On) -> Response:
    """Take alerts: those that can be used are kept, and the others answered with 400."""
    given = await read_alerts(request)
    now, timeout = on.clock.now(), on.alerts.resolve_timeout
    good: list[Alert] = []
    wrong: list[str] = []
    for each in given:
        try:
            good.append(_alert(each, now, timeout))
        except InvalidInput as error:
            wrong.append(error.reason)
    if good:
        await on.alerts.put(good)
    return refused("\n".join(wrong)) if wrong else done()


def suppression(on: Surface, alert: Alert, now: Timestamp) -> Suppression:
    """Return what keeps an alert from being told, whatever the hours of its group."""
    return Suppression(*on.muting(alert.labels, now))


def is_asked_for(given: Any, why: Suppression) -> bool:
    """Tell whether an alert in this state is one of those that the flags ask for."""
    if why.silenced_by or why.inhibited_by:
        return bool(
            (given.silenced or not why.silenced_by) and (given.inhibited or not why.inhibited_by)
        )
    return bool(given.active)


def _alert(given: PostableAlert, now: Timestamp, resolve_timeout: Duration) -> Alert:
    return received(
        Labels(given.labels),
        now=now,
        resolve_timeout=resolve_timeout,
        annotations=Labels(given.annotations),
        starts_at=given.starts_at,
        ends_at=given.ends_at,
        generator_url=given.generator_url,
        correlation_id=correlation_id(),
    )
