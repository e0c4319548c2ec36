"""The whole application in this process, over real SQLite and a real sample store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from controlplane.app.build import build
from controlplane.clock import SystemClock
from controlplane.config.loader import load
from controlplane.settings.settings import Settings
from tests.support.sqlite import migrated

_CONFIG = """
global: {scrape_interval: 1h, evaluation_interval: 1h}
targets:
  - {name: owned, url: "http://127.0.0.1:1/", labels: {team: infra}}
"""

# What uses `shared` runs in its event loop.
ON_SHARED = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def application(
    directory: Path, configuration: str = _CONFIG
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application over a directory; the file owns one target, if it is ours."""
    path = directory / "controlplane.yml"
    path.write_text(configuration)
    settings = Settings(data_dir=directory / "data", config=path, replica="test")
    settings.data_dir.mkdir(mode=0o700, exist_ok=True)
    migrated(settings.data_dir / "controlplane.db")
    async with AsyncExitStack() as stack:
        service = await build(
            settings, load(path), clock=SystemClock(), registry=CollectorRegistry(), stack=stack
        )
        transport = httpx.ASGITransport(service.application, client=("127.0.0.1", 4711))
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        yield await stack.enter_async_context(client)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the application; the file owns one target."""
    async with application(tmp_path) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application for all tests of a module that leave it as it was."""
    async with application(tmp_path_factory.mktemp("shared")) as client:
        yield client
