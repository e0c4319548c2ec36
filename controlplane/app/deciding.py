"""What rules, routing and notifying decide, put into the ledger's words."""

from collections.abc import Mapping, Sequence
from typing import Final

from controlplane.alerts.decision import Decision, Kind
from controlplane.alerts.ledger import Ledger
from controlplane.notify.integrations.slack.interactions import Clicked
from controlplane.notify.verdicts import QUEUED, UNCHANGED, Verdict
from controlplane.routing.ports import Grouped
from controlplane.rules.ports import Doubt
from controlplane.rules.state import Condition

_KINDS: Final[Mapping[str, Kind]] = {
    "silence": Kind.SILENCED,
    "inhibition": Kind.INHIBITED,
    "time_interval": Kind.MUTED,
    "dependency": Kind.DEPENDENT,
    "held": Kind.HELD,
    UNCHANGED: Kind.DEDUPLICATED,
    QUEUED: Kind.QUEUED,
}


class Deciding:
    """Takes what is decided elsewhere into the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def grouped(self, said: Grouped) -> None:
        """Keep into which group an alert went."""
        detail = {
            "group_key": said.group_key,
            "route": said.route,
            "group_wait": said.group_wait,
        }
        self._ledger.decide(
            Kind.GROUPED, (said.alert,), said.at, place=said.receiver, detail=detail
        )

    def doubted(self, doubts: Sequence[Doubt]) -> None:
        """Keep of which alerts their rules cannot tell, and that they can again."""
        self._ledger.record(
            Decision(
                doubt.labels.fingerprint(),
                doubt.at,
                Kind.KNOWN if doubt.condition is Condition.OK else Kind.UNKNOWN,
                detail={"state": doubt.condition.value, "reason": doubt.reason},
            )
            for doubt in doubts
        )

    def clicked(self, said: Clicked) -> None:
        """Keep who acted on alerts in a message, and how."""
        detail = {
            "by": [said.silence.id],
            "author": said.silence.author,
            "action": said.click.action,
            "until": said.silence.until,
        }
        self._ledger.decide(
            Kind.CLICKED, said.alerts, said.at, place="/".join(said.channel), detail=detail
        )

    def told(self, verdicts: Sequence[Verdict]) -> None:
        """Keep why integrations are told of alerts, or are not. A muter we do not know holds."""
        for verdict in verdicts:
            self._ledger.decide(
                _KINDS.get(verdict.kind, Kind.HELD),
                verdict.alerts,
                verdict.at,
                place="/".join(verdict.channel),
                detail=verdict.detail,
            )
