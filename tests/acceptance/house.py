"""What the acceptance tests watch: a service that breaks on command, rules, a configuration."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

ROUTING_KEY: Final = "0123456789abcdef0123456789abcdef"


@dataclass(slots=True)
class Shop:
    """A service on loopback. `status` is what it answers; `headers` came with each request.

    `location` is where an answer that redirects leads to.
    """

    url: str = ""
    status: int = 200
    location: str = ""
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a probe, or a scrape with one metric."""
        self.headers.append(dict(request.headers))
        response = web.Response(status=self.status, text="shop_orders_total 7\n")
        if self.location:
            response.headers["Location"] = self.location
        return response


@asynccontextmanager
async def shop() -> AsyncIterator[Shop]:
    """Give a running service."""
    service = Shop()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


def write_rules(path: Path, *, hold: str = "0s", alert: str = "Down") -> str:
    """Write a rule file with one alert on failed probes; return its name."""
    rule = {
        "alert": alert,
        "expr": "probe_success == 0",
        "for": hold,
        "labels": {"severity": "critical"},
        "annotations": {"summary": "{{ $labels.job }} is down"},
    }
    path.write_text(json.dumps({"groups": [{"name": "shop", "interval": "1s", "rules": [rule]}]}))
    return str(path)


def configuration(receiver: Mapping[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    """Return a configuration at the pace of tests, with one receiver called `oncall`."""
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "route": {
            "receiver": "oncall",
            "group_by": ["alertname", "job"],
            "group_wait": "0s",
            "group_interval": "1s",
        },
        "receivers": [{"name": "oncall", **(receiver or {})}],
        **sections,
    }
