"""A real Prometheus with the file that we ship, and a real nginx, around the real service."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml
from aiohttp import web

from tests.stack.files import ROOT
from tests.support.nginx import NGINX, nginx
from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.service import Service, eventually, running

_TOKEN: Final = "0123456789abcdef"
_RULE: Final = {
    "alert": "ShopDown",
    "expr": 'up{job="shop"} == 0',
    "labels": {"severity": "critical"},
    "annotations": {"summary": "seen by Prometheus"},
}


@dataclass(slots=True)
class Surroundings:
    """A service that breaks on command, a receiver, and a collector of traces, as one server."""

    url: str = ""
    works: bool = True
    told: list[dict[str, Any]] = field(default_factory=list)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer a scrape."""
        return web.Response(status=200 if self.works else 500, text="shop_orders_total 7\n")

    async def hook(self, request: web.Request) -> web.Response:
        """Take a message."""
        self.told.append(await request.json())
        return web.Response()

    async def traces(self, request: web.Request) -> web.Response:
        """Take spans."""
        await request.read()
        return web.Response()


@asynccontextmanager
async def surroundings() -> AsyncIterator[Surroundings]:
    """Give them on a free port."""
    around = Surroundings()
    application = web.Application()
    application.router.add_get("/metrics", around.metrics)
    application.router.add_post("/hook", around.hook)
    application.router.add_post("/v1/traces", around.traces)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    around.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield around
    finally:
        await runner.cleanup()


def shipped(directory: Path, service: str, front: str) -> dict[str, Any]:
    """Return prometheus.yml with the addresses of this test, at its pace, and one more rule."""
    token = directory / "api_token"
    token.write_text(_TOKEN)
    text = (ROOT / "prometheus/prometheus.yml").read_text()
    for there, here in (
        ("/run/secrets/api_token", str(token)),
        ("controlplane-1:8080, controlplane-2:8080", service),
        ("nginx:8080", front),
    ):
        text = text.replace(there, here)
    found: dict[str, Any] = yaml.safe_load(text)
    found["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in found["scrape_configs"]:
        for discovery in job.get("http_sd_configs", []):
            discovery["refresh_interval"] = "1s"
    shutil.copytree(ROOT / "prometheus/rules", directory / "rules")
    rules = {"groups": [{"name": "test", "rules": [_RULE]}]}
    (directory / "rules/test.rules.yml").write_text(yaml.safe_dump(rules))
    return found


@dataclass(slots=True)
class Stack:
    """All of it, running."""

    around: Surroundings
    service: Service
    url: str
    client: httpx.AsyncClient

    async def ask(self, path: str, **parameters: str) -> Any:
        """Return the `data` that Prometheus answers with."""
        answer = await self.client.get(f"{self.url}/api/v1/{path}", params=parameters)
        return answer.raise_for_status().json()["data"]

    async def series(self, expr: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        found: list[dict[str, Any]] = (await self.ask("query", query=expr))["result"]
        return found


@asynccontextmanager
async def stack(directory: Path) -> AsyncIterator[Stack]:
    """Start everything around a service with a token, which traces all it does."""
    async with AsyncExitStack() as exits:
        around = await exits.enter_async_context(surroundings())
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "route": {"receiver": "oncall", "group_wait": "0s", "group_interval": "1s"},
            "receivers": [
                {"name": "oncall", "webhook_configs": [{"url": f"{around.url}/hook"}]},
            ],
        }
        environment = {
            "CONTROLPLANE_API_TOKEN": _TOKEN,
            "OTEL_EXPORTER_OTLP_ENDPOINT": around.url,
            "CONTROLPLANE_TRACES_RATIO": "1",
        }
        (directory / "service").mkdir()
        (directory / "nginx").mkdir()
        (directory / "prometheus").mkdir()
        service = await exits.enter_async_context(
            running(directory / "service", configuration, environment=environment, token=_TOKEN)
        )
        address = service.url.removeprefix("http://")
        front = await exits.enter_async_context(nginx(directory / "nginx", [address]))
        url = await exits.enter_async_context(
            prometheus(
                directory / "prometheus",
                shipped(directory / "prometheus", address, front),
                "--enable-feature=exemplar-storage",
            )
        )
        client = httpx.AsyncClient(trust_env=False, timeout=30)
        yield Stack(around, service, url, await exits.enter_async_context(client))


@pytest.mark.slow
@needs_prometheus
@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
async def test_prometheus_finds_scrapes_and_pages_through_us(tmp_path: Path) -> None:
    """A registration is scraped within seconds; its failure arrives at our receiver, and ends."""
    async with stack(tmp_path) as running_stack:
        around = running_stack.around
        shop = {
            "name": "shop",
            "url": f"{around.url}/metrics",
            "metrics_url": f"{around.url}/metrics",
            "labels": {"team": "web"},
        }
        answer = await running_stack.service.request("POST", "/api/v1/targets", json=shop)
        assert answer.status_code == 201, answer.text

        orders = await eventually(
            lambda: running_stack.series("shop_orders_total"), "a scrape of the shop"
        )
        metric = orders[0]["metric"]
        assert (metric["job"], metric["team"]) == ("shop", "web")
        assert metric["instance"] == f"{around.url}/metrics"

        await eventually(
            lambda: running_stack.series('up{job="controlplane"} == 1'), "a scrape of ourselves"
        )
        await _shows_exemplars(running_stack)

        around.works = False
        (first, *_) = await eventually(lambda: _named(around, "firing"), "a message")
        assert first["labels"]["prometheus"] == "stack"
        assert first["annotations"]["summary"] == "seen by Prometheus"
        around.works = True
        await eventually(lambda: _named(around, "resolved"), "the end of it")


async def _named(around: Surroundings, status: str) -> list[dict[str, Any]]:
    alerts = [alert for message in around.told for alert in message["alerts"]]
    return [
        alert
        for alert in alerts
        if alert["labels"]["alertname"] == "ShopDown" and alert["status"] == status
    ]


async def _shows_exemplars(running_stack: Stack) -> None:
    """Prometheus keeps, with a latency of ours, the trace in which it was measured."""

    async def found() -> list[dict[str, Any]]:
        exemplars: list[dict[str, Any]] = await running_stack.ask(
            "query_exemplars",
            query="controlplane_http_request_duration_seconds_bucket",
            start="0",
            end="4102444800",
        )
        return exemplars

    await running_stack.service.request("GET", "/api/v1/targets")
    (first, *_) = await eventually(found, "an exemplar")
    assert len(first["exemplars"][0]["labels"]["trace_id"]) == 32
