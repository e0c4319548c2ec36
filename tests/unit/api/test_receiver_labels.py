"""Labels of receivers and routes in Alertmanager's API: shown, and filtered by."""

from pathlib import Path

import httpx
import pytest

from tests.unit.api.conftest import application

_API = "/alertmanager/api/v2"
_CONFIG = """
global: {scrape_interval: 1h, evaluation_interval: 1h}
route:
  receiver: first
  group_by: [alertname]
  labels: {team: sre, about: '{{ .GroupLabels.alertname }} of {{ routeLabels "team" }}'}
  routes:
    - {receiver: second, matchers: [alertname="b"], labels: {team: db}}
receivers:
  - {name: first, labels: {owner: me, tier: gold}}
  - {name: second}
"""


async def test_receivers_are_shown_and_found_by_their_labels(tmp_path: Path) -> None:
    """The name is a label of each."""
    async with application(tmp_path, _CONFIG) as api:
        everyone = (await api.get(f"{_API}/receivers")).json()
        assert everyone == [
            {"name": "first", "labels": {"name": "first", "owner": "me", "tier": "gold"}},
            {"name": "second", "labels": {"name": "second"}},
        ]
        assert await found(api, "owner=me") == ["first"]
        assert await found(api, 'owner!="me"', "name=~s.*") == ["second"]
        assert await found(api, 'tier=""') == ["second"]
        assert await found(api, "owner=you") == []


async def test_alerts_and_groups_are_found_by_labels_of_their_receivers(tmp_path: Path) -> None:
    """Groups show the labels of their route, written for them."""
    async with application(tmp_path, _CONFIG) as api:
        alerts = [{"labels": {"alertname": name}} for name in ("a", "b")]
        assert (await api.post(f"{_API}/alerts", json=alerts)).is_success
        wanted = {"receiver_matchers": "owner=me"}
        (alert,) = (await api.get(f"{_API}/alerts", params=wanted)).json()
        assert alert["labels"] == {"alertname": "a"}
        (group,) = (await api.get(f"{_API}/alerts/groups", params=wanted)).json()
        assert group["routeLabels"] == {"team": "sre", "about": "a of sre"}
        everything = (await api.get(f"{_API}/alerts/groups")).json()
        assert [each["routeLabels"]["about"] for each in everything] == ["a of sre", "b of db"]


@pytest.mark.parametrize("path", ["receivers", "alerts", "alerts/groups"])
async def test_a_bad_matcher_is_told(api: httpx.AsyncClient, path: str) -> None:
    """400 with the name of the parameter."""
    answer = await api.get(f"{_API}/{path}", params={"receiver_matchers": "=~("})
    assert answer.status_code == 400
    assert "receiver_matchers" in answer.json()


async def found(api: httpx.AsyncClient, *matchers: str) -> list[str]:
    """Return the names of the receivers with labels that match."""
    answer = await api.get(f"{_API}/receivers", params={"receiver_matchers": list(matchers)})
    return [each["name"] for each in answer.raise_for_status().json()]


async def test_the_configuration_shows_labels_where_there_are_some(
    tmp_path: Path, api: httpx.AsyncClient
) -> None:
    """An older amtool, which does not know the key, reads a configuration without any."""
    plain = (await api.get(f"{_API}/status")).json()["config"]["original"]
    assert "labels" not in plain
    (tmp_path / "other").mkdir()
    async with application(tmp_path / "other", _CONFIG) as labelled:
        shown = (await labelled.get(f"{_API}/status")).json()["config"]["original"]
    assert "tier: gold" in shown
    assert "team: db" in shown
