"""The real service behind the nginx that we ship: what it says of its pages, nginx acts on."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.support.nginx import NGINX, nginx
from tests.support.service import Service, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]

_TOKEN: Final = "0123456789abcdef"
_PAGE: Final = {"name": "shop", "groups": [{"name": "All", "match": ['{job=~".+"}']}]}
_PUBLIC: Final = (
    "/status/shop",
    "/status/shop.json",
    "/status/shop/feed.xml",
    "/status/shop/badge/All.svg",
    "/status/shop/badge/All.svg?show=uptime",
)
_STATE: Final = "x-cache-status"


@dataclass(slots=True)
class Site:
    """A service, and a client that reads it through nginx."""

    service: Service
    client: httpx.AsyncClient

    async def read(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a path, with these headers besides the usual ones."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers=sent)

    async def style(self) -> str:
        """Return the path of the file that gives a status page its looks."""
        [path] = re.findall(r'href="(/static/[^"]+\.css)"', (await self.read("/status/shop")).text)
        return str(path)


@asynccontextmanager
async def site(directory: Path) -> AsyncIterator[Site]:
    """Start a service with a token and a status page, and nginx."""
    configuration = {
        "global": {"scrape_interval": "1h", "evaluation_interval": "1h"},
        "status_pages": [_PAGE],
    }
    environment = {"CONTROLPLANE_API_TOKEN": _TOKEN}
    (directory / "nginx").mkdir()
    async with (
        running(directory, configuration, environment=environment, token=_TOKEN) as service,
        nginx(directory / "nginx", [service.url.removeprefix("http://")]) as address,
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=60) as client,
    ):
        yield Site(service, client)


async def test_nginx_keeps_what_we_allow_it_to(tmp_path: Path) -> None:
    """Each form of a page, and files; nothing in them is about the one who asked."""
    async with site(tmp_path) as running_site:
        for path in (*_PUBLIC, await running_site.style()):
            first, second = [await running_site.read(path) for _ in range(2)]
            assert second.status_code == 200
            # A page that is 15 s old by now would be asked for once more.
            assert second.headers[_STATE] in {"HIT", "EXPIRED", "REVALIDATED"}
            assert second.text == first.text or second.headers[_STATE] == "EXPIRED"
            assert not {"ratelimit", "ratelimit-policy", "set-cookie"} & set(second.headers)


async def test_its_key_has_all_that_a_page_differs_by(tmp_path: Path) -> None:
    """What `Vary` names, and the language that a query asks for; not a cookie of the console."""
    async with site(tmp_path) as running_site:
        english = await running_site.read("/status/shop", accept_language="en")
        assert set(english.headers["vary"].split(", ")) == {"accept-language", "accept-encoding"}
        assert '<html lang="en">' in english.text
        german = await running_site.read("/status/shop", accept_language="de")
        assert '<html lang="de">' in german.text
        asked = await running_site.read("/status/shop?lang=de", accept_language="en")
        assert '<html lang="de">' in asked.text
        cookie = await running_site.read("/status/shop", cookie="controlplane_language=de")
        assert '<html lang="en">' in cookie.text
        for encoding in ("gzip", ""):
            page = await running_site.read("/status/shop", accept_encoding=encoding)
            assert page.headers.get("content-encoding", "") == encoding
            assert "All" in page.text


async def test_nginx_keeps_nothing_that_needs_a_token(tmp_path: Path) -> None:
    """The console and the API are asked each time, and closed to who has none."""
    async with site(tmp_path) as running_site:
        for path in ("/system", "/api/v1/targets", "/metrics"):
            for _ in range(2):
                allowed = await running_site.read(path, authorization=f"Bearer {_TOKEN}")
                assert allowed.status_code == 200
                assert _STATE not in allowed.headers
            refused = await running_site.read(path, authorization="")
            assert refused.status_code == 401


async def test_the_public_sees_a_page_when_we_are_gone(tmp_path: Path) -> None:
    """What was read before is there, with its looks; what was not is not."""
    async with site(tmp_path) as running_site:
        paths = (*_PUBLIC, await running_site.style())
        before = {path: (await running_site.read(path)).text for path in paths}
        await running_site.service.kill()
        for path, text in before.items():
            answer = await running_site.read(path)
            assert (answer.status_code, answer.text) == (200, text)
        gone = await running_site.read("/api/v1/targets", authorization=f"Bearer {_TOKEN}")
        assert gone.status_code == 502
