"""The rules of Grafana's dashboard-linter, and some of ours: what makes a dashboard usable by all.

A rule that a panel may break is named with the reason.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from controlplane.promql.ast import (
    Call,
    Expr,
    MatrixSelector,
    VectorSelector,
    children,
    unwrap,
    walk,
)
from controlplane.promql.parser import parse
from controlplane.ui.routes import PLACES
from dashboards.frame import Sheet
from tests.support.dashboards import decoded, filled, panels, queries, sheets

# Units of Grafana that are in use here: a misspelled one is shown as text behind the number.
UNITS = {
    "s", "short", "none", "percentunit", "ops", "reqps", "cps", "bytes", "Bps",
}  # fmt: skip

# Where the console can be led to: its pages, and our API.
CONSOLE_PATHS = {
    *(place.path for place in PLACES),
    *json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text())["paths"],
}

# By the metric that a query selects: why it is not bound to the chosen jobs and instances.
WITHOUT_JOB = {
    "ALERTS": "alerts carry what their rules leave: many have no job",
    "ALERTS_FOR_STATE": "as ALERTS",
    "fleet:": "recorded over the whole fleet, so that it is one series",
}
WITHOUT_INSTANCE = {
    **WITHOUT_JOB,
    "service:": "recorded by job",
}


def _names(sheet: Sheet) -> str:
    return sheet.uid


def _variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in board["templating"]["list"]}


def _selectors(expr: str) -> list[VectorSelector]:
    return [node for node in walk(parse(filled(expr))) if isinstance(node, VectorSelector)]


def _excused(name: str, reasons: dict[str, str]) -> bool:
    return any(name == each or (each[-1] == ":" and name.startswith(each)) for each in reasons)


@pytest.fixture(params=sheets(), ids=_names)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Give each dashboard in turn."""
    return decoded(request.param)


def test_the_data_source_is_chosen(board: dict[str, Any]) -> None:
    """template-datasource-rule: one variable for it, with Grafana's usual name and label."""
    kinds = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
    assert [(each["name"], each["label"], each["query"]) for each in kinds] == [
        ("datasource", "Data source", "prometheus")
    ]


@pytest.mark.parametrize("name", ["job", "instance"])
def test_job_and_instance_are_chosen(board: dict[str, Any], name: str) -> None:
    """template-job-rule, template-instance-rule: both, many at once, all by `.+`."""
    variable = _variables(board)[name]
    assert variable["datasource"]["uid"] == "${datasource}"
    assert (variable["label"], variable["type"]) == (name, "query")
    assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".+")


def test_choices_follow_the_time_range(board: dict[str, Any]) -> None:
    """template-on-time-change-reload-rule: values are asked for anew when the time changes."""
    asked = [each for each in board["templating"]["list"] if each["type"] == "query"]
    assert all(each["refresh"] == 2 for each in asked)


def test_choices_chain_and_parse(board: dict[str, Any]) -> None:
    """template-label-promql-rule: each asks what was chosen before it, by a valid selector."""
    for name, variable in _variables(board).items():
        if variable["type"] != "query":
            continue
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        assert match is not None, variable["query"]
        assert isinstance(parse(filled(match[1])), VectorSelector)
        # A service that is scaled is a job of its own, and no part of the control plane.
        if name not in ("job", "console", "service"):
            assert 'job=~"$job"' in match[1], name
        if name not in ("job", "instance", "console", "service"):
            assert 'instance=~"$instance"' in match[1], name


def test_panels_ask_the_chosen_source(board: dict[str, Any]) -> None:
    """panel-datasource-rule, target-datasource: no panel names a data source of its own."""
    for panel in panels(board):
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(each["datasource"]["uid"] == "${datasource}" for each in panel["targets"])


def test_panels_say_what_they_show(board: dict[str, Any]) -> None:
    """panel-title-description-rule: a title, and a description that is a sentence."""
    for panel in panels(board):
        assert panel["title"].strip()
        assert panel["description"].endswith("."), panel["title"]


def test_panels_have_units(board: dict[str, Any]) -> None:
    """panel-units-rule: every panel has a unit that Grafana knows, a heatmap on its axis too."""
    for panel in panels(board):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        if panel["type"] == "heatmap":
            assert panel["options"]["yAxis"]["unit"] in UNITS, panel["title"]
        for override in panel["fieldConfig"].get("overrides", ()):
            units = [each["value"] for each in override["properties"] if each["id"] == "unit"]
            assert set(units) <= UNITS, panel["title"]


def test_panels_ask_something(board: dict[str, Any]) -> None:
    """panel-no-targets-rule: each panel has a query."""
    assert all(panel["targets"] for panel in panels(board))


def test_expressions_parse(board: dict[str, Any]) -> None:
    """target-promql-rule: our parser takes every expression."""
    for _, expr in queries(board):
        parse(filled(expr))


def test_nobody_edits_them_by_hand(board: dict[str, Any]) -> None:
    """uneditable-dashboard-rule: what is generated is changed where it is generated."""
    assert board["editable"] is False


def test_rates_follow_the_resolution(board: dict[str, Any]) -> None:
    """target-rate-interval-rule: rate over `$__rate_interval`, or over the whole time shown."""
    for title, expr in queries(board):
        windows = re.findall(r"\b(?:rate|irate|increase)\((?:[^\[\]]*)\[([^\]]*)\]", expr)
        assert set(windows) <= {"$__rate_interval", "$__range"}, title


def test_counters_are_not_shown_bare(board: dict[str, Any]) -> None:
    """target-counter-agg-rule: a counter is always under rate, irate or increase."""
    for title, expr in queries(board):
        bare = [
            node.name
            for node in _outside_of_rates(parse(filled(expr)))
            if isinstance(node, VectorSelector) and (node.name or "").endswith("_total")
        ]
        assert bare == [], title


@pytest.mark.parametrize(
    ("label", "excused"), [("job", WITHOUT_JOB), ("instance", WITHOUT_INSTANCE)]
)
def test_queries_are_bound_to_what_was_chosen(
    board: dict[str, Any], label: str, excused: dict[str, str]
) -> None:
    """target-job-rule, target-instance-rule: each selector has a matcher on the variable."""
    for title, expr in queries(board):
        for selector in _selectors(expr):
            name = selector.name or ""
            matched = {matcher.name: matcher.value for matcher in selector.matchers}
            if not _excused(name, excused):
                assert matched.get(label) == ".+", (title, name)


def test_alerts_are_marked_on_every_graph(board: dict[str, Any]) -> None:
    """Firing alerts are marks that can be seen, not one of a menu."""
    first, *others = board["annotations"]["list"]
    assert 'ALERTS{alertstate="firing"' in first["expr"]
    for mark in (first, *others):
        assert (mark["enable"], mark["hide"], mark["placement"]) == (True, False, "")


def test_links_lead_to_dashboards_that_exist(board: dict[str, Any]) -> None:
    """A link goes to one of ours with the time kept, or to the console; its choices exist there."""
    choices = {each.uid: set(_variables(decoded(each))) for each in sheets()}
    links = re.findall(r'"url": "([^"]+)"', _text(board))
    assert links
    for url in links:
        if url.startswith("/d/"):
            uid = url.removeprefix("/d/").partition("?")[0]
            assert "${__url_time_range}" in url
            assert set(re.findall(r"var-(\w+)=", url)) <= choices[uid]
        else:
            path = url.removeprefix("${console}").partition("?")[0]
            assert path in CONSOLE_PATHS, url


def test_links_name_columns_that_are_there(board: dict[str, Any]) -> None:
    """A link of a table reads columns of that table; one of a graph reads labels of its series."""
    for panel in panels(board):
        text = _text(panel)
        columns = set()
        for step in panel.get("transformations", ()):
            columns |= set(step["options"].get("renameByName", {}).values())
        assert set(re.findall(r"__data\.fields\.(\w+)", text)) <= columns, panel["title"]
        grouped = {
            label for _, expr in queries({**board, "panels": [panel]}) for label in _by(expr)
        }
        for label in re.findall(r"__field\.labels\.(\w+)", text):
            assert label in grouped | _whole(panel), (panel["title"], label)


def _outside_of_rates(node: Expr) -> list[Expr]:
    """Return the nodes that no rate covers."""
    node = unwrap(node)
    if isinstance(node, Call) and node.function in ("rate", "irate", "increase"):
        return []
    below = [each for child in children(node) for each in _outside_of_rates(child)]
    return [node, *below]


def _by(expr: str) -> set[str]:
    names = re.findall(r"by \(([^)]*)\)", expr)
    return {label.strip() for each in names for label in each.split(",")}


def _whole(panel: dict[str, Any]) -> set[str]:
    """Return `job` and `instance` where series are shown as they are, not summed."""
    bare = any(" by (" not in each["expr"] for each in panel["targets"])
    return {"job", "instance"} if bare else set()


def _text(value: object) -> str:
    return json.dumps(value)


def test_matrix_selectors_are_looked_into() -> None:
    """The walk of these tests sees the selector below a range."""
    nodes = list(walk(parse("rate(a_total[1m])")))
    assert any(isinstance(node, MatrixSelector) for node in nodes)
    assert [node.name for node in nodes if isinstance(node, VectorSelector)] == ["a_total"]
