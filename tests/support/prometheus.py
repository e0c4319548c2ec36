"""A real Prometheus with its own directory, for the length of a block."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.service import eventually

PROMETHEUS: Final = shutil.which("prometheus")
needs_prometheus: Final = pytest.mark.skipif(
    PROMETHEUS is None, reason="prometheus is not installed"
)


@asynccontextmanager
async def prometheus(
    directory: Path, configuration: Mapping[str, Any], *flags: str
) -> AsyncIterator[str]:
    """Start one and give its address."""
    assert PROMETHEUS is not None
    config = directory / "prometheus.yml"
    config.write_text(json.dumps(configuration))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    with (directory / "prometheus.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            PROMETHEUS,
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address={listen}",
            *flags,
            stdout=output,
            stderr=output,
        )
    try:
        await eventually(lambda: _is_ready(f"http://{listen}"), "a Prometheus that is ready")
        yield f"http://{listen}"
    finally:
        process.kill()
        await process.wait()


async def _is_ready(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{url}/-/ready")).status_code == 200
    except httpx.TransportError:
        return False
