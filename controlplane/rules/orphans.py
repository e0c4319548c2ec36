"""Alerts of rules that no file has any more: what is kept of them is dropped.

A single replica does so at once, and tells at its start that they have ended. Of
several, one does it for all, and waits: while files are being changed, replica
after replica, what one does not know yet is no orphan. It tells nothing: an
alert ends by itself when nobody sends it any more.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError, Fenced
from controlplane.model.alert import Alert
from controlplane.model.duration import MINUTE
from controlplane.model.share import Share
from controlplane.rules.alerting import AlertingRule, Surroundings
from controlplane.rules.group import Pass
from controlplane.rules.options import Rule, RulesOptions
from controlplane.rules.ports import RuleStateStore
from controlplane.rules.state import RuleAlert
from controlplane.telemetry.correlation import new_correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Whose work it is, among the replicas that evaluate rules.
KEY: Final = "rules/forget"
# How long the replicas may have different files.
_ROLLING: Final[Duration] = 10 * MINUTE


class Orphans:
    """Belongs to the event loop."""

    def __init__(
        self, states: RuleStateStore, share: Share, clock: Clock, offer: Callable[[Pass], None]
    ) -> None:
        self._states = states
        self._share = share
        self._clock = clock
        self._offer = offer
        self._since: dict[str, Timestamp] = {}

    async def end(
        self, known: frozenset[str], options: RulesOptions, *, starting: bool = False
    ) -> None:
        """Drop the alerts of rules that are not `known`; what fails is done the next time."""
        if not self._share.owns(KEY):
            self._since = {}
            return
        try:
            fence = self._share.fence([KEY])
            gone = await self._gone(known, _ROLLING if fence else 0)
            if gone and starting and not fence:
                kept = await self._states.load(gone)
                self._offer(Pass(_ended(kept, options, self._clock.now()), group=KEY))
            if gone:
                await self._states.forget(gone, fence)
        except Fenced:
            self._since = {}
        except ControlPlaneError as refused:
            log.warning("state of removed rules not dropped", reason=str(refused))

    async def _gone(self, known: frozenset[str], patience: Duration) -> list[str]:
        """Return the rules that nobody can have known for so long."""
        now, kept = self._clock.now(), await self._states.rule_ids()
        self._since = {
            rule_id: self._since.get(rule_id, now) for rule_id in kept if rule_id not in known
        }
        return [rule_id for rule_id, since in self._since.items() if since + patience <= now]


def _ended(
    kept: Mapping[str, Sequence[RuleAlert]], options: RulesOptions, now: Timestamp
) -> list[Alert]:
    around = Surroundings(options.external_labels, options.external_url, options.resend_delay)
    correlation_id = new_correlation_id()
    alerts: list[Alert] = []
    for rule_id, orphans in kept.items():
        nothing = Rule(expr="vector(0)")
        rule = AlertingRule(nothing, rule_id, (), options.evaluation_interval, around)
        rule.restore(orphans, now)
        alerts += rule.ended(now, correlation_id)
    return alerts
