"""An alerting rule: the result of its expression becomes the state of its alerts.

Belongs to the rule-evaluation thread; `alerts` is replaced whole after each
pass, so that any thread may read it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput, TooLarge
from controlplane.model.alert import Alert
from controlplane.model.duration import HOUR, SECOND
from controlplane.model.histogram import Histograms
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import Values
from controlplane.rules.options import Rule, Texts
from controlplane.rules.ports import QueryFunc, StateChange
from controlplane.rules.state import AlertState, RuleAlert, Seen, step
from controlplane.rules.templates import AlertTexts, elements, rule_functions

ALERTS: Final = "ALERTS"
ALERTS_FOR_STATE: Final = "ALERTS_FOR_STATE"
ALERT_NAME: Final = "alertname"
ALERT_STATE: Final = "alertstate"

# A pending alert that has waited this much longer than its rule's `for` was
# not watched meanwhile: the service was down. It starts to wait anew.
OUTAGE_TOLERANCE: Final = HOUR
# An alert ends by itself when its rule was not heard of for so many sendings.
_LOST_SENDINGS: Final = 4


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every rule is told of the configuration."""

    external_labels: Labels
    external_url: str
    resend_delay: Duration


@dataclass(frozen=True, slots=True)
class Produced:
    """What one evaluation gave: series and their values, and whether a state changed."""

    series: Sequence[Labels]
    values: Values
    changed: bool = True
    histograms: Histograms | None = None


@dataclass(slots=True)
class Shown:
    """The alerts of a rule as others may see them: those whose state is saved."""

    alerts: tuple[RuleAlert, ...] = ()


class AlertingRule:
    """One alerting rule of a group that is evaluated every `interval`.

    `alerts` are those of the last pass, `shown` those that others see.
    """

    def __init__(
        self,
        rule: Rule,
        rule_id: str,
        labels: Texts,
        interval: Duration,
        surroundings: Surroundings,
    ) -> None:
        """`labels` are the group's with the rule's own put over them."""
        self.rule = rule
        self.rule_id = rule_id
        self.labels = labels
        self.alerts: tuple[RuleAlert, ...] = ()
        self.shown = Shown()
        self._interval = interval
        self._surroundings = surroundings
        self._texts = AlertTexts(rule.alert, labels, rule.annotations)
        self._active: dict[Labels, RuleAlert] = {}
        self._expanded: dict[Labels, tuple[float, Labels, Labels]] = {}
        self._change = StateChange(rule_id)
        self._produced = _series(())
        self._url = generator_url(surroundings.external_url, rule.expr)

    @property
    def state(self) -> AlertState:
        """The most serious state of its alerts."""
        states = {alert.state for alert in self.alerts}
        for state in (AlertState.FIRING, AlertState.PENDING):
            if state in states:
                return state
        return AlertState.INACTIVE

    def evaluate(
        self, ts: Timestamp, query: QueryFunc, *, query_offset: Duration, limit: int
    ) -> Produced:
        """Move every alert on to `ts`; return what `ALERTS` and `ALERTS_FOR_STATE` hold now.

        Raises ControlPlaneError, with everything left as it was.
        """
        found = self._found(ts, query, query_offset)
        after: dict[Labels, RuleAlert] = {}
        for labels in self._active.keys() | found.keys():
            alert = step(
                self._active.get(labels),
                labels,
                found.get(labels),
                ts,
                hold=self.rule.for_,
                keep_firing_for=self.rule.keep_firing_for,
            )
            if alert is not None:
                after[labels] = alert
        active = [alert for alert in after.values() if alert.active]
        if limit and len(active) > limit:
            raise TooLarge(f"exceeded limit of {limit} with {len(active)} alerts")
        before, self._active = self._active, after
        if self._publish(before):
            self._produced = _series(active)
            return replace(self._produced, changed=self._changed_state(before))
        return self._produced

    def take_change(self) -> StateChange:
        """Return what changed since the last call, for the state store."""
        change, self._change = self._change, StateChange(self.rule_id)
        return change

    def due(self, ts: Timestamp, correlation_id: str) -> list[Alert]:
        """Return the alerts to be sent at `ts`, and count them as sent."""
        sent = [
            replace(alert, last_sent_at=ts)
            for alert in self._active.values()
            if alert.needs_sending(ts, self._surroundings.resend_delay)
        ]
        self._active.update((alert.labels, alert) for alert in sent)
        if sent:
            self.alerts = tuple(self._active.values())
        return [self._outgoing(alert, ts, correlation_id) for alert in sent]

    def ended(self, ts: Timestamp, correlation_id: str) -> list[Alert]:
        """Return the firing alerts as resolved at `ts`: the rule is being removed."""
        return [
            self._outgoing(
                replace(alert, state=AlertState.INACTIVE, resolved_at=ts), ts, correlation_id
            )
            for alert in self._active.values()
            if alert.state is AlertState.FIRING
        ]

    def restore(self, alerts: Iterable[RuleAlert], now: Timestamp) -> None:
        """Take back the alerts of before a restart.

        A pending alert keeps its clock, unless nobody can have watched it for
        an hour; a firing one goes on firing. For two intervals their absence
        from the result says nothing, since what they are about may not have
        been measured again yet.
        """
        until = now + 2 * self._interval
        oldest = now - self.rule.for_ - OUTAGE_TOLERANCE
        self._active = {
            alert.labels: replace(alert, unconfirmed_until=until, last_sent_at=0)
            for alert in alerts
            if alert.state is not AlertState.PENDING or alert.active_at >= oldest
        }
        self.alerts = self.shown.alerts = tuple(self._active.values())
        self._produced = _series([alert for alert in self.alerts if alert.active])

    def adopt(self, old: "AlertingRule") -> None:
        """Take over the alerts of the rule of this id before a reload."""
        self._active = dict(old._active)
        self.alerts = old.alerts
        self.shown = old.shown  # what waits to be shown of the old rule is shown of this one
        self._change = old.take_change()
        self._produced = _series([alert for alert in self.alerts if alert.active])

    def _found(self, ts: Timestamp, query: QueryFunc, query_offset: Duration) -> dict[Labels, Seen]:
        around = self._surroundings
        functions = rule_functions(ts, query, around.external_url)
        found: dict[Labels, Seen] = {}
        expanded: dict[Labels, tuple[float, Labels, Labels]] = {}
        for element, value in elements(query(self.rule.expr, ts - query_offset)):
            known = self._expanded.get(element)
            if known is None or known[0] != value:
                own, annotations = self._texts.expand(
                    element,
                    value,
                    functions,
                    external_labels=around.external_labels,
                    external_url=around.external_url,
                )
                own |= {METRIC_NAME: "", ALERT_NAME: self.rule.alert}
                known = (value, element.merge(own), annotations)
            if self._texts.pure:
                expanded[element] = known
            labels = known[1]
            if labels in found:
                raise InvalidInput(
                    "vector contains metrics with the same labelset after applying alert labels"
                )
            found[labels] = Seen(value, known[2])
        self._expanded = expanded
        return found

    def _publish(self, before: dict[Labels, RuleAlert]) -> bool:
        """Let the alerts be seen; tell whether anything that is kept of them changed."""
        self.alerts = tuple(self._active.values())
        stored = [
            alert
            for labels, alert in self._active.items()
            if alert is not (old := before.get(labels)) and _kept(alert) != _kept(old)
        ]
        forgotten = [labels for labels in before if labels not in self._active]
        if not stored and not forgotten:
            return False
        self._change = StateChange(
            self.rule_id,
            stored=[*self._change.stored, *stored],
            forgotten=[*self._change.forgotten, *forgotten],
        )
        return True

    def _changed_state(self, before: dict[Labels, RuleAlert]) -> bool:
        if before.keys() != self._active.keys():
            return True
        return any(
            before[labels].state is not alert.state for labels, alert in self._active.items()
        )

    def _outgoing(self, alert: RuleAlert, ts: Timestamp, correlation_id: str) -> Alert:
        around = self._surroundings
        lasts = _LOST_SENDINGS * max(self._interval, around.resend_delay)
        # After the clock was set back, what has happened may lie ahead: nothing
        # is told to start or to have ended later than now.
        started = min(alert.fired_at, ts)
        ended = min(alert.resolved_at, ts)
        return Alert(
            labels=around.external_labels.merge(alert.labels)
            if around.external_labels
            else alert.labels,
            annotations=alert.annotations,
            starts_at=started if alert.active else min(started, ended),
            ends_at=ts + lasts if alert.active else ended,
            updated_at=ts,
            generator_url=self._url,
            correlation_id=correlation_id,
        )


def generator_url(external_url: str, expr: str) -> str:
    """Return the link by which an alert leads to what its expression gives now."""
    return f"{external_url.rstrip('/')}/prometheus/api/v1/query?query={quote(expr, safe='')}"


def _kept(alert: RuleAlert | None) -> tuple[object, ...] | None:
    """Return what of an alert is worth a row: values and sendings change all the time."""
    if alert is None:
        return None
    return (
        alert.state,
        alert.active_at,
        alert.fired_at,
        alert.resolved_at,
        alert.keep_firing_since,
    )


def _series(active: Sequence[RuleAlert]) -> Produced:
    """Return the synthetic series of active alerts: their state, and since when."""
    series = [
        alert.labels.merge({METRIC_NAME: ALERTS, ALERT_STATE: alert.state.value})
        for alert in active
    ]
    series += [alert.labels.merge({METRIC_NAME: ALERTS_FOR_STATE}) for alert in active]
    since = [alert.active_at // SECOND for alert in active]
    values = np.array([1] * len(active) + since, dtype=np.float64)
    return Produced(series, values, changed=False)
