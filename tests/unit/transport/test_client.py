"""Whole requests over real sockets: phases, failures, redirects, policy, credentials."""

import asyncio
import socket
import ssl
import struct
from pathlib import Path

import pytest
import trustme

from controlplane.clock import SystemClock
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.transport.client import Call, Client
from controlplane.transport.engine import Engine
from controlplane.transport.exchange import Failure, Options
from controlplane.transport.options import (
    Authorization,
    BasicAuth,
    HTTPClientConfig,
    OAuth2,
    ProxyConfig,
    TLSConfig,
)
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.profile import Profile
from controlplane.transport.resolver import StubResolver
from controlplane.transport.url import parse_url
from tests.support.web import answer, web

KEEP = Options(keep=1 << 16)


async def get(
    client: Client,
    url: str,
    config: HTTPClientConfig | None = None,
    options: Options = KEEP,
    timeout: float = 3.0,
    headers: tuple[tuple[str, str], ...] = (),
) -> Call:
    """Send one request."""
    request = Profile(config or HTTPClientConfig(), options).request(parse_url(url), headers)
    return await client.fetch(request, timeout)


async def test_response_has_status_headers_body_and_phases(client: Client) -> None:
    """A plain answer comes back whole, with the time of each phase in order."""
    async with web(answer(body=b"hello", headers=("X-A: b",))) as site:
        call = await get(client, site.url("/p?q=1"))
    final = call.final
    assert final is not None
    assert (call.failure, final.status, final.body) == (None, 200, b"hello")
    assert b"X-A: b\r\n" in final.header_lines
    assert 0 < final.connected <= final.first_byte <= final.ended <= call.duration
    assert site.requests[0].startswith("GET /p?q=1 HTTP/1.1\r\n")


async def test_nothing_is_sent_that_nobody_asked_for(client: Client) -> None:
    """libcurl's own Accept, Content-Type and Expect stay away."""
    async with web(answer()) as site:
        options = Options(method="POST", body=b"x" * 2_000_000)
        await get(client, site.url(), options=options)
    names = [
        line.split(":")[0].lower() for line in site.requests[0].split("\r\n\r\n")[0].split("\r\n")
    ]
    assert not {"accept", "content-type", "expect", "user-agent"} & set(names)


@pytest.mark.parametrize(
    ("respond", "failure"),
    [
        (b"", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Failure.CLOSED),
        (b"SSH-2.0-OpenSSH\r\n", Failure.PROTOCOL),
    ],
)
async def test_broken_answers_have_their_reason(
    client: Client, respond: bytes, failure: Failure
) -> None:
    """What is cut off, and what is not HTTP, are told apart."""
    async with web(respond) as site:
        assert (await get(client, site.url())).failure is failure


async def test_reset_is_closed(client: Client) -> None:
    """A connection that is reset in the middle counts as closed by the peer."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async with web(handler=reset) as site:
        assert (await get(client, site.url())).failure is Failure.CLOSED


async def test_refused_connection_is_connect(client: Client) -> None:
    """Nobody listens: reason connect, and no peer's response."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        call = await get(client, f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert call.failure is Failure.CONNECT


async def test_silence_ends_at_the_deadline(client: Client) -> None:
    """A server that accepts and says nothing costs no more than the time-out."""

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with web(handler=silent) as site:
        call = await get(client, site.url(), timeout=0.2)
    assert call.failure is Failure.TIMEOUT
    assert 0.15 < call.duration < 1.5


async def test_body_is_stopped_at_its_limit(client: Client) -> None:
    """An endless chunked body is cut at the limit, and only the start is kept."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    async with web(handler=endless) as site:
        call = await get(client, site.url(), options=Options(limit=100_000, keep=100))
    assert call.failure is Failure.SIZE
    assert call.final is not None
    assert call.final.body == b"x" * 100


async def test_redirects_are_followed_with_method_and_headers_as_go_does(client: Client) -> None:
    """303 makes a POST a GET without body; a relative Location stays on the host."""

    def respond(path: str) -> bytes:
        return (
            answer("303 See Other", headers=("Location: ../end",)) if path == "/a/b" else answer()
        )

    async with web(respond) as site:
        options = Options(method="POST", body=b"data")
        call = await get(client, site.url("/a/b"), options=options, headers=(("X-Own", "1"),))
    assert (call.failure, call.redirects) == (None, 1)
    first, second = site.requests
    assert first.startswith("POST /a/b")
    assert first.endswith("data")
    assert second.startswith("GET /end")
    assert "X-Own: 1" in second


async def test_temporary_redirect_keeps_the_body(client: Client) -> None:
    """307 repeats method and body."""

    def respond(path: str) -> bytes:
        return answer("307 T", headers=("Location: /end",)) if path == "/" else answer()

    async with web(respond) as site:
        await get(client, site.url(), options=Options(method="POST", body=b"data"))
    assert site.requests[1].startswith("POST /end")
    assert site.requests[1].endswith("data")


async def test_redirect_loop_ends_after_ten(client: Client) -> None:
    """The eleventh redirect is not followed, and its response is the final one."""
    async with web(lambda _path: answer("302 Found", headers=("Location: /",))) as site:
        call = await get(client, site.url())
    assert (call.redirects, call.refused_redirect, len(site.requests)) == (11, True, 11)
    assert call.final is not None
    assert call.final.status == 302


async def test_cookies_live_through_a_chain_of_redirects(client: Client) -> None:
    """What a hop sets is sent to the next hop on that host."""

    def respond(path: str) -> bytes:
        headers = ("Location: /end", "Set-Cookie: a=1; Path=/")
        return answer("302 Found", headers=headers) if path == "/" else answer()

    async with web(respond) as site:
        await get(client, site.url())
    assert "Cookie: a=1" in site.requests[1]


async def test_credentials_do_not_follow_to_another_host(client: Client) -> None:
    """A redirect elsewhere gets neither the Authorization nor the Cookie of the module."""
    async with web(answer()) as other:
        away = other.url(host="localhost")
        async with web(answer("302 Found", headers=(f"Location: {away}",))) as site:
            config = HTTPClientConfig(basic_auth=BasicAuth("user", Secret("hush")))
            call = await get(client, site.url(), config, headers=(("Cookie", "s=1"),))
    assert call.failure is None
    assert "Authorization: Basic dXNlcjpodXNo" in site.requests[0]
    assert "Authorization" not in other.requests[0]
    assert "Cookie" not in other.requests[0]


@pytest.mark.parametrize(
    "location", ["ftp://x/", "http://[bad/", "http:///nohost", "file:///etc/x"]
)
async def test_redirect_that_cannot_be_followed_is_redirect(client: Client, location: str) -> None:
    """A Location that is no HTTP URL ends the request with its reason."""
    async with web(answer("302 Found", headers=(f"Location: {location}",))) as site:
        assert (await get(client, site.url())).failure is Failure.REDIRECT


async def test_policy_is_asked_for_the_address_and_for_each_redirect(client: Client) -> None:
    """A denied address is never connected to, whoever named it."""
    assert (await get(client, "http://127.9.9.9/")).failure is Failure.POLICY
    async with web(answer("302 Found", headers=("Location: http://127.9.9.9/",))) as site:
        call = await get(client, site.url())
    assert call.failure is Failure.POLICY
    assert call.redirects == 1


async def test_bearer_and_url_credentials(client: Client) -> None:
    """The header is made at each use; user and password of a URL become basic."""
    async with web(answer()) as site:
        config = HTTPClientConfig(authorization=Authorization(credentials=Secret("t0k")))
        await get(client, site.url(), config)
        await get(client, f"http://u%40:p@127.0.0.1:{site.port}/")
    assert "Authorization: Bearer t0k" in site.requests[0]
    assert "Authorization: Basic dUA6cA==" in site.requests[1]


async def test_oauth2_token_is_fetched_once_and_used(client: Client) -> None:
    """Client credentials are exchanged for a token, which serves until it ends."""
    token = answer(body=b'{"access_token": "abc", "expires_in": 3600}')
    async with web(token) as issuer, web(answer()) as site:
        oauth2 = OAuth2("id", issuer.url("/token"), Secret("s"), scopes=("a", "b"))
        profile = Profile(HTTPClientConfig(oauth2=oauth2), KEEP)
        request = profile.request(parse_url(site.url()))
        calls = [await client.fetch(request, 3.0) for _ in range(2)]
    assert [call.failure for call in calls] == [None, None]
    assert len(issuer.requests) == 1
    assert "grant_type=client_credentials&scope=a+b" in issuer.requests[0]
    assert "Authorization: Bearer abc" in site.requests[1]


async def test_no_token_is_auth_and_tells_no_secret(client: Client) -> None:
    """A refused token ends the request with reason auth."""
    async with web(answer("401 No")) as issuer:
        oauth2 = OAuth2("id", issuer.url(), Secret("hush"))
        call = await get(client, "http://127.0.0.1:1/", HTTPClientConfig(oauth2=oauth2))
    assert call.failure is Failure.AUTH
    assert "hush" not in call.error


async def test_http_proxy_gets_the_absolute_url(client: Client) -> None:
    """A proxy is asked for the address with the name in Host, as blackbox_exporter does."""
    async with web(answer(body=b"by proxy")) as proxy:
        config = HTTPClientConfig(proxy=ProxyConfig(proxy_url=proxy.url("")))
        call = await get(client, "http://localhost:7/x", config)
    assert call.final is not None
    assert call.final.body == b"by proxy"
    assert "GET http://127.0.0.1:7/x" in proxy.requests[0] or "[::1]:7/x" in proxy.requests[0]
    assert "Host: localhost:7" in proxy.requests[0]


async def test_tls_is_verified_and_its_facts_are_told(client: Client, tmp_path: Path) -> None:
    """A chain that the given CA signed is accepted, with version, cipher and certificates."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusting = HTTPClientConfig(tls_config=TLSConfig(ca_file=str(tmp_path / "ca.pem")))
    options = Options(certificates=True)
    async with web(answer(), context=context) as site:
        good = await get(client, site.url(), trusting, options)
        distrusted = await get(client, site.url(), options=options)
        inline = HTTPClientConfig(tls_config=TLSConfig(ca=authority.cert_pem.bytes().decode()))
        by_text = await get(client, site.url(), inline, options)
    assert good.failure is None
    assert by_text.failure is None
    assert good.final is not None
    assert good.final.tls is not None
    assert good.final.tls.version == "TLSv1.3"
    assert good.final.tls.cipher.startswith("TLS_")
    assert good.final.tls.chain[0].startswith("-----BEGIN CERTIFICATE")
    assert good.final.secured > good.final.connected
    assert distrusted.failure is Failure.TLS


async def test_server_name_of_the_options_is_the_one_verified(client: Client) -> None:
    """`server_name` takes the place of the URL's host, for SNI and for the certificate."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("inner.example").configure_cert(context)
    seen: list[str] = []
    context.sni_callback = lambda _sock, name, _context: seen.append(name)
    ca = authority.cert_pem.bytes().decode()
    tls = TLSConfig(ca=ca, server_name="inner.example")
    async with web(answer(), context=context) as site:
        call = await get(client, site.url(), HTTPClientConfig(tls_config=tls))
        other = await get(client, site.url(), HTTPClientConfig(tls_config=TLSConfig(ca=ca)))
    assert call.failure is None
    assert seen[0] == "inner.example"
    assert f"Host: 127.0.0.1:{site.port}" in site.requests[0]
    assert other.failure is Failure.TLS


async def test_cancelled_fetch_frees_its_transfer(client: Client) -> None:
    """Nothing stays under way for somebody who no longer waits."""

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with web(handler=silent) as site:
        task = asyncio.create_task(get(client, site.url(), timeout=30))
        while client.engine.in_flight == 0:
            await SystemClock().sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while client.engine.in_flight:
            await SystemClock().sleep(0.01)


async def test_beyond_the_bound_exchanges_wait_and_then_are_refused() -> None:
    """With all room taken a request waits for its turn, or ends with reason overload."""
    clock = SystemClock()
    engine, resolver = Engine(clock, most_in_flight=1), StubResolver(clock)
    engine.start()
    crowded = Client(engine, resolver, OutboundPolicy(), clock)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with web(handler=silent) as black_hole, web(answer()) as site:
        held = asyncio.create_task(get(crowded, black_hole.url(), timeout=0.6))
        while engine.in_flight == 0:
            await clock.sleep(0.01)
        refused = await get(crowded, site.url(), timeout=0.2)
        served = await get(crowded, site.url(), timeout=3.0)
        assert (await held).failure is Failure.TIMEOUT
    await engine.close()
    assert refused.failure is Failure.OVERLOAD
    assert served.failure is None


@pytest.mark.parametrize("header", [("X", "a\r\nb: c"), ("Bad:Name", "x"), ("", "x")])
def test_headers_that_would_break_the_request_are_refused(header: tuple[str, str]) -> None:
    """No line can be smuggled in by a value."""
    with pytest.raises(InvalidInput):
        Profile(HTTPClientConfig(), Options()).request(parse_url("http://h/"), [header])
