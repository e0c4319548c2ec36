"""The nginx that we ship, on loopback in front of services of a test."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.support.service import eventually

NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
_SHIPPED: Final = Path(__file__).parents[2] / "deploy/nginx/nginx.conf"
_SERVER: Final = re.compile(r"^( *server )controlplane-\d:8080(.*;)$", re.MULTILINE)


@asynccontextmanager
async def nginx(
    directory: Path, upstreams: Sequence[str], *, keeps: bool = True, page_host: str = ""
) -> AsyncIterator[str]:
    """Run it in front of services, each HOST:PORT; give its own address.

    Public pages are asked for each time unless it `keeps` them; `page_host` is a
    host that is a status page and nothing else.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    file = directory / "nginx.conf"
    text = _configuration(directory, address, upstreams)
    if not keeps:
        text = _replaced(text, "proxy_cache public;", "proxy_cache off;")
    if page_host:
        first = "map $host $page_host {"
        text = _replaced(text, first, f"{first}\n{page_host} {page_host};")
    file.write_text(text)
    # Of root its workers become somebody else, to whom a test's directory is closed.
    user = "user root;" if os.geteuid() == 0 else ""
    words = [str(NGINX), "-c", str(file), "-g", f"daemon off; {user}"]
    process = await asyncio.create_subprocess_exec(*words)

    async def answers() -> bool:
        assert process.returncode is None, "nginx ended"
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://{address}/health")).is_success
        except httpx.TransportError:
            return False

    try:
        await eventually(answers, "an nginx that answers")
        yield address
    finally:
        process.terminate()
        await process.wait()


def _configuration(directory: Path, address: str, upstreams: Sequence[str]) -> str:
    shipped = _SHIPPED.read_text()
    first = _SERVER.search(shipped)
    assert first is not None
    line = first.expand(r"\1{}\2")
    text = _SERVER.sub("", shipped)
    servers = "\n".join(line.format(upstream) for upstream in upstreams)
    text = text.replace("least_conn;", f"least_conn;\n{servers}")
    return text.replace("listen 8080", f"listen {address}").replace("/tmp/", f"{directory}/")


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)
