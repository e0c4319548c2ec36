"""The contract of RuleStateStore, on SQLite and PostgreSQL."""

import math
from dataclasses import replace

import pytest

from controlplane.errors import Fenced
from controlplane.model.fence import Fence
from controlplane.model.labels import Labels
from controlplane.rules.ports import StateChange
from controlplane.rules.state import AlertState, RuleAlert
from controlplane.storage.database import Database
from controlplane.storage.rules import SqlRuleStates
from tests.support.share import moved

NOW = 1_700_000_000_000


def alert(instance: str, *, state: AlertState = AlertState.PENDING) -> RuleAlert:
    """Return an alert of one instance."""
    return RuleAlert(
        labels=Labels({"alertname": "Down", "instance": instance}),
        annotations=Labels({"summary": 'it says "no" \u2603'}),
        value=0.25,
        state=state,
        active_at=NOW,
    )


async def test_what_is_saved_is_loaded(database: Database) -> None:
    """Every field that is kept comes back, under the rule it belongs to."""
    states = SqlRuleStates(database)
    firing = replace(
        alert("a", state=AlertState.FIRING), fired_at=NOW + 1, keep_firing_since=NOW + 2
    )
    resolved = replace(alert("b", state=AlertState.INACTIVE), resolved_at=NOW + 3)
    await states.save([StateChange("r1", [firing, resolved]), StateChange("r2", [alert("a")])])
    await states.save([StateChange("r3", [alert("a")])])
    loaded = await states.load(["r1", "r2", "r4"])
    assert {rule: set(alerts) for rule, alerts in loaded.items()} == {
        "r1": {firing, resolved},
        "r2": {alert("a")},
    }


async def test_values_that_are_no_numbers_are_kept(database: Database) -> None:
    """NaN and infinities come back as they were, on both engines."""
    states = SqlRuleStates(database)
    odd = [replace(alert(str(v)), value=v) for v in (math.nan, math.inf, -math.inf)]
    await states.save([StateChange("r", odd)])
    values = [each.value for each in (await states.load(["r"]))["r"]]
    assert math.inf in values
    assert -math.inf in values
    assert any(math.isnan(value) for value in values)


async def test_a_later_state_replaces_the_earlier(database: Database) -> None:
    """One alert of one rule is one row, the last one saved."""
    states = SqlRuleStates(database)
    await states.save([StateChange("r", [alert("a")])])
    fired = replace(alert("a"), state=AlertState.FIRING, fired_at=NOW + 60_000)
    await states.save([StateChange("r", [fired])])
    assert await states.load(["r"]) == {"r": [fired]}


async def test_a_forgotten_alert_is_gone(database: Database) -> None:
    """Forgetting names the alert by rule and labels, and leaves the others."""
    states = SqlRuleStates(database)
    await states.save([StateChange("r", [alert("a"), alert("b")]), StateChange("s", [alert("a")])])
    await states.save([StateChange("r", forgotten=[alert("a").labels])])
    assert await states.load(["r", "s"]) == {"r": [alert("b")], "s": [alert("a")]}


async def test_rules_that_are_gone_are_dropped(database: Database) -> None:
    """Only the rules named go, however many there are."""
    states = SqlRuleStates(database)
    names = [f"r{i}" for i in range(1200)]
    await states.save([StateChange(name, [alert("a")]) for name in names])
    assert set(await states.rule_ids()) == set(names)
    await states.forget([name for i, name in enumerate(names) if i % 400])
    assert set(await states.rule_ids()) == {"r0", "r400", "r800"}
    assert set(await states.load(names)) == {"r0", "r400", "r800"}


async def test_nothing_is_written_under_an_old_token(database: Database) -> None:
    """Neither a save nor a drop of a replica that was taken over from changes a row."""
    states = SqlRuleStates(database)
    mine = Fence(frozenset({await moved(database, "f.yml;g")}))
    await states.save([StateChange("r", [alert("a")])], mine)
    await moved(database, "f.yml;g")
    with pytest.raises(Fenced):
        await states.save([StateChange("r", [alert("b")], [alert("a").labels])], mine)
    with pytest.raises(Fenced):
        await states.forget(["r"], mine)
    assert await states.load(["r"]) == {"r": [alert("a")]}
