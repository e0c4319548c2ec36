"""Where the links in messages lead."""

import httpx
import pytest

from controlplane.model import links
from tests.unit.api.conftest import ON_SHARED


@ON_SHARED
@pytest.mark.parametrize(
    ("link", "status"),
    [
        (links.alerts(""), 200),
        (links.story("", "00000000deadbeef"), 404),
        (links.graph("", "vector(1) == 1", 1_700_000_000_000), 200),
        (links.silence("", {"alertname": "Down"}), 200),
    ],
)
async def test_every_link_leads_to_a_page(
    shared: httpx.AsyncClient, link: str, status: int
) -> None:
    """An alert that nobody knows has none."""
    answer = await shared.get(link)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_pages_show_what_their_links_name(api: httpx.AsyncClient) -> None:
    """The expression is in the query box, the matchers in the silence form."""
    page = await api.get(links.graph("", 'a{b="c&d"} > 5', 1_700_000_000_000))
    assert "a{b=&#34;c&amp;d&#34;} &gt; 5" in page.text
    form = await api.get(links.silence("", {"alertname": "Down", "team": "a b"}))
    assert "alertname=&#34;Down&#34;\nteam=&#34;a b&#34;</textarea>" in form.text
