"""What an http probe sends: method, headers, body, credentials, and by which way."""

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from controlplane.errors import Unavailable
from controlplane.model.secret import Secret
from controlplane.probes.outcome import Reason
from controlplane.transport.options import (
    Authorization,
    BasicAuth,
    HeaderValues,
    HTTPClientConfig,
    OAuth2,
    ProxyConfig,
    TLSConfig,
    TLSVersion,
)
from tests.support.web import Web, answer, web
from tests.unit.probes.rig import DENIED, Rig, module, values

Head = dict[str, str]


def head(site: Web, number: int = 0) -> tuple[str, Head, str]:
    """Return request line, headers by lower-case name, and body of a request that came."""
    lines, _, body = site.requests[number].partition("\r\n\r\n")
    first, *rest = lines.split("\r\n")
    return first, {name.lower(): text for name, _, text in (x.partition(": ") for x in rest)}, body


def unreadable() -> str:
    raise Unavailable("cannot read /run/secrets/token")


async def test_plain_request(prober: Rig) -> None:
    """A target without a scheme is http; the prober names itself and keeps no connection."""
    async with web(answer()) as site:
        outcome = await prober.probe(f"127.0.0.1:{site.port}")
    line, headers, body = head(site)
    assert outcome.success
    assert line == "GET / HTTP/1.1"
    assert headers == {
        "host": f"127.0.0.1:{site.port}",
        "user-agent": "Controlplane-Prober/1",
        "connection": "close",
    }
    assert body == ""


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PURGE"])
async def test_method_and_body(prober: Rig, method: str) -> None:
    """Any method carries the body, and nothing is declared that nobody gave."""
    async with web(answer()) as site:
        outcome = await prober.probe(site.url("/p"), module(method=method, body='{"a": "é"}'))
    line, headers, body = head(site)
    assert outcome.success
    assert line == f"{method} /p HTTP/1.1"
    assert headers["content-length"] == "11"
    assert "content-type" not in headers
    assert body.encode("latin-1").decode() == '{"a": "é"}'


async def test_head_sends_and_awaits_no_body(prober: Rig) -> None:
    """HEAD with a body in its module is a plain HEAD: no server expects one."""
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") as site:
        outcome = await prober.probe(site.url(), module(method="HEAD", body="x"), 2.0)
    assert outcome.success
    line, headers, body = head(site)
    assert (line, body) == ("HEAD / HTTP/1.1", "")
    assert "content-length" not in headers


async def test_body_file_is_read_anew(prober: Rig, tmp_path: Path) -> None:
    """What the file holds at the time of the probe is sent; without it the reason is config."""
    file = tmp_path / "body"
    demand = module(method="POST", body_file=str(file))
    async with web(answer()) as site:
        missing = await prober.probe(site.url(), demand)
        for text in ("one", "two"):
            file.write_text(text)
            assert (await prober.probe(site.url(), demand)).success
    assert missing.reason is Reason.CONFIG
    assert [head(site, number)[2] for number in (0, 1)] == ["one", "two"]


async def test_headers(prober: Rig) -> None:
    """Own headers take the place of ours; Host too, and it names nobody to connect to."""
    headers = {"Host": "inner.test", "user-agent": "me", "X-A": "1", "Connection": "keep-alive"}
    secret = {
        "X-Two": HeaderValues(("a", "b")),
        "X-Hush": HeaderValues(secrets=(Secret("s3cret"),)),
    }
    async with web(answer()) as site:
        await prober.probe(
            site.url(), module(HTTPClientConfig(http_headers=secret), headers=headers)
        )
    _, sent, _ = head(site)
    assert sent["host"] == "inner.test"
    assert (sent["user-agent"], sent["x-a"], sent["connection"]) == ("me", "1", "keep-alive")
    assert sent["x-hush"] == "s3cret"
    assert [line for line in site.requests[0].split("\r\n") if line.startswith("X-Two")] == [
        "X-Two: a",
        "X-Two: b",
    ]


@pytest.mark.parametrize(
    ("client", "header"),
    [
        (HTTPClientConfig(basic_auth=BasicAuth("u", Secret("p"))), "Basic dTpw"),
        (HTTPClientConfig(basic_auth=BasicAuth(Secret("u"))), "Basic dTo="),
        (HTTPClientConfig(authorization=Authorization(credentials=Secret("t"))), "Bearer t"),
        (HTTPClientConfig(authorization=Authorization("Token", Secret("t"))), "Token t"),
    ],
)
async def test_credentials(prober: Rig, client: HTTPClientConfig, header: str) -> None:
    """Each way to log in makes its own Authorization header."""
    async with web(answer()) as site:
        await prober.probe(site.url(), module(client))
    assert head(site)[1]["authorization"] == header


async def test_secret_that_cannot_be_read_is_auth(prober: Rig) -> None:
    """A missing credential fails the probe, and nothing is sent without it."""
    async with web(answer()) as site:
        for client in (
            HTTPClientConfig(authorization=Authorization(credentials=Secret(unreadable))),
            HTTPClientConfig(http_headers={"X-A": HeaderValues(secrets=(Secret(unreadable),))}),
        ):
            assert (await prober.probe(site.url(), module(client))).reason is Reason.AUTH
    assert site.requests == []


async def test_oauth2(prober: Rig) -> None:
    """The token is fetched with the client's credentials, all parameters given."""
    async with (
        web(answer(body=b'{"access_token": "abc"}')) as issuer,
        web(answer()) as site,
    ):
        oauth2 = OAuth2("id", issuer.url("/t"), Secret("s"), ("x",), {"audience": "api"})
        outcome = await prober.probe(site.url(), module(HTTPClientConfig(oauth2=oauth2)))
    line, headers, body = head(issuer)
    assert outcome.success
    assert line == "POST /t HTTP/1.1"
    assert headers["authorization"] == "Basic aWQ6cw=="
    assert sorted(body.split("&")) == ["audience=api", "grant_type=client_credentials", "scope=x"]
    assert head(site)[1]["authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    "token", [b"", b"[]", b"{}", b'{"access_token": 5}', b'{"access_token": "a\\r\\nX: y"}']
)
async def test_answer_without_a_token_is_auth(prober: Rig, token: bytes) -> None:
    """What holds no token fails the probe with reason auth."""
    async with web(answer(body=token)) as issuer, web(answer()) as site:
        oauth2 = OAuth2("id", issuer.url(), Secret("s"))
        outcome = await prober.probe(site.url(), module(HTTPClientConfig(oauth2=oauth2)))
    assert (outcome.reason, site.requests) == (Reason.AUTH, [])


async def test_client_certificate(prober: Rig, tmp_path: Path) -> None:
    """A certificate is shown where one is asked for: from files, and from texts."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    # With TLS 1.3 a client learns only later that it is not welcome.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    mine = authority.issue_cert("me.test")
    cert, key = mine.cert_chain_pems[0].bytes().decode(), mine.private_key_pem.bytes().decode()
    (tmp_path / "cert.pem").write_text(cert)
    (tmp_path / "key.pem").write_text(key)
    ca = authority.cert_pem.bytes().decode()
    cert_file, key_file = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    async with web(answer(), context=context) as site:
        for tls in (
            TLSConfig(ca=ca, cert_file=cert_file, key_file=key_file),
            TLSConfig(ca=ca, cert=cert, key=Secret(key)),
        ):
            shown = await prober.probe(site.url(), module(HTTPClientConfig(tls_config=tls)))
            assert shown.success
        nobody = HTTPClientConfig(tls_config=TLSConfig(ca=ca))
        lone = HTTPClientConfig(tls_config=TLSConfig(ca=ca, cert=cert))
        assert (await prober.probe(site.url(), module(nobody))).reason is Reason.TLS
        assert (await prober.probe(site.url(), module(lone))).reason is Reason.CONFIG


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ({"min_version": TLSVersion.TLS12, "max_version": TLSVersion.TLS12}, None),
        ({"min_version": TLSVersion.TLS13}, Reason.TLS),
        ({"min_version": TLSVersion.TLS13, "max_version": TLSVersion.TLS12}, Reason.CONFIG),
    ],
)
async def test_versions_of_tls(
    prober: Rig, authority: trustme.CA, versions: dict[str, Any], reason: Reason | None
) -> None:
    """min_version and max_version bound what is spoken."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1").configure_cert(context)
    tls = TLSConfig(ca=authority.cert_pem.bytes().decode(), **versions)
    async with web(answer(), context=context) as site:
        outcome = await prober.probe(site.url(), module(HTTPClientConfig(tls_config=tls)))
    assert outcome.reason is reason


async def test_host_header_names_the_server_for_tls(prober: Rig, authority: trustme.CA) -> None:
    """A Host header is what the certificate must be for, unless server_name says otherwise."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("inner.test").configure_cert(context)
    ca = authority.cert_pem.bytes().decode()
    by_host = module(HTTPClientConfig(tls_config=TLSConfig(ca=ca)), headers={"Host": "inner.test"})
    other = TLSConfig(ca=ca, server_name="other.test")
    by_name = module(HTTPClientConfig(tls_config=other), headers={"Host": "inner.test"})
    async with web(answer(), context=context) as site:
        assert (await prober.probe(site.url(), by_host)).success
        assert (await prober.probe(site.url(), by_name)).reason is Reason.TLS


@pytest.mark.parametrize(
    ("proxies", "proxied"),
    [
        ({}, True),
        ({"no_proxy": "other.test,127.0.0.0/8"}, False),
        ({"no_proxy": "10.0.0.0/8, localhost"}, True),
        ({"no_proxy": "*"}, False),
    ],
)
async def test_proxy(prober: Rig, proxies: dict[str, Any], proxied: bool) -> None:
    """A request goes by the proxy unless no_proxy names its host."""
    async with web(answer(body=b"proxy")) as proxy, web(answer(body=b"target!")) as site:
        config = ProxyConfig(proxy_url=f"http://u:p@127.0.0.1:{proxy.port}", **proxies)
        outcome = await prober.probe(site.url("/x"), module(HTTPClientConfig(proxy=config)))
    assert outcome.success
    assert values(outcome)["probe_http_content_length"] == (5 if proxied else 7)
    if proxied:
        line, headers, _ = head(proxy)
        assert line == f"GET {site.url('/x')} HTTP/1.1"
        assert headers["proxy-authorization"] == "Basic dTpw"


async def test_proxy_that_refuses_a_tunnel(prober: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy's no has reason proxy; its headers go to it, and the target's do not."""
    async with web(answer("403 No")) as proxy:
        config = ProxyConfig(
            proxy_url=proxy.url(""), proxy_connect_header={"X-Pass": (Secret("word"),)}
        )
        client = HTTPClientConfig(
            proxy=config, authorization=Authorization(credentials=Secret("inner"))
        )
        outcome = await prober.probe("https://127.0.0.1:7/", module(client))
        monkeypatch.setenv("https_proxy", proxy.url(""))
        environment = HTTPClientConfig(proxy=ProxyConfig(proxy_from_environment=True))
        found = await prober.probe("https://192.0.2.1:7/", module(environment))
    line, headers, _ = head(proxy)
    assert outcome.reason is Reason.PROXY
    assert line == "CONNECT 127.0.0.1:7 HTTP/1.1"
    assert headers["x-pass"] == "word"
    assert "authorization" not in headers
    assert found.reason is Reason.PROXY
    assert head(proxy, 1)[0] == "CONNECT 192.0.2.1:7 HTTP/1.1"


async def test_names_may_be_left_to_the_proxy(prober: Rig) -> None:
    """skip_resolve_phase_with_proxy: no lookup, no samples of one, the name in the request."""
    async with web(answer()) as proxy:
        client = HTTPClientConfig(proxy=ProxyConfig(proxy_url=proxy.url("")))
        skipped = await prober.probe(
            "http://only.there.invalid/", module(client, skip_resolve_phase_with_proxy=True)
        )
    assert skipped.success
    assert head(proxy)[0] == "GET http://only.there.invalid/ HTTP/1.1"
    assert not {"probe_ip_protocol", "probe_http_duration_seconds resolve"} & set(values(skipped))


async def test_policy_holds_for_the_proxy(prober: Rig) -> None:
    """A proxy at a denied address is not spoken to."""
    client = HTTPClientConfig(proxy=ProxyConfig(proxy_url=f"http://{DENIED}:3128"))
    outcome = await prober.probe("http://127.0.0.1:7/", module(client))
    assert outcome.reason is Reason.POLICY


@pytest.mark.parametrize(
    ("preferred", "fallback", "target", "reason"),
    [
        ("ip4", True, "127.0.0.1", None),
        ("ip6", True, "127.0.0.1", None),
        ("ip6", False, "127.0.0.1", Reason.DNS),
        ("ip4", False, "127.0.0.1", None),
        ("ip4", False, "[::1]", Reason.DNS),
    ],
)
async def test_ip_protocol(
    prober: Rig,
    preferred: str,
    fallback: bool,
    target: str,
    reason: Reason | None,
) -> None:
    """An address of the other kind serves only with ip_protocol_fallback."""
    async with web(answer()) as site:
        asked = module(preferred_ip_protocol=preferred, ip_protocol_fallback=fallback)
        outcome = await prober.probe(f"http://{target}:{site.port}/", asked)
    assert outcome.reason is reason


async def test_http3_is_nothing_else(prober: Rig) -> None:
    """enable_http3 does not fall back: a server that has only TCP is not reached."""
    async with web(answer()) as site:
        client = HTTPClientConfig(enable_http2=False)
        outcome = await prober.probe(site.url(), module(client, enable_http3=True), 1.0)
    assert outcome.reason in (Reason.CONNECT, Reason.TIMEOUT)
    assert site.requests == []


async def test_old_http_can_be_asked_for(prober: Rig) -> None:
    """enable_http2 false speaks HTTP/1.1 even where more is offered."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    offered: list[str] = []
    context.set_alpn_protocols(["h2", "http/1.1"])
    tls = TLSConfig(ca=authority.cert_pem.bytes().decode())

    async with web(answer(), context=context) as site:
        client = HTTPClientConfig(tls_config=tls, enable_http2=False)
        outcome = await prober.probe(site.url(), module(client))
        offered += [site.requests[0].split(" ")[0]]
    assert outcome.success
    assert offered == ["GET"]


@pytest.mark.parametrize(
    "target", ["http://", "http://host:99999/", "http://a b/", "http://[::1/", "ht tp://x"]
)
async def test_targets_that_are_none(prober: Rig, target: str) -> None:
    """A target that cannot be asked fails with reason config."""
    assert (await prober.probe(target)).reason is Reason.CONFIG


async def test_header_that_would_split_the_request(prober: Rig) -> None:
    """A line break in a header is refused, not sent."""
    async with web(answer()) as site:
        outcome = await prober.probe(site.url(), module(headers={"X-A": "1\r\nX-B: 2"}))
    assert (outcome.reason, site.requests) == (Reason.CONFIG, [])


async def test_unlistened_port_is_connect(prober: Rig) -> None:
    """Nobody listens: reason connect."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = await prober.probe(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert outcome.reason is Reason.CONNECT
