"""The rules as a list shows them: state, health, and which of them a filter takes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import QueryParams

from controlplane.model.labels import Labels
from controlplane.rules.state import AlertState, Condition, RuleAlert
from controlplane.rules.status import GroupStatus, Health, RuleStatus

# In the order in which a reader wants to see them.
STATES: Final = ("firing", "pending", "inactive", "recording")
HEALTHS: Final = ("error", "no_data", "ok", "unknown")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule: its `state` is one of STATES, its `health` one of HEALTHS, or `limit`."""

    status: RuleStatus
    state: str
    health: str
    reason: str
    alerts: Sequence[RuleAlert]
    labels: Sequence[tuple[str, str]]

    @property
    def firing(self) -> int:
        return sum(alert.state is AlertState.FIRING for alert in self.alerts)

    @property
    def pending(self) -> int:
        return sum(alert.state is AlertState.PENDING for alert in self.alerts)

    @property
    def value(self) -> float | None:
        """What its expression gave last, where that is one alert's value."""
        return self.alerts[0].value if len(self.alerts) == 1 else None


@dataclass(frozen=True, slots=True)
class GroupRows:
    """A group with those of its rules that are shown."""

    group: GroupStatus
    rows: Sequence[RuleRow]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules are asked for; an empty text asks for all."""

    state: str = ""
    health: str = ""
    search: str = ""

    def takes(self, group: GroupStatus, row: RuleRow) -> bool:
        """Tell whether a rule is shown: every word of the search is found somewhere in it."""
        if self.state not in ("", row.state):
            return False
        if self.health not in ("", row.health):
            return False
        rule = row.status.rule
        told = [group.name, group.file, rule.name, rule.expr, str(Labels(row.labels))]
        text = "\n".join(told).lower()
        return all(word in text for word in self.search.lower().split())

    def fields(self, **changed: str) -> Mapping[str, str]:
        """Return the fields of the address that asks for this, some changed, without the empty."""
        fields = {"state": self.state, "health": self.health, "text": self.search, **changed}
        return {name: value for name, value in fields.items() if value}


def read_wanted(params: QueryParams) -> Wanted:
    """Return what an address asks for; a state or health that there is not asks for all."""
    state, health = params.get("state", ""), params.get("health", "")
    return Wanted(
        state if state in STATES else "",
        health if health in HEALTHS else "",
        params.get("text", "").strip()[:200],
    )


def row_of(status: RuleStatus) -> RuleRow:
    """Return how one rule stands."""
    active = [alert for alert in status.alerts if alert.active]
    return RuleRow(
        status=status,
        state=_state(status, active),
        health=_health(status),
        reason=status.verdict.reason or status.last_error,
        alerts=sorted(active, key=lambda alert: (alert.state.value, alert.active_at)),
        labels=[*status.labels],
    )


def rows_of(groups: Sequence[GroupStatus], wanted: Wanted) -> Sequence[GroupRows]:
    """Return the groups that have rules to show, in the order of the files."""
    found = []
    for group in groups:
        rows = [row for row in map(row_of, group.rules) if wanted.takes(group, row)]
        if rows:
            found.append(GroupRows(group, rows))
    return found


def counts(groups: Sequence[GroupStatus]) -> Mapping[str, int]:
    """Return how many rules there are of each state and of each health."""
    found: Counter[str] = Counter()
    for group in groups:
        for status in group.rules:
            row = row_of(status)
            found.update((row.state, row.health))
    return found


def _state(status: RuleStatus, active: Sequence[RuleAlert]) -> str:
    if not status.rule.alert:
        return "recording"
    states = {alert.state for alert in active}
    if AlertState.FIRING in states:
        return "firing"
    return "pending" if states else "inactive"


def _health(status: RuleStatus) -> str:
    condition = status.verdict.condition
    if condition is not Condition.OK:
        return "error" if condition is Condition.LIMIT else condition.value
    return "error" if status.health is Health.ERROR else status.health.value
