"""The sample services alone, beside a control plane that runs elsewhere."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from aiohttp import web

from controlplane.cli.main import main
from controlplane.clock import SystemClock
from controlplane.demo.elsewhere import run_services
from tests.support.service import eventually


@dataclass(slots=True)
class ControlPlane:
    """Takes registrations, and says farewell."""

    url: str = ""
    registered: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def register(self, request: web.Request) -> web.Response:
        """Keep what is registered; its name is its id."""
        body = await request.json()
        self.registered[body["name"]] = body
        return web.json_response({"id": body["name"]}, status=201)

    async def delete(self, request: web.Request) -> web.Response:
        """Forget it."""
        del self.registered[request.match_info["name"]]
        return web.Response(status=204)

    async def three(self) -> bool:
        """Tell whether all are there."""
        return len(self.registered) == 3


@asynccontextmanager
async def control_plane() -> AsyncIterator[ControlPlane]:
    """Give one that listens on a free port."""
    plane = ControlPlane()
    application = web.Application()
    application.router.add_post("/api/v1/targets", plane.register)
    application.router.add_delete("/api/v1/targets/{name}", plane.delete)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    plane.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield plane
    finally:
        await runner.cleanup()


async def test_they_are_reached_by_their_name_and_leave_when_told() -> None:
    """All three register under it and answer there; at SIGTERM they deregister."""
    async with control_plane() as plane:
        running = asyncio.create_task(run_services(plane.url, "localhost", SystemClock(), None))
        await eventually(plane.three, "three registrations")
        addresses = [body["metrics_url"] for body in plane.registered.values()]
        assert {urlsplit(address).hostname for address in addresses} == {"localhost"}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answers = [await client.get(address) for address in addresses]
        assert all("http_requests_total" in answer.text for answer in answers)
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await running
        assert plane.registered == {}


async def test_they_leave_when_their_time_is_up() -> None:
    """Nobody needs to tell them."""
    async with control_plane() as plane, asyncio.timeout(60):
        await run_services(plane.url, "127.0.0.1", SystemClock(), 0.1)
        assert plane.registered == {}


def test_a_name_without_a_place_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole demo runs on loopback."""
    assert main(["demo", "--name", "shop"]) == 1
    assert "--name goes with --at" in capsys.readouterr().err
