"""Deleting samples through the API: only where allowed, and only what was asked for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import cramjam
import httpx
import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.build import build
from controlplane.clock import SystemClock
from controlplane.config.config import default_config
from controlplane.settings.settings import Settings
from tests.support.remote_write import version_1

_API = "/prometheus/api/v1"
_DELETE = f"{_API}/admin/tsdb/delete_series"


@pytest.fixture
async def allowed(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application whose operator allows deletes."""
    settings = Settings(data_dir=tmp_path, replica="test", admin_api=True)
    async with AsyncExitStack() as stack:
        service = await build(
            settings,
            default_config(),
            clock=SystemClock(),
            registry=CollectorRegistry(),
            stack=stack,
        )
        transport = httpx.ASGITransport(service.application, client=("127.0.0.1", 4711))
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        yield await stack.enter_async_context(client)


async def values(api: httpx.AsyncClient, name: str, at: float) -> list[str]:
    answer = await api.get(f"{_API}/query", params={"query": f"{name}[10m]", "time": at})
    found = answer.json()["data"]["result"]
    return [value for series in found for _, value in series["values"]]


async def test_what_matches_in_the_time_is_gone(allowed: httpx.AsyncClient) -> None:
    """Both ends count; other series and other times stay."""
    now = SystemClock().now()
    samples = [(now - 3_000, 1.0), (now - 2_000, 2.0), (now - 1_000, 3.0)]
    body = version_1([({"__name__": name}, samples) for name in ("gone", "stays")])
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    sent = await allowed.post(
        f"{_API}/write", content=bytes(cramjam.snappy.compress_raw(body)), headers=headers
    )
    assert sent.status_code == 204
    given = f"match[]=gone&start={(now - 2_000) / 1000}&end={(now - 1_000) / 1000}"
    assert (await allowed.post(f"{_DELETE}?{given}")).status_code == 204
    assert await values(allowed, "gone", now / 1000) == ["1"]
    assert await values(allowed, "stays", now / 1000) == ["1", "2", "3"]
    assert (await allowed.put(f"{_API}/admin/tsdb/clean_tombstones")).status_code == 204
    assert await values(allowed, "gone", now / 1000) == ["1"]


async def test_nothing_is_deleted_by_mistake(allowed: httpx.AsyncClient) -> None:
    """Without a selector, with a bad one, or by a form that any page could send."""
    assert (await allowed.post(_DELETE)).status_code == 400
    assert (await allowed.post(_DELETE, params={"match[]": "{"})).status_code == 400
    assert (await allowed.post(_DELETE, data={"match[]": "up"})).status_code == 403


@pytest.mark.parametrize("path", [f"{_DELETE}?match[]=up", f"{_API}/admin/tsdb/clean_tombstones"])
async def test_it_is_refused_unless_allowed(api: httpx.AsyncClient, path: str) -> None:
    """In upstream's words."""
    answer = await api.post(path)
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "error",
        "errorType": "unavailable",
        "error": "admin APIs disabled",
    }
