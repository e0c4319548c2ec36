"""What a process answers that is about to end, and how it says that it will not for long."""

from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from controlplane.api.application import leave


@pytest.fixture
def leaving(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client of an application that was told to end."""
    transport = cast("httpx.ASGITransport", api._transport)
    leave(cast("FastAPI", transport.app))
    return api


async def test_who_stays_keeps_connections(api: httpx.AsyncClient) -> None:
    """Without a word of the end nothing is said of connections."""
    answer = await api.get("/ready")
    assert "connection" not in answer.headers


@pytest.mark.parametrize("path", ["/ready", "/-/ready", "/prometheus/-/ready"])
async def test_it_is_not_ready(leaving: httpx.AsyncClient, path: str) -> None:
    """Whoever asks whether to send requests is told to send them elsewhere."""
    answer = await leaving.get(path)
    assert answer.status_code == 503


async def test_it_says_why(leaving: httpx.AsyncClient) -> None:
    """The reason is that it ends, not that something is broken."""
    found: Any = (await leaving.get("/ready")).json()
    assert found["status"] == "unready"
    assert found["checks"]["leaving"]["problem"] == "this process is about to end"


@pytest.mark.parametrize("path", ["/health", "/api/v1/targets", "/api/v1/targets/none", "/"])
async def test_it_answers_and_closes(leaving: httpx.AsyncClient, path: str) -> None:
    """Answers are what they always were, each the last on its connection."""
    answer = await leaving.get(path)
    assert answer.status_code in {200, 404}
    assert answer.headers["connection"] == "close"
