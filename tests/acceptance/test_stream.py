"""The stream of events as programs and pages read it, over the whole service."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.support.service import PATIENCE, Service, running

TOKEN = "correct-horse-battery"


async def told(connection: ClientConnection, name: str) -> dict[str, Any]:
    """Return the event about the target of a name, passing over others."""
    async with asyncio.timeout(PATIENCE):
        while True:
            event: dict[str, Any] = json.loads(await connection.recv())
            if event["data"].get("name") == name:
                return event


async def streamed(service: Service, after: str) -> str:
    """Return the first event that the other form of the stream has after an id."""
    async with (
        asyncio.timeout(PATIENCE),
        service.client.stream(
            "GET",
            f"{service.url}/api/v1/stream?kind=target",
            headers={"authorization": f"Bearer {TOKEN}", "last-event-id": after},
        ) as answer,
    ):
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                return line
    raise AssertionError("the stream ended")


async def test_a_reader_hears_of_targets_by_websocket_and_goes_on_by_sse(tmp_path: Path) -> None:
    """With the token; an id of one form is one of the other. At the end readers are told."""
    environment = {"CONTROLPLANE_API_TOKEN": TOKEN}
    async with running(tmp_path, {}, environment=environment, token=TOKEN) as service:
        address = service.url.replace("http://", "ws://") + "/api/v1/stream?kind=target"
        with pytest.raises(InvalidStatus) as refused:
            await connect(address)
        assert refused.value.response.status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with connect(address, additional_headers=headers) as connection:
            await service.register("first", "http://127.0.0.1:1/")
            event = await told(connection, "first")
            assert (event["kind"], event["data"]["change"]) == ("target", "added")
            await service.register("second", "http://127.0.0.1:1/")
            await told(connection, "second")
            first = json.loads((await streamed(service, event["id"])).removeprefix("data: "))
            assert first["time"] >= event["time"]
            assert await service.terminate() == 0
            async with asyncio.timeout(PATIENCE):
                await connection.wait_closed()
            assert connection.close_code == 1012


async def test_limits_are_told_and_follow_the_file(tmp_path: Path) -> None:
    """What is left is in each answer; a new limit is in force with the next reload."""
    environment = {"CONTROLPLANE_API_TOKEN": TOKEN}
    async with running(tmp_path, {}, environment=environment, token=TOKEN) as service:

        async def ask() -> httpx.Response:
            return await service.request("GET", "/api/v1/targets")

        assert (await ask()).headers["ratelimit-policy"] == '"read";q=60000;w=60'
        service.configure({"limits": {"token": {"read": 1}}})
        assert (await service.request("POST", "/-/reload")).status_code == 200
        refused = await ask()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        renewal = await service.request(
            "POST", "/api/v1/targets", json={"name": "late", "url": "http://127.0.0.1:1/"}
        )
        assert renewal.status_code == 201
