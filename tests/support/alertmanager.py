"""A real Alertmanager with its own directory, for the length of a block."""

import asyncio
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.service import eventually

ALERTMANAGER: Final = shutil.which("prometheus-alertmanager")
AMTOOL: Final = shutil.which("amtool")
needs_alertmanager: Final = pytest.mark.skipif(
    ALERTMANAGER is None, reason="prometheus-alertmanager is not installed"
)
needs_amtool: Final = pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed")


@asynccontextmanager
async def alertmanager(
    directory: Path, configuration: Mapping[str, Any], *flags: str
) -> AsyncIterator[str]:
    """Start one and give its address."""
    assert ALERTMANAGER is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = directory / "alertmanager.yml"
    config.write_text(json.dumps(configuration))
    process = await asyncio.create_subprocess_exec(
        ALERTMANAGER,
        f"--config.file={config}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        *flags,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://{address}"

    async def ready() -> bool:
        assert process.returncode is None, "the Alertmanager ended"
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{url}/-/ready")).is_success
        except httpx.TransportError:
            return False

    try:
        await eventually(ready, "an Alertmanager that is ready")
        yield url
    finally:
        process.kill()
        await process.wait()


_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def without_ids(text: str) -> str:
    """Return a text with each id replaced by its number, in the order in which they come."""
    numbers: dict[str, int] = {}
    return _UUID.sub(lambda m: f"#{numbers.setdefault(m[0], len(numbers)):>35}", text)
