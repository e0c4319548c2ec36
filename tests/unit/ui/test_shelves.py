"""What readers share, over the real application: made once, and new as soon as it changes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.build import build
from controlplane.clock import SystemClock
from controlplane.config.loader import load
from controlplane.settings.settings import Settings
from tests.support.sqlite import migrated

_CONFIG = """
global: {scrape_interval: 1h, evaluation_interval: 1h}
targets:
  - {name: cart, url: "http://127.0.0.1:1/", metrics_url: "http://127.0.0.1:1/m"}
status_pages:
  - {name: main, groups: [{name: All, match: ['{job="cart"}']}]}
"""


@dataclass(frozen=True)
class Site:
    """A client of an application, and what it counts."""

    client: httpx.AsyncClient
    registry: CollectorRegistry

    def asked(self, cache: str, outcome: str) -> float:
        labels = {"cache": cache, "outcome": outcome}
        found = self.registry.get_sample_value("controlplane_cache_requests_total", labels)
        return found or 0.0


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Give an application with a status page."""
    path, registry = tmp_path / "controlplane.yml", CollectorRegistry()
    path.write_text(_CONFIG)
    settings = Settings(data_dir=tmp_path / "data", config=path, replica="test")
    settings.data_dir.mkdir(mode=0o700)
    migrated(settings.data_dir / "controlplane.db")
    async with AsyncExitStack() as stack:
        service = await build(
            settings, load(path), clock=SystemClock(), registry=registry, stack=stack
        )
        transport = httpx.ASGITransport(service.application, client=("127.0.0.1", 4711))
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        yield Site(await stack.enter_async_context(client), registry)


async def test_a_status_page_is_made_once_for_many(site: Site) -> None:
    """Each in its language; the readers who have it already are sent nothing."""
    first = await site.client.get("/status/main")
    again = await site.client.get("/status/main")
    assert again.content == first.content
    known = {"if-none-match": f'"other", {first.headers["etag"]}'}
    assert (await site.client.get("/status/main", headers=known)).status_code == 304
    assert (site.asked("status", "miss"), site.asked("status", "hit")) == (1, 2)
    german = await site.client.get("/status/main", headers={"accept-language": "de"})
    assert german.headers["content-language"] == "de"
    assert site.asked("status", "miss") == 2


async def test_whoever_tells_of_an_incident_sees_it_at_once(site: Site) -> None:
    """Though the page was made a moment before."""
    assert "Disks are full" not in (await site.client.get("/status/main")).text
    told = {"pages": ["main"], "title": "Disks are full", "text": "We are looking."}
    answer = await site.client.post("/api/v1/incidents", json=told)
    assert answer.status_code == 201, answer.text
    assert "Disks are full" in (await site.client.get("/status/main")).text


async def test_the_overview_is_warm_and_new(site: Site) -> None:
    """Its figures are there before the first reader; an alert is seen by the next one."""
    assert site.asked("messages", "miss") == 3
    assert (await site.client.get("/?part=firing")).status_code == 200
    alert = {"labels": {"alertname": "DiskFull", "severity": "critical"}}
    pushed = await site.client.post("/alertmanager/api/v2/alerts", json=[alert])
    assert pushed.status_code == 200
    assert "DiskFull" in (await site.client.get("/?part=firing")).text
    assert "DiskFull" in (await site.client.get("/?part=firing")).text
    assert site.asked("firing", "hit") == 1


async def test_what_changed_and_how_much_fires_is_counted_once(site: Site) -> None:
    """Readers of the overview share both until something happens, and then see it at once."""
    for _ in range(2):
        assert "DiskFull" not in (await site.client.get("/?part=changes")).text
        await site.client.get("/?part=numbers")
    assert site.asked("changes", "hit") >= 1
    alert = {"labels": {"alertname": "DiskFull", "severity": "critical"}}
    before = (await site.client.get("/?part=numbers")).text
    await site.client.post("/alertmanager/api/v2/alerts", json=[alert])
    assert "DiskFull" in (await site.client.get("/?part=changes")).text
    assert (await site.client.get("/?part=numbers")).text != before


async def test_discovery_is_sent_again_only_when_it_changed(site: Site) -> None:
    """Whoever asks with the tag of what he has gets a 304 until a target is another one."""
    path = "/api/v1/discovery/prometheus"
    first = await site.client.get(path)
    known = {"if-none-match": first.headers["etag"]}
    assert first.json()[0]["targets"] == ["127.0.0.1:1"]
    assert (await site.client.get(path, headers=known)).status_code == 304
    target = {"name": "new", "url": "http://127.0.0.1:2/", "metrics_url": "http://127.0.0.1:2/m"}
    assert (await site.client.post("/api/v1/targets", json=target)).status_code == 201
    changed = await site.client.get(path, headers=known)
    assert changed.status_code == 200
    assert len(changed.json()) == 2
