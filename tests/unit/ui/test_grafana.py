"""Links to Grafana: the dashboard that fits, with its choices and its time; none where none is."""

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from controlplane.ui.pages import grafana
from dashboards.catalogue import every_sheet
from tests.support.alerting import firing, resolved
from tests.unit.ui.console import Reader, console

_SLOW = {"scrape_interval": "1h", "evaluation_interval": "1h"}
_TARGETS: list[dict[str, Any]] = [
    {"name": "plain", "address": "127.0.0.1:1", "module": "tcp_connect"},
    {"name": "shop", "url": "http://127.0.0.1:1/", "metrics_url": "http://127.0.0.1:1/metrics"},
]
_BASE = "https://grafana.example/g"


@pytest.mark.parametrize(
    ("labels", "uid", "choices"),
    [
        ({"job": "shop", "instance": "a:1", "policy": "of theirs"}, grafana.TARGET, 2),
        ({"job": "shop", "receiver": "of theirs"}, grafana.SERVICE, 1),
        ({"policy": "shop"}, grafana.AUTOSCALING, 1),
        ({"job": "controlplane", "instance": "r1", "policy": "shop"}, grafana.AUTOSCALING, 1),
        ({"receiver": "ops"}, grafana.RECEIVERS, 1),
        ({"job": "controlplane", "instance": "r1"}, grafana.ITSELF, 0),
        ({"alertname": "Anything"}, grafana.FLEET, 0),
        ({"job": ""}, grafana.FLEET, 0),
    ],
)
def test_the_dashboard_that_fits(labels: dict[str, str], uid: str, choices: int) -> None:
    """By the labels; those of others are not taken for ours."""
    found, names = grafana.fitting(labels)
    assert (found, len(names)) == (uid, choices)


def test_the_dashboards_and_their_choices_exist() -> None:
    """What is linked to is one of ours, and has a variable for each choice."""
    boards = {sheet.uid: {each.name for each in sheet.variables} for sheet in every_sheet()}
    for uid, names in (*grafana.OF_SERVICES, *grafana.OF_OURS, (grafana.ITSELF, ())):
        assert set(names) <= boards[uid]


async def test_nothing_is_linked_unless_somebody_says_where(tmp_path: Path) -> None:
    """No Grafana is guessed."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_TARGETS) as reader:
        alert = await fire(reader)
        for path in (f"/alerts/{alert}", target(reader, "shop")):
            assert "Grafana" not in await reader.get(path)


async def test_a_target_leads_to_its_dashboards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of its probes, and that of its requests if it tells of any, over the chosen range."""
    async with console(tmp_path, **{"global": _SLOW}, targets=_TARGETS) as reader:
        known(reader, monkeypatch)
        plain = links(await reader.get(target(reader, "plain")))
        shop = links(await reader.get(target(reader, "shop") + "?range=1h"))
    assert [urlsplit(each).path for each in plain] == [f"/g/d/{grafana.TARGET}"]
    paths = [urlsplit(each).path for each in shop]
    assert paths == [f"/g/d/{grafana.TARGET}", f"/g/d/{grafana.SERVICE}"]
    asked = parse_qs(urlsplit(shop[0]).query)
    assert (asked["var-job"], asked["var-instance"]) == (["shop"], ["http://127.0.0.1:1/"])
    assert asked["to"] == ["now"]
    assert abs(int(asked["from"][0]) - (reader.now - 3_600_000)) < 60_000


async def test_an_alert_leads_to_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an hour before it began, to now or a while after it ended."""
    async with console(tmp_path, **{"global": _SLOW}) as reader:
        known(reader, monkeypatch)
        fingerprint = await fire(reader)
        (link,) = links(await reader.get(f"/alerts/{fingerprint}"))
        began = reader.on.alerts.list()[0].starts_at
        asked = parse_qs(urlsplit(link).query)
        assert (asked["from"], asked["to"]) == ([str(began - 3_600_000)], ["now"])
        await reader.on.alerts.put([resolved(reader.on.alerts.list()[0], reader.now)])
        (link,) = links(await reader.get(f"/alerts/{fingerprint}"))
        assert int(parse_qs(urlsplit(link).query)["to"][0]) > began


async def test_a_policy_leads_to_its_dashboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the policy chosen."""
    policy = {
        "name": "shop",
        "max_replicas": 2,
        "metrics": [{"name": "load", "query": "vector(1)", "target": {"value": 1}}],
    }
    async with console(tmp_path, autoscaling=[policy]) as reader:
        known(reader, monkeypatch)
        (link,) = links(await reader.get("/autoscaling/shop"))
    assert urlsplit(link).path == f"/g/d/{grafana.AUTOSCALING}"
    assert parse_qs(urlsplit(link).query)["var-policy"] == ["shop"]


def known(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say where Grafana is."""
    monkeypatch.setattr(type(reader.on), "grafana_url", _BASE)


def links(page: str) -> list[str]:
    """Return the links to Grafana on a page."""
    return [html.unescape(each) for each in re.findall(rf'href="({re.escape(_BASE)}[^"]*)"', page)]


def target(reader: Reader, name: str) -> str:
    """Return the path of a target's page."""
    found = reader.on.targets.named(name)
    assert found is not None
    return f"/targets/{found.id}"


async def fire(reader: Reader) -> str:
    """Have an alert; return its fingerprint."""
    alert = firing(reader.now)
    await reader.on.alerts.put([alert])
    return alert.fingerprint
