"""Every query of every dashboard gives something over a real run of the demo."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.support.dashboards import decoded, filled, panels, queries, sheets
from tests.support.demo import demo

# What may be empty here, by a part of the expression, each with the reason.
EMPTY: Final = {
    "probe_ssl_": "the demo's services speak no TLS",
    "probe_tls_": "the demo's services speak no TLS",
    "instance:probe_success:avg5m": "recorded every five minutes: the run may be shorter",
    "controlplane_remote_write_": "nothing is written to another store",
    "controlplane_ingest_": "nobody pushes samples",
    "controlplane_notifications_failed_total": "the stand-ins take every message",
    "controlplane_notifications_dead_total": "no message is given up",
    "controlplane_notifications_suppressed_total": "nothing is silenced",
    "controlplane_probe_ticks_missed_total": "nothing is late on a machine with time",
    "controlplane_task_restarts_total": "no task ends by itself",
    "controlplane_receiver_tests_total": "nobody tests a receiver",
    "controlplane_drill_": "no drill is configured",
    "controlplane_check_in_": "no check-in is configured",
    "controlplane_rule_evaluation_failures_total": "no evaluation fails",
    "controlplane_rule_group_iterations_missed_total": "nothing is late on a machine with time",
    "controlplane_rule_group_unknown_rules": "every rule can tell",
    "controlplane_job_last_success_timestamp_seconds": "jobs run by the hour",
    "controlplane_autoscaling_actions_total": "its policy is in shadow mode: nothing is scaled",
    "changes(controlplane_autoscaling_current_replicas": "as above: no change is to be marked",
    'action=~"scale_.+"': "scaling asks for minutes of pressure or of idleness",
    "probe_failure_info": "the silent service may be answering just now",
    "up{": "as above: a table of what is down may be empty",
    'ALERTS{alertstate="firing"': "alerts may have ended just now",
}


class Asked(NamedTuple):
    """A query of a panel, and whether it asks for the newest instant alone."""

    place: str
    expr: str
    now: bool


def asked() -> Iterator[Asked]:
    """Iterate over what all dashboards ask."""
    for sheet in sheets():
        board = decoded(sheet)
        for panel in panels(board):
            for target in panel["targets"]:
                place = f"{sheet.title}: {panel['title']}"
                yield Asked(place, filled(target["expr"]), target["instant"])
        for mark in board["annotations"]["list"]:
            yield Asked(f"{sheet.title}: marks", filled(mark["expr"]), now=False)


async def answer(client: httpx.AsyncClient, each: Asked, end: float) -> list[Any]:
    """Return the series that a query gives, over the last two minutes or now."""
    if each.now:
        path, when = "query", {"time": str(end)}
    else:
        path, when = "query_range", {"start": str(end - 120), "end": str(end), "step": "5"}
    got = await client.post(f"/prometheus/api/v1/{path}", data={"query": each.expr, **when})
    body = got.json()
    assert body["status"] == "success", (each, body)
    series: list[Any] = body["data"]["result"]
    return series


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_every_panel_shows_something(tmp_path: Path) -> None:
    """Each query is evaluated by our engine and gives series, or may be empty for a reason."""
    async with demo(tmp_path) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        end = time.time()  # noqa: TID251 - another process has its own clock
        empty = [
            f"{each.place}: {each.expr}"
            for each in asked()
            if not await answer(client, each, end) and not _excused(each.expr)
        ]
    assert empty == []


@pytest.mark.parametrize("part", EMPTY)
def test_no_reason_is_left_over(part: str) -> None:
    """Every reason for being empty is one of an expression that some dashboard asks."""
    assert any(
        part in expr for sheet in sheets() for _, expr in map(_filled, queries(decoded(sheet)))
    )


def _filled(query: tuple[str, str]) -> tuple[str, str]:
    return query[0], filled(query[1])


def _excused(expr: str) -> bool:
    return any(part in expr for part in EMPTY)
