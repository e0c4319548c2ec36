"""What dashboards ask for is there: on our /metrics, in the store, or recorded by shipped rules."""

import re
from pathlib import Path

import pytest
import yaml

from controlplane.promql.ast import VectorSelector, walk
from controlplane.promql.parser import parse
from dashboards.frame import Sheet
from tests.support.dashboards import decoded, filled, queries, sheets

ROOT = Path(__file__).parents[3]
# What services expose themselves: the head of service.rules.yml says who does.
OF_SERVICES = {"http_requests_total", "http_request_duration_seconds_bucket", "service_replicas"}


def _told() -> dict[str, str]:
    """Return the kinds of all metrics that docs/metrics.md tells; tests hold it true."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ?(\w*)", page, re.MULTILINE)
    return dict(rows)


def _series() -> set[str]:
    """Return the names of all series: a histogram has three."""
    names = set()
    for name, kind in _told().items():
        if kind == "histogram":
            names |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
        else:
            names.add(name)
    return names


def _recorded() -> set[str]:
    """Return the names that shipped rules record."""
    found = set()
    for path in (ROOT / "alert_rules").glob("*.rules.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            found |= {rule["record"] for rule in group["rules"] if "record" in rule}
    return found


@pytest.mark.parametrize("sheet", sheets(), ids=lambda sheet: sheet.uid)
def test_every_metric_exists(sheet: Sheet) -> None:
    """Each name in a query and in a choice is a series of ours, of a shipped rule or a service."""
    board = decoded(sheet)
    asked = [expr for _, expr in queries(board)]
    for variable in board["templating"]["list"]:
        asked += re.findall(r"label_values\((.+), \w+\)", variable["query"])
    names = {
        node.name
        for expr in asked
        for node in walk(parse(filled(expr)))
        if isinstance(node, VectorSelector)
    }
    assert names - _series() - _recorded() - OF_SERVICES == set()


def test_services_of_the_demo_expose_what_is_theirs() -> None:
    """The names that no part of ours exposes are those that the shipped rules read."""
    text = (ROOT / "alert_rules" / "service.rules.yml").read_text()
    assert all(name in text for name in OF_SERVICES)


def test_what_is_recorded_for_the_fleet_is_shown() -> None:
    """Every series of fleet.rules.yml is on a dashboard: nothing is recorded for nobody."""
    text = (ROOT / "alert_rules" / "fleet.rules.yml").read_text()
    shown = " ".join(expr for sheet in sheets() for _, expr in queries(decoded(sheet)))
    assert [name for name in re.findall(r"record: (\S+)", text) if name not in shown] == []
