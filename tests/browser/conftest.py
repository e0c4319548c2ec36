"""A service with something to look at, and a browser that looks.

Whatever the browser's console complains of (a script's fault, a breach of the
content security policy, a file that is not there) fails the test.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.support.service import Service, running
from tests.support.web import Web, answer, web

CHROMIUM: Final = shutil.which("chromium")
SCREENSHOTS: Final = Path("build/screenshots")
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_RULES: Final = """
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopDown
        expr: probe_success{team="shop"} == 0
        for: 0s
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} does not answer"}
      - record: job:probe_success:avg
        expr: avg by (job) (probe_success)
"""
DESKTOP: Final = (1280, 800)
PHONE: Final = (390, 844)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here: a browser is slow by nature, and not everywhere."""
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="chromium: not installed"))


@dataclass
class Visitor:
    """One person with one window."""

    base: str
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Open a page of the console."""
        answer = await self.page.goto(self.base + path)
        assert answer is not None
        assert answer.status < 500, (path, answer.status)

    def forgive(self, *said: str) -> None:
        """Leave out complaints that the test has asked for."""
        self.complaints[:] = [
            each for each in self.complaints if not any(words in each for words in said)
        ]

    async def picture(self, name: str) -> None:
        """Keep what is to be seen, for a person to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


Open = Callable[..., Awaitable[Visitor]]


@dataclass
class Shop:
    """A service of somebody's that can be broken and mended."""

    site: Web
    broken: bool = False

    def respond(self, _path: str) -> bytes:
        return answer("503 Service Unavailable") if self.broken else answer(body=b"well")


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """Give the service that is watched."""
    watched = Shop(Web(0))
    async with web(watched.respond) as watched.site:
        yield watched


@pytest.fixture
async def pager() -> AsyncIterator[Web]:
    """Give the pager of whoever is on call: its `requests` are the messages."""
    async with web(answer()) as listening:
        yield listening


@pytest.fixture
async def service(tmp_path: Path, shop: Shop, pager: Web) -> AsyncIterator[Service]:
    """Give a running service that probes the shop every second."""
    (tmp_path / "shop.rules.yml").write_text(_RULES)
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["shop.rules.yml"],
        "route": {
            "receiver": "oncall",
            "group_by": ["alertname", "job"],
            "group_wait": "0s",
            "group_interval": "1s",
        },
        "receivers": [
            {"name": "oncall", "webhook_configs": [{"url": pager.url(), "send_resolved": True}]}
        ],
        "autoscaling": [
            {
                "name": "shop",
                "max_replicas": 5,
                "interval": "1s",
                "replicas": "vector(2)",
                "metrics": [
                    {"name": "load", "query": "vector(0.9)", "target": {"value": 0.5}},
                    {"name": "p99", "kind": "latency", "query": "nothing"},
                ],
            }
        ],
        "status_pages": [
            {
                "name": "public",
                "title": "Shop",
                "groups": [{"name": "Web", "match": ['{team="shop"}']}],
            }
        ],
        "targets": [
            {"name": "shop", "url": shop.site.url(), "labels": {"team": "shop", "env": "<b>x</b>"}},
            {"name": "nowhere", "url": "http://127.0.0.1:1/", "labels": {"team": "infra"}},
        ],
    }
    async with running(tmp_path, configuration) as started:
        yield started


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Give a browser."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield started
        await started.close()


@pytest.fixture
async def visit(browser: Browser, service: Service) -> AsyncIterator[Open]:
    """Give what opens windows: `await visit(size=PHONE, dark=True, scripts=False)`."""
    async with AsyncExitStack() as stack:
        visitors: list[Visitor] = []

        async def opened(
            size: tuple[int, int] = DESKTOP, *, dark: bool = False, scripts: bool = True
        ) -> Visitor:
            context: BrowserContext = await browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                java_script_enabled=scripts,
                base_url=service.url,
                locale="en-GB",
            )
            stack.push_async_callback(context.close)
            visitor = Visitor(service.url, await context.new_page())
            visitor.page.set_default_timeout(60_000)
            visitor.page.on(
                "console",
                lambda said: (
                    visitor.complaints.append(said.text)
                    if said.type in ("error", "warning")
                    else None
                ),
            )
            visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
            visitors.append(visitor)
            return visitor

        yield opened
        # What was said last is still on its way.
        await asyncio.sleep(0.1)  # noqa: TID251 - the browser has its own clock
        complaints = [each for visitor in visitors for each in visitor.complaints]
        assert complaints == []
