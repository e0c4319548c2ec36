"""A real Prometheus with its own directory, for the length of a block."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.service import eventually

_LISTENING: Final = re.compile(r'msg="Listening on" address=(\S+)')

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
    log = directory / "prometheus.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            PROMETHEUS,
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            "--web.listen-address=127.0.0.1:0",
            *flags,
            stdout=output,
            stderr=output,
        )
    try:
        url = await eventually(lambda: _ready(log), "a Prometheus that is ready")
        yield url
    finally:
        process.kill()
        await process.wait()


async def _ready(log: Path) -> str:
    """Return the address that it says it took, once it is ready; else nothing."""
    found = _LISTENING.search(await asyncio.to_thread(log.read_text))
    if found is None:
        return ""
    url = f"http://{found[1]}"
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return url if (await client.get(f"{url}/-/ready")).is_success else ""
    except httpx.TransportError:
        return ""
