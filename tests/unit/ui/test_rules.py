"""The rules and the page of each: state, health, filter, plot, alerts, evaluations."""

import json
import re
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from controlplane.model.labels import Labels
from controlplane.rules.options import Rule
from controlplane.rules.state import AlertState, Condition, RuleAlert, Verdict
from controlplane.rules.status import GroupStatus, Health, RuleStatus
from controlplane.ui.pages.rules_list import Wanted, counts, read_wanted, row_of, rows_of
from tests.support.service import eventually
from tests.unit.ui.console import Reader, console, words

_SCRIPT = "<script>alert(1)</script>"
_TWO = "vector(1) or label_replace(vector(2), 'a', 'b', '', '')"


def alert(state: AlertState, value: float = 1.0) -> RuleAlert:
    return RuleAlert(Labels({"alertname": "A"}), Labels({}), value, state, active_at=1)


def status(
    rule: Rule,
    *alerts: RuleAlert,
    health: Health = Health.OK,
    error: str = "",
    condition: Condition = Condition.OK,
) -> RuleStatus:
    """Return a rule as the manager tells it."""
    return RuleStatus(
        rule_id=rule.name,
        rule=rule,
        labels=(("team", "infra"),),
        health=health,
        last_error=error,
        last_evaluation=1,
        evaluation_seconds=0.1,
        alerts=alerts,
        history=(),
        reactive=False,
        verdict=Verdict(condition, 1, "" if condition is Condition.OK else "series are missing"),
    )


def group(*rules: RuleStatus, name: str = "g", file: str = "f.yml") -> GroupStatus:
    return GroupStatus(name, file, 60_000, 0, 0, 1, 0.1, rules)


_DOWN = Rule("probe_success == 0", alert="Down")
_RATE = Rule("rate(errors[5m])", record="job:errors:rate")


@pytest.mark.parametrize(
    ("given", "state", "health"),
    [
        (status(_DOWN), "inactive", "ok"),
        (status(_DOWN, alert(AlertState.PENDING)), "pending", "ok"),
        (status(_DOWN, alert(AlertState.PENDING), alert(AlertState.FIRING)), "firing", "ok"),
        (status(_DOWN, alert(AlertState.INACTIVE)), "inactive", "ok"),
        (status(_RATE), "recording", "ok"),
        (status(_RATE, health=Health.ERROR, error="it broke"), "recording", "error"),
        (status(_DOWN, health=Health.UNKNOWN), "inactive", "unknown"),
        (
            status(_DOWN, health=Health.UNKNOWN, condition=Condition.NO_DATA),
            "inactive",
            "no_data",
        ),
        (status(_DOWN, condition=Condition.LIMIT), "inactive", "error"),
    ],
)
def test_state_and_health_of_a_rule(given: RuleStatus, state: str, health: str) -> None:
    """The worst of its alerts, and whether it can be trusted."""
    row = row_of(given)
    assert (row.state, row.health) == (state, health)


def test_the_value_of_one_alert_is_that_of_the_rule() -> None:
    """Of several none is shown."""
    one, other = alert(AlertState.FIRING, 7), alert(AlertState.FIRING, 8)
    assert row_of(status(_DOWN, one)).value == 7
    assert row_of(status(_DOWN, one, other)).value is None
    assert row_of(status(_DOWN, one, other)).firing == 2


def test_a_filter_takes_state_health_and_every_word() -> None:
    """Words may stand in the name, the expression, a label, the group or the file."""
    groups = [
        group(status(_DOWN, alert(AlertState.FIRING)), status(_RATE), name="web"),
        group(status(Rule("vector(1)", alert="Odd"), health=Health.ERROR), file="other.yml"),
    ]

    def names(wanted: Wanted) -> list[str]:
        return [row.status.rule.name for each in rows_of(groups, wanted) for row in each.rows]

    assert names(Wanted()) == ["Down", "job:errors:rate", "Odd"]
    assert names(Wanted(state="firing")) == ["Down"]
    assert names(Wanted(health="error")) == ["Odd"]
    assert names(Wanted(search="WEB rate(")) == ["job:errors:rate"]
    assert names(Wanted(search='team="infra" other')) == ["Odd"]
    assert names(Wanted(search="web odd")) == []
    assert counts(groups) == {"firing": 1, "recording": 1, "inactive": 1, "ok": 2, "error": 1}


def test_an_address_asks_for_rules() -> None:
    """What it cannot mean is left out of it."""
    wanted = read_wanted(QueryParams("state=firing&health=nonsense&text=+x+"))
    assert wanted == Wanted("firing", "", "x")
    assert wanted.fields(state="") == {"text": "x"}


async def test_without_rules_it_says_how_to_get_some(tmp_path: Path) -> None:
    """An empty list names the key of the file."""
    async with console(tmp_path) as reader:
        page = await reader.get("/rules")
    assert "There are no rules yet." in page
    assert "rule_files:" in page


def _write(directory: Path) -> str:
    rules = [
        {"record": "one", "expr": "vector(1)"},
        {
            "alert": "Always",
            "expr": "vector(3) > 2",
            "labels": {"severity": _SCRIPT},
            "annotations": {"summary": f"it is {_SCRIPT}"},
        },
        {"alert": "Never", "expr": "vector(1) > 2", "for": "5m"},
        {
            "alert": "Broken",
            "expr": f"vector(1) + on () group_left () ({_TWO})",
        },
    ]
    path = directory / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "tried", "interval": "1s", "rules": rules}]}))
    return str(path)


async def _evaluated(reader: Reader) -> None:
    async def look() -> bool:
        rules = [rule for each in reader.on.rules() for rule in each.rules]
        return all(rule.history for rule in rules) and any(rule.alerts for rule in rules)

    await eventually(look, "all rules evaluated, and an alert shown")


async def test_groups_show_what_their_rules_found(tmp_path: Path) -> None:
    """State, value, health, when and how long; what a file says is text only."""
    async with console(tmp_path, rule_files=[_write(tmp_path)]) as reader:
        await _evaluated(reader)
        page = await reader.get("/rules")
        text = words(page)
        firing = words(await reader.get("/rules?state=firing"))
        nobody = words(await reader.get("/rules?text=nothing+like+it"))
        part = await reader.get("/rules?state=firing&part=groups")
    assert _SCRIPT not in page
    assert "tried every 1s evaluated" in text
    assert re.search(r"firing Always severity =\S+ vector\(3\) > 2 3 ● ok", text)
    assert re.search(r"recording one vector\(1\) 1 series ● ok", text)
    assert "▲ error" in text
    assert "Always" in firing
    assert "Never" not in firing
    assert "No rule is like that." in nobody
    assert "<html" not in part
    assert "Always" in part


async def test_a_rule_has_a_page(tmp_path: Path) -> None:
    """Expression, limit, plot, alerts with their stories, what it gives now, evaluations."""
    async with console(tmp_path, rule_files=[_write(tmp_path)]) as reader:
        await _evaluated(reader)
        (found,) = reader.on.rules()
        ids = {rule.rule.name: rule.rule_id for rule in found.rules}
        page = await reader.get(f"/rules/{ids['Always']}?range=6h")
        never = words(await reader.get(f"/rules/{ids['Never']}"))
        broken = words(await reader.get(f"/rules/{ids['Broken']}"))
        one = words(await reader.get(f"/rules/{ids['one']}"))
        part = await reader.get(f"/rules/{ids['Always']}?part=plot")
        (told,) = found.rules[1].alerts
        story = f'href="/alerts/{told.labels.fingerprint()}"'
    assert _SCRIPT not in page
    assert '<svg class="chart"' in page
    assert 'class="threshold"' in page
    assert story in page
    assert 'href="?range=6h" aria-current="true"' in page
    assert "Dashed: the limit, > 2 ." in words(page)
    assert "The expression gives nothing: all is well." in never
    assert "for 5m" in never
    assert "▲ error" in broken
    assert "What it gives now" in one
    assert "no labels 1" in one
    assert "Last evaluations" in one
    assert "<html" not in part


async def test_a_rule_that_is_gone_is_a_page_too(tmp_path: Path) -> None:
    """404, and why that may be."""
    async with console(tmp_path) as reader:
        page = words(await reader.get("/rules/0123456789abcdef", 404))
    assert "There is no such rule." in page
