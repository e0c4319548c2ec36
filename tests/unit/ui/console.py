"""The console over the whole application: pages read, forms sent as a browser sends them."""

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from controlplane.api.surface import Surface
from controlplane.auth.guard import CSRF_FIELD
from controlplane.clock import Clock
from tests.unit.api.test_story import world

_TOKEN = re.compile(rf'name="{CSRF_FIELD}" value="([^"]+)"')
_TAG = re.compile(r"<[^>]+>")


@dataclass
class Reader:
    """Somebody with a browser that runs no scripts."""

    client: httpx.AsyncClient
    on: Surface

    @property
    def now(self) -> int:
        return self.on.clock.now()

    async def get(self, path: str, status: int = 200) -> str:
        """Return a page."""
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return answer.text

    async def send(
        self, path: str, fields: Mapping[str, str | list[str]], status: int = 303
    ) -> httpx.Response:
        """Send a form with the token of a page."""
        token = _TOKEN.search(await self.get("/silences/new"))
        assert token is not None
        answer = await self.client.post(path, data={CSRF_FIELD: token[1], **fields})
        assert answer.status_code == status, answer.text
        return answer


def words(page: str) -> str:
    """Return what a page says: its text, without tags, its spaces made one."""
    return " ".join(html.unescape(_TAG.sub(" ", page)).split())


@asynccontextmanager
async def console(
    directory: Path, clock: Clock | None = None, /, **extra: object
) -> AsyncIterator[Reader]:
    """Give a reader of an application with one receiver, `ops`; `extra` are keys of its file."""
    async with world(directory, clock, **extra) as there:
        yield Reader(there.client, there.surface)
