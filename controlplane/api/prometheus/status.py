"""`/prometheus/api/v1/rules`, `alerts`, `targets`, `status/buildinfo`: what is running."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from controlplane import __version__
from controlplane.api.prometheus.encode import Json, success
from controlplane.api.prometheus.parameters import Parameters, read_parameters
from controlplane.api.surface import Surface, surface
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import format_duration, format_time
from controlplane.promql.numbers import format_exponent
from controlplane.rules.state import AlertState, RuleAlert
from controlplane.rules.status import GroupStatus, RuleStatus
from controlplane.scrape.job import ScrapeStatus

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])

Given = Annotated[Parameters, Depends(read_parameters)]
On = Annotated[Surface, Depends(surface)]

# The version whose API is spoken here; Grafana chooses its requests by it.
_SPEAKS: Final = "3.5.0"
_NEVER: Final = "0001-01-01T00:00:00Z"


@router.get("/rules")
async def rules(given: Given, on: On) -> Json:
    """Return the rule groups with the state of each rule."""
    kind = given.text("type")
    if kind not in ("", "alert", "record"):
        raise InvalidInput(f"not supported value {kind!r}", pointer="?type")
    names, groups, files = (given.all(key) for key in ("rule_name[]", "rule_group[]", "file[]"))
    shown = []
    for group in on.rules():
        if (groups and group.name not in groups) or (files and group.file not in files):
            continue
        chosen = [
            _rule(rule)
            for rule in group.rules
            if (not names or rule.rule.name in names) and kind in ("", _kind(rule))
        ]
        if chosen or not (names or kind):
            shown.append(_group(group, chosen))
    return success({"groups": shown})


@router.get("/alerts")
async def alerts(on: On) -> Json:
    """Return the alerts that are pending or firing."""
    return success(
        {
            "alerts": [
                _alert(alert)
                for group in on.rules()
                for rule in group.rules
                for alert in _active(rule)
            ]
        }
    )


@router.get("/targets")
async def targets(given: Given, on: On) -> Json:
    """Return what is scraped, with the last scrape of each."""
    state = given.text("state")
    active = [] if state == "dropped" else [_target(each) for each in on.scrapes()]
    return success({"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}})


@router.get("/status/buildinfo")
async def build_info() -> Json:
    """Return the version whose API is spoken, and ours as its revision."""
    return success(
        {
            "version": _SPEAKS,
            "revision": f"controlplane-{__version__}",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
    )


def _group(group: GroupStatus, rules: Sequence[Json]) -> Json:
    return {
        "name": group.name,
        "file": group.file,
        "rules": list(rules),
        "interval": group.interval / 1000,
        "limit": group.limit,
        "evaluationTime": group.evaluation_seconds,
        "lastEvaluation": _time(group.last_evaluation),
    }


def _kind(rule: RuleStatus) -> str:
    return "alert" if rule.rule.alert else "record"


def _rule(rule: RuleStatus) -> Json:
    shared: Json = {
        "name": rule.rule.name,
        "query": rule.rule.expr,
        "labels": dict(rule.labels),
        "health": rule.health.value,
        "lastError": rule.last_error,
        "evaluationTime": rule.evaluation_seconds,
        "lastEvaluation": _time(rule.last_evaluation),
    }
    if not rule.rule.alert:
        return {**shared, "type": "recording"}
    active = _active(rule)
    return {
        **shared,
        "type": "alerting",
        "state": _state(active),
        "duration": rule.rule.for_ / 1000,
        "keepFiringFor": rule.rule.keep_firing_for / 1000,
        "annotations": dict(rule.rule.annotations),
        "alerts": [_alert(alert) for alert in active],
    }


def _active(rule: RuleStatus) -> list[RuleAlert]:
    return [alert for alert in rule.alerts if alert.active]


def _state(alerts: Iterable[RuleAlert]) -> str:
    states = {alert.state for alert in alerts}
    for state in (AlertState.FIRING, AlertState.PENDING):
        if state in states:
            return state.value
    return AlertState.INACTIVE.value


def _alert(alert: RuleAlert) -> Json:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "activeAt": format_time(alert.active_at),
        "value": format_exponent(alert.value),
    }


def _target(status: ScrapeStatus) -> dict[str, Any]:
    return {
        "discoveredLabels": dict(status.job.discovered),
        "labels": dict(status.job.labels),
        "scrapePool": status.job.config.job_name,
        "scrapeUrl": status.job.url,
        "globalUrl": status.job.url,
        "lastError": status.last_error,
        "lastScrape": _time(status.last_scrape),
        "lastScrapeDuration": status.last_duration,
        "health": status.health.value,
        "scrapeInterval": format_duration(status.job.interval),
        "scrapeTimeout": format_duration(status.job.timeout),
    }


def _time(instant: Timestamp | None) -> str:
    return format_time(instant) if instant else _NEVER
