"""What is decided elsewhere, in the ledger's words."""

import pytest
from prometheus_client import CollectorRegistry

from controlplane.alerts.decision import Decision, Kind
from controlplane.alerts.ledger import Ledger
from controlplane.alerts.metrics import LedgerMetrics
from controlplane.app.deciding import Deciding
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.notify.verdicts import QUEUED, UNCHANGED, Verdict
from controlplane.routing.ports import Grouped
from controlplane.rules.ports import Doubt
from controlplane.rules.state import Condition
from tests.support.clock import ManualClock
from tests.unit.alerts.test_ledger import Rows

NOW = 1_700_000_000_000
ALERT = Alert(Labels({"alertname": "Down"}), NOW, NOW + 60_000, NOW, correlation_id="c-1")
CHANNEL = ("oncall", "slack/0")


class World:
    def __init__(self) -> None:
        self.rows = Rows()
        self.ledger = Ledger(self.rows, ManualClock(NOW), LedgerMetrics(CollectorRegistry()))
        self.deciding = Deciding(self.ledger)

    async def kept(self) -> list[Decision]:
        await self.ledger.flush()
        return self.rows.decisions


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("silence", Kind.SILENCED),
        ("inhibition", Kind.INHIBITED),
        ("time_interval", Kind.MUTED),
        ("dependency", Kind.DEPENDENT),
        ("held", Kind.HELD),
        ("another one", Kind.HELD),
        (UNCHANGED, Kind.DEDUPLICATED),
    ],
)
async def test_verdicts_are_kept_by_integration(said: str, kind: Kind) -> None:
    """At `receiver/integration`, under the alert's own id; what repeats is not kept."""
    world = World()
    for at in (NOW, NOW + 1):
        world.deciding.told([Verdict(said, (ALERT,), CHANNEL, at, {"by": ["x"]})])
    expected = Decision(ALERT.fingerprint, NOW, kind, "oncall/slack/0", {"by": ["x"]}, "c-1")
    assert await world.kept() == [expected]


async def test_a_message_is_told_by_the_outbox() -> None:
    """It is only remembered: the same silence after it is news."""
    world = World()
    silenced = Verdict("silence", (ALERT,), CHANNEL, NOW, {"by": ["x"]})
    world.deciding.told([silenced, Verdict(QUEUED, (ALERT,), CHANNEL, NOW, {"message": 1})])
    world.deciding.told([silenced])
    assert [each.kind for each in await world.kept()] == [Kind.SILENCED, Kind.SILENCED]


async def test_groups_are_kept_by_receiver() -> None:
    """With the route that led there, and how long it waits."""
    world = World()
    world.deciding.grouped(Grouped(ALERT, "oncall", "{}:{}", "{}", 30_000, NOW))
    detail = {"group_key": "{}:{}", "route": "{}", "group_wait": 30_000}
    (kept,) = await world.kept()
    assert (kept.kind, kept.place, kept.detail) == (Kind.GROUPED, "oncall", detail)


async def test_doubts_are_kept_by_alert() -> None:
    """That its rule cannot tell, why, and that it can again."""
    world = World()
    unread = Doubt(ALERT.labels, NOW, Condition.NO_DATA, "a series could not be read")
    world.deciding.doubted([unread, Doubt(ALERT.labels, NOW + 1, Condition.OK)])
    first, second = await world.kept()
    assert (first.kind, first.detail["reason"]) == (Kind.UNKNOWN, "a series could not be read")
    assert (first.detail["state"], second.kind) == ("no_data", Kind.KNOWN)
