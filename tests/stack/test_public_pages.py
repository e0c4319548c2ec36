"""What the nginx that we ship keeps of public pages, for whom, and for how long."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import pytest
from aiohttp import web

from controlplane.clock import SystemClock
from controlplane.ui.language import LANGUAGES, chosen
from tests.support.nginx import NGINX, nginx
from tests.support.service import eventually

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

_CLOCK: Final = SystemClock()
_READERS: Final = 30
_LONG: Final = "public, max-age=3600"
_SHORT: Final = "public, max-age=1, stale-while-revalidate=60, stale-if-error=86400"
_HOST: Final = "status.example.org"


@dataclass(slots=True)
class Replica:
    """Stands for one: each answer says what was asked, in `asked` too."""

    cache_control: str = _LONG
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "first"
    status: HTTPStatus = HTTPStatus.OK
    seconds: float = 0
    asked: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer anything but a check of its health with what can be kept."""
        if request.path == "/health":
            return web.Response()
        self.asked.append(request)
        await _CLOCK.sleep(self.seconds)
        if self.status is not HTTPStatus.OK:
            return web.Response(status=self.status, headers={"Cache-Control": "no-store"})
        tag = f'W/"{self.text}"'
        headers = {"Cache-Control": self.cache_control, "ETag": tag, **self.headers}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        seen = (request.headers.get(name, "") for name in ("Accept-Language", "Accept-Encoding"))
        host = request.headers["Host"].partition(":")[0]
        text = " ".join((self.text, host, request.raw_path, *seen))
        return web.Response(text=text, headers=headers)


@dataclass(slots=True)
class Front:
    """An nginx before one replica, and somebody who reads there."""

    replica: Replica
    address: str
    client: httpx.AsyncClient
    runner: web.AppRunner

    async def read(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask for a path with these headers, and no others that a page might differ by."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"accept-encoding": "", **sent}
        return await self.client.request(method, f"http://{self.address}{path}", headers=sent)

    async def read_until(self, state: str, path: str = "/status/x") -> httpx.Response:
        """Read until nginx says that the page had this state."""

        async def look() -> httpx.Response | None:
            answer = await self.read(path)
            return answer if answer.headers.get("x-cache-status") == state else None

        found = await eventually(look, f"a page that is {state}")
        assert found is not None
        return found


@asynccontextmanager
async def front(directory: Path, replica: Replica, page_host: str = "") -> AsyncIterator[Front]:
    """Start both."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", replica.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream = f"127.0.0.1:{runner.addresses[0][1]}"
    limits = httpx.Limits(max_connections=_READERS)
    try:
        async with (
            nginx(directory, [upstream], page_host=page_host) as address,
            httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client,
        ):
            yield Front(replica, address, client, runner)
    finally:
        await runner.cleanup()


async def test_one_asks_for_all(tmp_path: Path) -> None:
    """Of many who want a page at once one is let through; all have what he was given."""
    async with front(tmp_path, Replica(seconds=0.3)) as site:
        answers = await asyncio.gather(*(site.read("/status/x") for _ in range(_READERS)))
        assert {answer.text for answer in answers} == {"first 127.0.0.1 /status/x en "}
        assert len(site.replica.asked) == 1


async def test_what_is_new_is_seen_when_the_old_page_is_due(tmp_path: Path) -> None:
    """After max-age who reads first has the new page, nobody an old one after him."""
    async with front(tmp_path, Replica(_SHORT)) as site:
        assert (await site.read("/status/x")).text.startswith("first")
        site.replica.text = "second"
        found = await site.read_until("EXPIRED")
        assert found.text.startswith("second")
        assert (await site.read("/status/x")).text.startswith("second")


async def test_an_old_page_bridges_the_asking(tmp_path: Path) -> None:
    """While one asks for the new page, others need not wait for it, however old theirs is."""
    async with front(tmp_path, Replica("public, max-age=1")) as site:
        await site.read("/status/x")
        site.replica.seconds = 0.5

        async def look() -> bool:
            answers = await asyncio.gather(*(site.read("/status/x") for _ in range(4)))
            return any(each.headers["x-cache-status"] == "UPDATING" for each in answers)

        await eventually(look, "a reader who did not wait")


async def test_a_page_that_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    """nginx asks by the tag that it has, and answers those who have it already."""
    async with front(tmp_path, Replica(_SHORT)) as site:
        tag = (await site.read("/status/x")).headers["etag"]
        found = await site.read_until("REVALIDATED")
        assert found.text.startswith("first")
        assert (await site.read("/status/x", if_none_match=tag)).status_code == 304


async def test_pages_outlive_all_replicas(tmp_path: Path) -> None:
    """Whoever reads while none answers has the page as it was, and is told nothing else."""
    async with front(tmp_path, Replica(_SHORT)) as site:
        fresh = (await site.read("/status/x")).text
        await site.runner.cleanup()
        found = await site.read_until("STALE")
        assert (found.status_code, found.text) == (200, fresh)
        assert (await site.read("/status/never-read")).status_code == 502


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_pages_outlive_trouble(tmp_path: Path, status: int) -> None:
    """An answer that is none hides no page that was read before."""
    async with front(tmp_path, Replica(_SHORT)) as site:
        fresh = (await site.read("/status/x")).text
        site.replica.status = HTTPStatus(status)
        assert (await site.read_until("STALE")).text == fresh


async def test_a_page_that_was_removed_is_gone(tmp_path: Path) -> None:
    """That it is not there is an answer, and one that is not kept."""
    async with front(tmp_path, Replica(_SHORT)) as site:
        await site.read("/status/x")
        site.replica.status = HTTPStatus.NOT_FOUND

        async def look() -> bool:
            return (await site.read("/status/x")).status_code == 404

        await eventually(look, "a page that is gone")
        site.replica.status = HTTPStatus.OK
        assert (await site.read("/status/x")).status_code == 200


@pytest.mark.parametrize(
    "accepted",
    [
        "",
        "de",
        "de-AT",
        "en",
        "en-US,en;q=0.9,de;q=0.8",
        "fr, es;q=0.9, de;q=0.7, en;q=0.3",
        "fr,  en;q=0.7,de;q=0.5",
        "den, en-de, de",
        "x-de",
        "*",
    ],
)
async def test_it_hears_the_language_that_we_would(tmp_path: Path, accepted: str) -> None:
    """What reaches a replica, and the key, is the language that the page will have."""
    async with front(tmp_path, Replica()) as site:
        await site.read("/status/x", accept_language=accepted)
        [asked] = site.replica.asked
        assert asked.headers["Accept-Language"] == chosen("", accepted).code


async def test_each_language_and_encoding_is_kept_by_itself(tmp_path: Path) -> None:
    """Asked twice for each, a replica answers once for each; nobody has another's page."""
    async with front(tmp_path, Replica(headers={"Vary": "accept-language"})) as site:
        for _ in range(2):
            for code in LANGUAGES:
                for sent, reached in (("gzip, br", "gzip"), ("br", "")):
                    plain = await site.read("/status/x", accept_language=code, accept_encoding=sent)
                    assert plain.text == f"first 127.0.0.1 /status/x {code} {reached}"
                    asked = await site.read(f"/status/x?lang={code}", accept_encoding=sent)
                    assert asked.text == plain.text
        assert len(site.replica.asked) == 2 * len(LANGUAGES)


async def test_strangers_cannot_split_what_is_kept(tmp_path: Path) -> None:
    """Queries, cookies, tokens, hosts, agents: of all that a replica hears once, and nothing."""
    async with front(tmp_path, Replica(headers={"Vary": "accept-language"})) as site:
        for query in ("", "?x=1", "?show=uptime", "?lang=en&lang=de", "?l%61ng=de", "?lang=xx"):
            for headers in (
                {"cookie": "controlplane_language=de"},
                {"authorization": "Bearer wrong", "user_agent": "robot"},
                {"host": "elsewhere.example", "accept_language": "fr;q=0.3"},
            ):
                answer = await site.read(f"/status/%78{query}", **headers)
                assert answer.text == "first 127.0.0.1 /status/x en "
        [asked] = site.replica.asked
        assert not {"Cookie", "Authorization"} & set(asked.headers)


async def test_a_badge_is_kept_as_state_and_as_uptime(tmp_path: Path) -> None:
    """The one thing that a query asks for is asked for, whatever is written around it."""
    badge = "/status/x/badge/a%3Fb%20c.svg"
    async with front(tmp_path, Replica()) as site:
        for query in ("?show=uptime", "?a=1&show=uptime&show=state"):
            assert f"{badge}?show=uptime " in (await site.read(badge + query)).text
        for query in ("", "?show=", "?show=state&show=uptime"):
            assert f"{badge} " in (await site.read(badge + query)).text
        assert len(site.replica.asked) == 2


async def test_a_head_and_a_part_are_of_the_same_page(tmp_path: Path) -> None:
    """A HEAD is answered by what a GET was; who asks for a part has the whole."""
    async with front(tmp_path, Replica()) as site:
        head = await site.read("/status/x", "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        whole = await site.read("/status/x")
        part = await site.read("/status/x", range="bytes=0-1")
        assert (part.status_code, part.text) == (200, whole.text)
        assert [asked.method for asked in site.replica.asked] == ["GET"]


@pytest.mark.parametrize("path", ["/", "/targets", "/api/v1/targets", "/statuses", "/sw.js"])
async def test_nothing_else_is_kept(tmp_path: Path, path: str) -> None:
    """Not even what would allow it; it is asked for as it came, by whoever asks."""
    async with front(tmp_path, Replica()) as site:
        for number in range(2):
            sent = {"authorization": f"Bearer {number}", "cookie": f"a={number}"}
            answer = await site.read(f"{path}?a=%2F{number}", **sent)
            assert "x-cache-status" not in answer.headers
            asked = site.replica.asked[number]
            assert asked.raw_path == f"{path}?a=%2F{number}"
            assert {name: asked.headers[name] for name in sent} == sent


async def test_what_is_for_one_is_not_kept(tmp_path: Path) -> None:
    """Answers that set a cookie, are private, or say nothing, under whatever path."""
    for number, (cache_control, headers) in enumerate(
        ((_LONG, {"Set-Cookie": "a=1"}), ("private, max-age=9", {}), ("no-store", {}), ("", {}))
    ):
        directory = tmp_path / str(number)
        directory.mkdir()
        async with front(directory, Replica(cache_control, headers)) as site:
            for _ in range(2):
                assert (await site.read("/status/x")).headers["x-cache-status"] == "MISS"
            assert len(site.replica.asked) == 2


async def test_what_it_says_of_one_reader_is_kept_from_the_next(tmp_path: Path) -> None:
    """How much he may still ask, and the id of his request."""
    about = {"RateLimit": '"read";r=1', "RateLimit-Policy": '"read"', "X-Correlation-Id": "1"}
    async with front(tmp_path, Replica(headers=about)) as site:
        for _ in range(2):
            answer = await site.read("/status/x")
            assert not {name.lower() for name in about} & set(answer.headers)


async def test_a_host_that_is_a_page_is_kept_whole(tmp_path: Path) -> None:
    """Under its name the page is at /; under any other name that is the console still."""
    async with front(tmp_path, Replica(), page_host=_HOST) as site:
        for path in ("/", "/x.json", "/feed.xml", "/status/x"):
            for state in ("MISS", "HIT"):
                answer = await site.read(path, host=_HOST.upper() + ":80")
                assert answer.text == f"first {_HOST} {path} en "
                assert answer.headers["x-cache-status"] == state
        assert "x-cache-status" not in (await site.read("/")).headers
        assert (await site.read("/status/x")).text == "first 127.0.0.1 /status/x en "


async def test_a_page_cannot_be_put_in_place_of_another(tmp_path: Path) -> None:
    """The host that is kept for is the one that is asked, though a request names two."""
    async with front(tmp_path, Replica(), page_host=_HOST) as site:
        said = await asyncio.to_thread(
            _raw,
            site.address,
            f"GET http://{_HOST}/ HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n",
        )
        assert f"first {_HOST} / en " in said
        assert (await site.read("/", host=_HOST)).text == f"first {_HOST} / en "


def _raw(address: str, request: str) -> str:
    """Return what is answered to a request, sent as it is."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(request.encode())
        with connection.makefile("rb") as answer:
            return answer.read().decode()
