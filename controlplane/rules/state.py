"""The state of one alert: the one function here shows all transitions.

    (none) ──seen──> PENDING ──held for `for`──> FIRING ──not seen──> RESOLVED ──15 m──> (none)
                      │  ↺ unknown                 │ ↺ `keep_firing_for`, unknown │
                      └──not seen──> (none)        └──`for` grew──> PENDING       └──seen──> PENDING

Semantics of Prometheus' rules/alerting.go (AlertingRule.Eval): a `for` of zero
fires in the pass that first sees the alert; a resolved alert stays for 15
minutes, so that its end is told more than once. Beyond Prometheus, not seen is
not the same as *unknown*: what its rule could not tell stays as it was, and
the clock of a pending alert stands still (`Condition`, `Policy`).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import MINUTE
from controlplane.model.labels import EMPTY, Labels

RESOLVED_RETENTION: Final = 15 * MINUTE


class AlertState(StrEnum):
    """Prometheus' names; a resolved alert is one that is inactive and still remembered."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


class Condition(StrEnum):
    """What a pass of a rule was worth."""

    OK = "ok"
    ERROR = "error"  # the query failed
    NO_DATA = "no_data"  # series that it reads could not be read
    LIMIT = "limit"  # it found more alerts than its group allows


class Policy(StrEnum):
    """What follows from `error` and `no_data`, as `rule_settings` say."""

    KEEP_LAST = "keep_last"
    ALERT = "alert"  # keep, and raise an alert on the rule
    OK = "ok"  # as if the expression had given nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """The condition of a rule: since when, and why."""

    condition: Condition = Condition.OK
    since: Timestamp = 0
    reason: str = ""


WELL: Final = Verdict()


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy for each condition that has one. Over its limit a rule always alerts."""

    no_data: Policy = Policy.KEEP_LAST
    error: Policy = Policy.KEEP_LAST

    def of(self, condition: Condition) -> Policy:
        """Return what follows from a condition other than `ok`."""
        if condition is Condition.LIMIT:
            return Policy.ALERT
        return self.no_data if condition is Condition.NO_DATA else self.error


def judge(before: Verdict, condition: Condition, reason: str, ts: Timestamp) -> Verdict:
    """Return the verdict after a pass at `ts`; the same condition goes on."""
    if condition is before.condition and condition is not Condition.OK:
        return replace(before, reason=reason)
    return before if condition is before.condition else Verdict(condition, ts, reason)


@dataclass(frozen=True, slots=True)
class Seen:
    """An element of the result of the rule's expression, its templates expanded."""

    value: float
    annotations: Labels = EMPTY


@dataclass(frozen=True, slots=True)
class RuleAlert:
    """One alert of a rule. Instants are 0 where they have not come."""

    labels: Labels
    annotations: Labels
    value: float
    state: AlertState
    active_at: Timestamp
    fired_at: Timestamp = 0
    resolved_at: Timestamp = 0
    keep_firing_since: Timestamp = 0
    last_sent_at: Timestamp = 0
    # Until then an absence says nothing: the alert was restored after a
    # restart, and what it is about may not have been measured again yet.
    unconfirmed_until: Timestamp = 0

    @property
    def active(self) -> bool:
        return self.state is not AlertState.INACTIVE

    def needs_sending(self, ts: Timestamp, resend_delay: Duration) -> bool:
        """Tell whether the alert is due to be sent (again).

        One that was sent "later than now" is: the clock has been set back.
        """
        if self.state is AlertState.PENDING:
            return False
        if self.resolved_at > self.last_sent_at or self.last_sent_at > ts:
            return True
        return self.last_sent_at + resend_delay < ts


def step(
    alert: RuleAlert | None,
    labels: Labels,
    seen: Seen | None,
    ts: Timestamp,
    *,
    hold: Duration,
    keep_firing_for: Duration,
    unknown: Duration | None = None,
) -> RuleAlert | None:
    """Return what becomes of the alert named by `labels` in the pass at `ts`.

    `alert` is what was there, `seen` what the expression gave, None for
    nothing; `hold` is the rule's `for`. `unknown` is given when nothing means
    that nobody can tell: the time since the pass before. The very same object
    comes back when nothing changed.
    """
    if seen is not None:
        alert = _seen(alert, labels, seen, ts)
    elif alert is None or ts < alert.unconfirmed_until:
        return alert
    elif alert.state is AlertState.INACTIVE:
        return None if ts - alert.resolved_at > RESOLVED_RETENTION else alert
    elif unknown is not None:
        pending = alert.state is AlertState.PENDING and unknown > 0
        return replace(alert, active_at=min(alert.active_at + unknown, ts)) if pending else alert
    elif alert.state is AlertState.PENDING:
        return None
    else:
        since = alert.keep_firing_since or ts
        if ts - since >= keep_firing_for:
            return replace(alert, state=AlertState.INACTIVE, resolved_at=ts)
        if not alert.keep_firing_since:
            alert = replace(alert, keep_firing_since=since)

    held = ts - alert.active_at
    if alert.state is AlertState.PENDING and held >= hold:
        return replace(alert, state=AlertState.FIRING, fired_at=ts)
    if alert.state is AlertState.FIRING and 0 <= held < hold:
        # The rule's `for` was made longer by a reload.
        return replace(
            alert, state=AlertState.PENDING, fired_at=0, last_sent_at=0, keep_firing_since=0
        )
    return alert


def _seen(alert: RuleAlert | None, labels: Labels, seen: Seen, ts: Timestamp) -> RuleAlert:
    """Return the alert as active, with the value and annotations of this pass."""
    if alert is None or not alert.active:
        return RuleAlert(labels, seen.annotations, seen.value, AlertState.PENDING, active_at=ts)
    set_back = alert.state is AlertState.PENDING and alert.active_at > ts
    calm = not (alert.keep_firing_since or alert.unconfirmed_until or set_back)
    if calm and alert.value == seen.value and alert.annotations == seen.annotations:
        return alert
    return replace(
        alert,
        annotations=seen.annotations,
        value=seen.value,
        # With the clock set back, start waiting again, not an hour later.
        active_at=ts if set_back else alert.active_at,
        keep_firing_since=0,
        unconfirmed_until=0,
    )
