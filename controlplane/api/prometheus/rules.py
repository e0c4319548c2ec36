"""`/prometheus/api/v1/rules` and `alerts`: what is evaluated, and what came of it."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter

from controlplane.api.prometheus.encode import Json, instant, success
from controlplane.api.prometheus.parameters import Given, Parameters
from controlplane.api.selectors import PARAMETER, selectors
from controlplane.api.surface import On
from controlplane.errors import InvalidInput
from controlplane.model.duration import format_time
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, matches_all
from controlplane.promql.numbers import format_exponent
from controlplane.rules.state import AlertState, RuleAlert
from controlplane.rules.status import GroupStatus, RuleStatus

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])


# As Go's strconv.ParseBool reads them, in lower case.
_TRUE: Final = frozenset({"1", "t", "true"})
_FALSE: Final = frozenset({"", "0", "f", "false"})
_MOST_GROUPS: Final = 2**31 - 1


@router.get("/rules")
async def rules(given: Given, on: On) -> Json:
    """Return the rule groups with the state of each rule, a page of them when asked so."""
    wanted, page = Wanted.read(given), Page.read(given)
    shown: list[Json] = []
    for group in page.rest(on.rules()):
        found = wanted.of(group)
        if not found:
            continue
        if page.size and len(shown) == page.size:
            return success({"groups": shown, "groupNextToken": token(group)})
        shown.append(_group(group, found, alerts=wanted.alerts))
    return success({"groups": shown})


@router.get("/alerts")
async def alerts(on: On) -> Json:
    """Return the alerts that are pending or firing."""
    found = [alert for group in on.rules() for rule in group.rules for alert in _active(rule)]
    return success({"alerts": [_alert(alert) for alert in found]})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules are asked for; an empty collection asks for all. `alerts`: show theirs."""

    kind: str
    names: Collection[str]
    groups: Collection[str]
    files: Collection[str]
    selectors: Sequence[Sequence[Matcher]]
    alerts: bool

    @classmethod
    def read(cls, given: Parameters) -> "Wanted":
        """Return what a request asks for. Raises InvalidInput, ParseError."""
        kind = given.text("type").lower()
        if kind not in ("", "alert", "record"):
            raise _invalid("type", f"not supported value {kind!r}")
        exclude = given.text("exclude_alerts").lower()
        if exclude not in _TRUE | _FALSE:
            raise _invalid("exclude_alerts", f"error converting exclude_alerts: {exclude!r}")
        names, groups, files = (
            given.all(f"{key}[]") for key in ("rule_name", "rule_group", "file")
        )
        chosen = selectors(given.all(PARAMETER))
        return cls(kind, names, groups, files, chosen, alerts=exclude not in _TRUE)

    def of(self, group: GroupStatus) -> Sequence[RuleStatus]:
        """Return the rules of a group that are asked for."""
        if self.groups and group.name not in self.groups:
            return ()
        if self.files and group.file not in self.files:
            return ()
        return [rule for rule in group.rules if self._takes(rule)]

    def _takes(self, rule: RuleStatus) -> bool:
        if self.kind not in ("", "alert" if rule.rule.alert else "record"):
            return False
        if self.names and rule.rule.name not in self.names:
            return False
        if not self.selectors:
            return True
        labels = Labels(rule.labels)
        return any(matches_all(each, labels) for each in self.selectors)


@dataclass(frozen=True, slots=True)
class Page:
    """`size` groups (0: all) from the one that `begin` stands for."""

    size: int
    begin: str

    @classmethod
    def read(cls, given: Parameters) -> "Page":
        """Return the page that a request asks for. Raises InvalidInput."""
        size, begin = given.text("group_limit"), given.text("group_next_token")
        if not size:
            if begin:
                reason = "group_limit needs to be present in order to paginate over the groups"
                raise _invalid("group_next_token", reason)
            return cls(0, "")
        if not size.lstrip("+-").isdecimal() or len(size) > 11 or int(size) > _MOST_GROUPS:
            raise _invalid("group_limit", f"group_limit needs to be a valid number: {size!r}")
        if int(size) <= 0:
            raise _invalid("group_limit", "group_limit needs to be greater than 0")
        return cls(int(size), begin)

    def rest(self, groups: Sequence[GroupStatus]) -> Sequence[GroupStatus]:
        """Return the groups from the page's first one on. Raises InvalidInput."""
        if not self.begin:
            return groups
        for place, group in enumerate(groups):
            if token(group) == self.begin:
                return groups[place:]
        reason = f"invalid group_next_token {self.begin!r}. were rule groups changed?"
        raise _invalid("group_next_token", reason)


def token(group: GroupStatus) -> str:
    """Return what stands for a group in `group_next_token`: upstream's own digest."""
    return hashlib.sha256(f"{group.file};{group.name}".encode()).hexdigest()


def _group(group: GroupStatus, rules: Iterable[RuleStatus], *, alerts: bool) -> Json:
    return {
        "name": group.name,
        "file": group.file,
        "rules": [_rule(rule, alerts=alerts) for rule in rules],
        "interval": group.interval / 1000,
        "limit": group.limit,
        "evaluationTime": group.evaluation_seconds,
        "lastEvaluation": instant(group.last_evaluation),
    }


def _rule(rule: RuleStatus, *, alerts: bool) -> Json:
    shared: Json = {
        "name": rule.rule.name,
        "query": rule.rule.expr,
        "labels": dict(rule.labels),
        "health": rule.health.value,
        "lastError": rule.last_error,
        "evaluationTime": rule.evaluation_seconds,
        "lastEvaluation": instant(rule.last_evaluation),
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
        "alerts": [_alert(alert) for alert in active] if alerts else [],
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


def _invalid(name: str, reason: str) -> InvalidInput:
    return InvalidInput(f'invalid parameter "{name}": {reason}', pointer=f"?{name}")
