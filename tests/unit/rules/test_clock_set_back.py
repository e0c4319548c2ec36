"""A clock that is set back: no alert of a rule is lost, and none comes back to life."""

from collections.abc import Sequence

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.alerts.merge import check
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.duration import HOUR, MINUTE
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import EMPTY, Labels
from controlplane.promql.values import Vector
from controlplane.rules.alerting import AlertingRule, Surroundings
from controlplane.rules.group import Pass
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.options import Rule
from controlplane.rules.outlet import Outlet
from tests.support.clock import ManualClock
from tests.unit.rules.world import T0, States

HOST = Labels({"instance": "a"})


class Subject:
    """A rule without `for`, and what it sends when its expression gives something or nothing."""

    def __init__(self) -> None:
        around = Surroundings(EMPTY, "http://x", MINUTE)
        self.rule = AlertingRule(Rule("up == 0", alert="Down"), "id", (), MINUTE, around)

    def at(self, ts: Timestamp, *, down: bool) -> list[Alert]:
        found = Vector(ts, [HOST] if down else [], np.ones(int(down)))
        self.rule.evaluate(ts, lambda _expr, _ts: found, query_offset=0, limit=0)
        return self.rule.due(ts, "id")


@pytest.mark.parametrize("back", [MINUTE // 2, 5 * MINUTE, HOUR])
def test_a_firing_alert_goes_on_firing(back: int) -> None:
    """What is sent at the earlier time can be accepted, and fires then."""
    subject = Subject()
    subject.at(T0, down=True)
    [alert] = subject.at(T0 - back, down=True)
    check(alert)
    assert alert.status(T0 - back) is AlertStatus.FIRING


@pytest.mark.parametrize("back", [MINUTE // 2, 5 * MINUTE, HOUR])
def test_a_firing_alert_can_end(back: int) -> None:
    """Its end is told, though it lies before its start."""
    subject = Subject()
    subject.at(T0, down=True)
    [alert] = subject.at(T0 - back, down=False)
    check(alert)
    assert alert.status(T0 - back) is AlertStatus.RESOLVED


def test_a_resolved_alert_does_not_fire_again() -> None:
    """An end that lies ahead by the clock is an end all the same."""
    subject = Subject()
    subject.at(T0, down=True)
    subject.at(T0 + MINUTE, down=False)
    [alert] = subject.at(T0 - HOUR, down=False)
    check(alert)
    assert alert.status(T0 - HOUR) is AlertStatus.RESOLVED


async def test_an_alert_that_the_sink_finds_wrong_holds_up_no_other() -> None:
    """It is dropped and counted; everything else arrives, and nothing is sent for ever."""
    taken: list[Alert] = []

    async def sink(alerts: Sequence[Alert], fence: Fence = OPEN) -> None:
        assert not fence
        if any(alert.name == "Wrong" for alert in alerts):
            raise InvalidInput("no such alert")
        taken.extend(alerts)

    registry = CollectorRegistry()
    outlet = Outlet(sink, States(), clock=ManualClock(T0), metrics=RuleMetrics(registry))
    names = ("A", "Wrong", "B")
    outlet.offer(Pass([Alert(Labels({"alertname": name}), T0, T0 + 1, T0) for name in names]))
    assert await outlet.flush()
    assert [alert.name for alert in taken] == ["A", "B"]
    assert registry.get_sample_value("controlplane_rule_alerts_dropped_total") == 1
    assert await outlet.flush()
    assert len(taken) == 2
