"""The log's lines about alerts: one for each that changed its state, under the evaluation's id."""

from collections.abc import Sequence
from typing import Final

from controlplane.rules.state import AlertState, RuleAlert
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Lines of one rule in one pass; when a whole network goes, the rest is a number.
_MOST_LINES: Final = 100
_BECAME: Final = {AlertState.PENDING: "alert pending", AlertState.FIRING: "alert firing"}
_RESOLVED: Final = "alert resolved"
# A pending alert whose condition went away before its `for` was over.
_INACTIVE: Final = "alert inactive"


def tell_changes(
    rule_group: str, rule: str, before: Sequence[RuleAlert], after: Sequence[RuleAlert]
) -> None:
    """Say which alerts became pending, firing, resolved, or were pending and went away."""
    old = {alert.labels: alert for alert in before}
    changed = [
        (alert, event)
        for alert in after
        if (event := _event(old.pop(alert.labels, None), alert)) is not None
    ]
    changed += [(gone, _INACTIVE) for gone in old.values() if gone.state is AlertState.PENDING]
    for alert, event in changed[:_MOST_LINES]:
        log.info(
            event,
            alert=rule,
            rule_group=rule_group,
            labels=dict(alert.labels.pairs),
            value=alert.value,
        )
    if len(changed) > _MOST_LINES:
        left = len(changed) - _MOST_LINES
        log.warning("more alerts changed", alert=rule, rule_group=rule_group, number=left)


def _event(before: RuleAlert | None, after: RuleAlert) -> str | None:
    """Return what is to be said of an alert; None when its state is as it was."""
    known = AlertState.INACTIVE if before is None else before.state
    if after.state is known:
        return None
    return _BECAME.get(after.state, _RESOLVED)
