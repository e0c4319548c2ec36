"""An alerting rule: the result of its expression becomes the state of its alerts.

Belongs to the rule-evaluation thread; `alerts` is replaced whole after each
pass, so that any thread may read it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import ControlPlaneError, InvalidInput, TooLarge
from controlplane.model import links
from controlplane.model.alert import Alert
from controlplane.model.duration import HOUR
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.rules.complaint import Complaint
from controlplane.rules.inputs import Inputs, Unread, reads_of
from controlplane.rules.options import Rule, Texts
from controlplane.rules.ports import Doubt, QueryFunc, StateChange
from controlplane.rules.produced import ALERT_NAME, Produced, series_of
from controlplane.rules.state import (
    WELL,
    AlertState,
    Condition,
    Policies,
    Policy,
    RuleAlert,
    Seen,
    Verdict,
    judge,
    step,
)
from controlplane.rules.status import Shown
from controlplane.rules.templates import AlertTexts, elements, rule_functions

# A pending alert that has waited this much longer than its rule's `for` was
# not watched meanwhile: the service was down. It starts to wait anew.
OUTAGE_TOLERANCE: Final = HOUR
# An alert ends by itself when its rule was not heard of for so many sendings.
_LOST_SENDINGS: Final = 4
_KEEP_LAST: Final = Policies()


class LimitExceeded(TooLarge):
    """A rule found more alerts than its group allows."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every rule is told of the configuration."""

    external_labels: Labels
    external_url: str
    resend_delay: Duration


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
        *,
        group: str = "",
        policies: Policies = _KEEP_LAST,
    ) -> None:
        """`labels` are the group's with the rule's own put over them."""
        self.rule = rule
        self.rule_id = rule_id
        self.labels = labels
        self.alerts: tuple[RuleAlert, ...] = ()
        self.shown = Shown()
        self.verdict = WELL
        self._interval = interval
        self._surroundings = surroundings
        self._texts = AlertTexts(rule.alert, labels, rule.annotations)
        self._active: dict[Labels, RuleAlert] = {}
        self._expanded: dict[Labels, tuple[float, Labels, Labels]] = {}
        self._change = StateChange(rule_id)
        self._produced = series_of(())
        self._url = generator_url(surroundings.external_url, rule.expr)
        self._policies = policies
        self._complaint = Complaint(rule.alert, group, labels, policies)
        self._reads = reads_of(rule.expr)
        self._made = self._reads.made | {ALERT_NAME, *(name for name, _ in labels)}
        self._last_ts: Timestamp = 0
        self._kept: set[Labels] = set()
        self._doubts: list[Doubt] = []

    @property
    def state(self) -> AlertState:
        """The most serious state of its alerts."""
        states = {alert.state for alert in self.alerts}
        for state in (AlertState.FIRING, AlertState.PENDING):
            if state in states:
                return state
        return AlertState.INACTIVE

    def evaluate(
        self,
        ts: Timestamp,
        query: QueryFunc,
        *,
        query_offset: Duration,
        limit: int,
        inputs: Inputs | None = None,
        reactive: bool = False,
    ) -> Produced:
        """Move every alert on to `ts`; return what `ALERTS` and `ALERTS_FOR_STATE` hold now.

        With `inputs`, alerts that are gone because something could not be read
        stay, unless the policy is `ok`. Raises ControlPlaneError, with
        everything left as it was.
        """
        found = self._found(ts, query, query_offset)
        unread = self._unread(found, ts - query_offset, inputs, reactive=reactive)
        keeps = bool(unread.series) and self._policies.no_data is not Policy.OK
        after, kept = self._stepped(ts, found, unread.concerns if keeps else _nobody)
        active = sum(alert.active for alert in after.values())
        if limit and active > limit:
            raise LimitExceeded(f"exceeded limit of {limit} with {active} alerts")
        condition, reason = Condition.OK, ""
        if unread.series:
            condition = Condition.NO_DATA
            reason = f"{len(unread.series)} series could not be read, such as {unread.series[0]}"
        return self._settle(ts, after, kept, judge(self.verdict, condition, reason, ts))

    def fail(self, ts: Timestamp, error: ControlPlaneError) -> Produced:
        """Move every alert on to `ts` after `evaluate` has raised: nobody can tell of any."""
        condition = Condition.LIMIT if isinstance(error, LimitExceeded) else Condition.ERROR
        keeps = self._policies.of(condition) is not Policy.OK
        after, kept = self._stepped(ts, {}, _everybody if keeps else _nobody)
        return self._settle(ts, after, kept, judge(self.verdict, condition, str(error), ts))

    def take_change(self) -> StateChange:
        """Return what changed since the last call, for the state store."""
        change, self._change = self._change, StateChange(self.rule_id)
        return change

    def take_doubts(self) -> list[Doubt]:
        """Return of which alerts the rule could no longer tell, or could again, since last."""
        doubts, self._doubts = self._doubts, []
        return doubts

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
        on_itself = [
            self._complain(verdict, ts, correlation_id, over=over)
            for verdict, over in self._complaint.due(
                self.verdict, ts, self._surroundings.resend_delay
            )
        ]
        return [*(self._outgoing(alert, ts, correlation_id) for alert in sent), *on_itself]

    def ended(self, ts: Timestamp, correlation_id: str) -> list[Alert]:
        """Return the firing alerts as resolved at `ts`: the rule is being removed."""
        on_itself = self._complaint.due(WELL, ts, self._surroundings.resend_delay)
        return [
            *(
                self._outgoing(
                    replace(alert, state=AlertState.INACTIVE, resolved_at=ts), ts, correlation_id
                )
                for alert in self._active.values()
                if alert.state is AlertState.FIRING
            ),
            *(self._complain(verdict, ts, correlation_id, over=True) for verdict, _ in on_itself),
        ]

    @property
    def series(self) -> Sequence[Labels]:
        """What `ALERTS` and `ALERTS_FOR_STATE` hold of it."""
        return self._produced.series

    def restore(self, alerts: Iterable[RuleAlert], now: Timestamp, *, warm: bool = False) -> None:
        """Take back the alerts of before a restart, or of the replica that had the rule.

        A pending alert keeps its clock, unless nobody can have watched it for
        an hour; a firing one goes on firing. For two intervals their absence
        from the result says nothing, since what they are about may not have
        been measured again yet; `warm` tells that measuring never ended.
        """
        until = 0 if warm else now + 2 * self._interval
        oldest = now - self.rule.for_ - OUTAGE_TOLERANCE
        self._active = {
            alert.labels: replace(alert, unconfirmed_until=until, last_sent_at=0)
            for alert in alerts
            if alert.state is not AlertState.PENDING or alert.active_at >= oldest
        }
        self.alerts = self.shown.alerts = tuple(self._active.values())
        self._produced = series_of([alert for alert in self.alerts if alert.active])

    def adopt(self, old: "AlertingRule") -> None:
        """Take over the alerts of the rule of this id before a reload."""
        self._active = dict(old._active)
        self.alerts = old.alerts
        self.shown = old.shown  # what waits to be shown of the old rule is shown of this one
        self._change = old.take_change()
        self.verdict, self._last_ts, self._kept = old.verdict, old._last_ts, set(old._kept)
        self._doubts = old.take_doubts()
        self._complaint.told = old._complaint.told
        self._complaint.last_sent_at = old._complaint.last_sent_at
        self._produced = series_of([alert for alert in self.alerts if alert.active])

    def _stepped(
        self,
        ts: Timestamp,
        found: Mapping[Labels, Seen],
        is_unknown: Callable[[Labels], bool],
    ) -> tuple[dict[Labels, RuleAlert], set[Labels]]:
        """Return all alerts after the pass at `ts`, and which of them were kept as unknown."""
        elapsed = max(0, ts - self._last_ts) if self._last_ts else 0
        after: dict[Labels, RuleAlert] = {}
        kept: set[Labels] = set()
        for labels in self._active.keys() | found.keys():
            before, seen = self._active.get(labels), found.get(labels)
            unknown = seen is None and before is not None and before.active and is_unknown(labels)
            alert = step(
                before,
                labels,
                seen,
                ts,
                hold=self.rule.for_,
                keep_firing_for=self.rule.keep_firing_for,
                unknown=elapsed if unknown else None,
            )
            if alert is not None:
                after[labels] = alert
                if unknown:
                    kept.add(labels)
        return after, kept

    def _settle(
        self, ts: Timestamp, after: dict[Labels, RuleAlert], kept: set[Labels], verdict: Verdict
    ) -> Produced:
        """Put the outcome of a pass in force; return what `ALERTS` holds now."""
        self._doubt(ts, kept, verdict)
        self.verdict, self._last_ts, self._kept = verdict, ts, kept
        before, self._active = self._active, after
        if self._publish(before):
            self._produced = series_of([alert for alert in after.values() if alert.active])
            return replace(self._produced, changed=self._changed_state(before))
        return self._produced

    def _unread(
        self,
        found: Mapping[Labels, Seen],
        at: Timestamp,
        inputs: Inputs | None,
        *,
        reactive: bool,
    ) -> Unread:
        """Return what could not be read; a reactive pass looks only when something is gone."""
        if inputs is None:
            return Unread((), self._made)
        calm = self.verdict.condition is Condition.OK
        gone = any(alert.active and name not in found for name, alert in self._active.items())
        if reactive and calm and not gone:
            return Unread((), self._made)
        return Unread(inputs.unread(self._reads, at), self._made)

    def _doubt(self, ts: Timestamp, kept: set[Labels], verdict: Verdict) -> None:
        """Note of which alerts the rule can no longer tell, and of which it can again."""
        external = self._surroundings.external_labels
        changed = verdict.condition is not self.verdict.condition
        for labels in kept if changed else kept - self._kept:
            named = external.merge(labels) if external else labels
            self._doubts.append(Doubt(named, ts, verdict.condition, verdict.reason))
        for labels in self._kept - kept:
            named = external.merge(labels) if external else labels
            self._doubts.append(Doubt(named, ts, Condition.OK))

    def _complain(
        self, verdict: Verdict, ts: Timestamp, correlation_id: str, *, over: bool
    ) -> Alert:
        """Return the alert on the rule itself; it ends now when it is over."""
        around = self._surroundings
        return self._complaint.alert(
            verdict,
            ts,
            lasts=0 if over else _LOST_SENDINGS * max(self._interval, around.resend_delay),
            external_labels=around.external_labels,
            generator_url=self._url,
            correlation_id=correlation_id,
        )

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
    return links.graph(external_url.rstrip("/"), expr)


def _nobody(_labels: Labels) -> bool:
    return False


def _everybody(_labels: Labels) -> bool:
    return True


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
