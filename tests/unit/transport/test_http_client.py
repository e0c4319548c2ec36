"""httpx and aiohttp over our resolver and policy: what they send, and how they fail."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest

from controlplane.errors import Forbidden
from controlplane.model.secret import Secret
from controlplane.transport.client import Client
from controlplane.transport.http_client import AnswerTooLarge, HTTPClients
from controlplane.transport.options import Authorization, HTTPClientConfig, ProxyConfig
from tests.support.proxies import socks_proxy
from tests.support.web import answer, web

PLAIN = HTTPClientConfig()


@pytest.fixture
async def http(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    """An httpx client without options."""
    async with HTTPClients(client).client(PLAIN) as made:
        yield made


async def test_post_of_json(http: httpx.AsyncClient) -> None:
    """Method, headers and body go out as httpx has them; status, headers and body come back."""
    async with web(answer("201 Made", body=b'{"id": 1}', headers=("X-A: b",))) as site:
        response = await http.post(site.url("/p?q=1"), json={"a": "é"})
    head, _, body = site.requests[0].partition("\r\n\r\n")
    assert (response.status_code, response.json(), response.headers["x-a"]) == (201, {"id": 1}, "b")
    assert head.startswith("POST /p?q=1 HTTP/1.1")
    assert "content-type: application/json" in head.lower()
    assert head.lower().count("content-length:") == 1
    assert head.lower().count("host:") == 1
    assert body.encode("latin-1") == '{"a":"é"}'.encode()


async def test_a_body_over_the_bound(client: Client) -> None:
    """Somebody who expects much may ask for it; beyond that it is an error of its own."""
    async with web(answer(body=b"x" * 2000)) as site:
        async with HTTPClients(client).client(PLAIN, most=2000) as http:
            assert len((await http.get(site.url())).content) == 2000
        async with HTTPClients(client).client(PLAIN, most=1999) as http:
            with pytest.raises(AnswerTooLarge):
                await http.get(site.url())


async def test_credentials_of_the_configuration(client: Client) -> None:
    """What the configuration says is added to each request."""
    config = HTTPClientConfig(authorization=Authorization(credentials=Secret("t0k")))
    async with web(answer()) as site, HTTPClients(client).client(config) as http:
        await http.get(site.url())
    assert "Authorization: Bearer t0k" in site.requests[0]


@pytest.mark.parametrize("path", ["/", "/away"])
async def test_denied_addresses_are_forbidden(http: httpx.AsyncClient, path: str) -> None:
    """The policy holds for the address and for each redirect."""
    away = answer("302 Found", headers=("Location: http://127.9.9.9/",))
    async with web(away) as site:
        target = site.url() if path == "/away" else "http://127.9.9.9/"
        with pytest.raises(Forbidden, match="outbound policy"):
            await http.get(target)


async def test_failures_are_those_of_httpx(http: httpx.AsyncClient) -> None:
    """What cannot have arrived is a ConnectError, what may have is a ReadError."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") as site:
        with pytest.raises(httpx.ReadError):
            await http.get(site.url())
    with pytest.raises(httpx.UnsupportedProtocol):
        await http.get("ftp://127.0.0.1/")


async def test_answers_are_bounded(http: httpx.AsyncClient) -> None:
    """More than a megabyte is not read."""
    async with web(answer(body=bytes(2 << 20))) as site:
        with pytest.raises(httpx.ReadError, match="larger"):
            await http.get(site.url())


async def test_time_is_bounded(http: httpx.AsyncClient) -> None:
    """The whole way has one deadline: connected and silent is a ReadTimeout."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(httpx.ReadTimeout):
            await http.get(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.2)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_aiohttp_looks_names_up_as_we_do(client: Client, host: str) -> None:
    """A session on our connector reaches names and addresses."""
    connector = HTTPClients(client).connector()
    async with (
        web(answer(body=b"hi")) as site,
        aiohttp.ClientSession(connector=connector) as http,
        http.get(site.url(host=host)) as response,
    ):
        assert await response.text() == "hi"


@pytest.mark.parametrize("url", ["http://127.9.9.9/", "http://nowhere..test/"])
async def test_aiohttp_connects_only_where_it_may(client: Client, url: str) -> None:
    """A denied address and an unknown name are both aiohttp's own kind of error."""
    async with aiohttp.ClientSession(connector=HTTPClients(client).connector()) as http:
        with pytest.raises((aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
            await http.get(url)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_names_behind_a_proxy_are_the_proxys_to_resolve(client: Client, scheme: str) -> None:
    """A name that is none here reaches its server: the proxy alone needs to know it."""
    async with (
        web(answer(body=b"far")) as site,
        _proxy(scheme) as proxy,
        HTTPClients(client).client(_through(f"{scheme}://127.0.0.1:{proxy}")) as http,
    ):
        response = await http.get(f"http://only-the-proxy-knows.invalid:{site.port}/")
    assert response.text == "far"


@asynccontextmanager
async def _proxy(scheme: str) -> AsyncIterator[int]:
    """Run a proxy that leads names to loopback; give its port."""
    if scheme == "http":
        async with web(answer(body=b"far")) as forwarding:
            yield forwarding.port
    else:
        async with socks_proxy() as proxy:
            yield proxy.port
            (asked,) = proxy.asked
            assert asked.startswith("only-the-proxy-knows.invalid:")


def _through(proxy_url: str) -> HTTPClientConfig:
    return HTTPClientConfig(proxy=ProxyConfig(proxy_url=proxy_url))


@pytest.mark.parametrize(
    ("target", "proxy"),
    [
        ("http://127.9.9.9/", "http://127.0.0.1:1"),
        ("https://[::ffff:127.9.9.9]/", "http://127.0.0.1:1"),
        ("http://name.invalid/", "http://127.9.9.9:1"),
    ],
)
async def test_the_policy_holds_for_addresses_behind_a_proxy(
    client: Client, target: str, proxy: str
) -> None:
    """An address that is written out, and the proxy's own."""
    async with HTTPClients(client).client(_through(proxy)) as http:
        with pytest.raises(Forbidden, match="outbound policy"):
            await http.get(target)


@pytest.mark.parametrize("host", ["2131298569", "0x7f090909", "127.0x90909"])
async def test_no_spelling_of_an_address_is_left_to_the_proxy(client: Client, host: str) -> None:
    """What some proxies read as a number is looked up here, where it is no name."""
    async with (
        web(answer()) as proxy,
        HTTPClients(client).client(_through(f"http://127.0.0.1:{proxy.port}")) as http,
    ):
        with pytest.raises((httpx.ConnectError, Forbidden)):
            await http.get(f"http://{host}/")
    assert proxy.requests == []
