"""Where the links in messages lead."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from controlplane.model import links


@pytest.mark.parametrize(
    ("link", "status"),
    [
        (links.alerts(""), 200),
        (links.story("", "00000000deadbeef"), 404),
        (links.graph("", "vector(1) == 1", 1_700_000_000_000), 200),
        (links.silence("", {"alertname": "Down"}), 200),
    ],
)
async def test_every_link_leads_somewhere(api: httpx.AsyncClient, link: str, status: int) -> None:
    """To an answer in JSON; an alert that nobody knows has no story."""
    answer = await api.get(link, follow_redirects=True)
    assert answer.status_code == status
    assert "json" in answer.headers["content-type"]
    assert answer.history[0].status_code == 307


async def test_a_graph_leads_to_the_values_of_its_moment(api: httpx.AsyncClient) -> None:
    """Expression and instant are handed on as they are."""
    answer = await api.get(links.graph("", 'a{b="c&d"} > 5', 1_700_000_000_000))
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query == {"query": ['a{b="c&d"} > 5'], "time": ["2023-11-14T22:13:20.000Z"]}
