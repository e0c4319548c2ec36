"""The tcp prober: connecting, TLS, conversations, and each way to fail."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from controlplane.model.secret import Secret
from controlplane.probes.certificates import parse_certificate
from controlplane.probes.options import Module, QueryLabel, QueryResponse, TCPProbe
from controlplane.probes.outcome import Outcome, Reason
from controlplane.probes.tcp import probe_tcp
from controlplane.transport.options import TLSConfig, TLSVersion
from tests.unit.probes_tcp.servers import Authority, FixedResolver, Talk, server, tools, values

STEP = QueryResponse


async def probe(target: str, options: TCPProbe, timeout: float = 5.0) -> Outcome:
    return await probe_tcp(tools(), target, Module("tcp", tcp=options), timeout)


async def talk_to(talk: Talk, *steps: QueryResponse, timeout: float = 5.0) -> Outcome:
    async with server(talk) as port:
        return await probe(f"127.0.0.1:{port}", TCPProbe(query_response=steps), timeout)


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_connects() -> None:
    """A port that accepts is a success, and the lookup is told."""
    outcome = await talk_to(silent)
    assert (outcome.success, outcome.reason, outcome.evidence) == (True, None, None)
    assert values(outcome) == {
        "probe_dns_lookup_time_seconds": 0.001,
        "probe_ip_protocol": 4.0,
        "probe_ip_addr_hash": 3668918509.0,
        "probe_failed_due_to_regex": 0.0,
        "probe_failed_due_to_bytes": 0.0,
    }


async def test_verbose_success_has_evidence() -> None:
    """Asked to be verbose, a success tells its story too."""
    async with server(silent) as port:
        module = Module("tcp")
        outcome = await probe_tcp(tools(verbose=True), f"localhost:{port}", module, 5.0)
    assert outcome.success
    assert outcome.evidence is not None
    assert outcome.evidence.log == ("localhost is 127.0.0.1", f"connected to 127.0.0.1:{port}")


async def test_refused() -> None:
    """A closed port fails with reason connect and the phases up to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcome = await probe(f"127.0.0.1:{free.getsockname()[1]}", TCPProbe())
    assert outcome.reason is Reason.CONNECT
    assert outcome.evidence is not None
    assert outcome.evidence.error == "Connection refused"
    assert [name for name, _ in outcome.evidence.phases] == ["resolve", "connect"]
    assert "probe_failed_due_to_regex" not in values(outcome)


async def test_name_without_address() -> None:
    """A name that does not resolve fails with reason dns; protocol and hash are 0."""
    outcome = await probe("nowhere.test:80", TCPProbe())
    assert outcome.reason is Reason.DNS
    assert values(outcome) == {
        "probe_dns_lookup_time_seconds": 0.002,
        "probe_ip_protocol": 0.0,
        "probe_ip_addr_hash": 0.0,
    }


async def test_preferred_protocol_is_passed_on() -> None:
    """preferred_ip_protocol and ip_protocol_fallback decide what the resolver is asked."""
    resolver = FixedResolver()
    options = TCPProbe(preferred_ip_protocol="ip4", ip_protocol_fallback=False)
    await probe_tcp(tools(resolver), "[::1]:80", Module("tcp", tcp=options), 1.0)
    assert resolver.asked == [("::1", "ip4", False)]


@pytest.mark.parametrize(
    "target", ["host", "host:", ":80", "::1:80", "host:0", "host:99999", "h:x y"]
)
async def test_bad_targets(target: str) -> None:
    """What is not host:port fails with reason config and without a sample."""
    outcome = await probe(target, TCPProbe())
    assert outcome.reason is Reason.CONFIG
    assert values(outcome) == {}


async def test_policy() -> None:
    """An address that the outbound policy denies is not connected to."""
    resolver = FixedResolver(metadata="169.254.169.254")
    outcome = await probe_tcp(tools(resolver), "metadata:80", Module("tcp"), 1.0)
    assert outcome.reason is Reason.POLICY


async def test_source_address() -> None:
    """source_ip_address is where the connection comes from; one that is not ours is config."""
    peers = []

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])

    async with server(talk) as port:
        target = f"127.0.0.1:{port}"
        assert (await probe(target, TCPProbe(source_ip_address="127.0.0.7"))).success
        for address in ("192.0.2.1", "nonsense"):
            failed = await probe(target, TCPProbe(source_ip_address=address))
            assert failed.reason is Reason.CONFIG
        await asyncio.to_thread(lambda: None)
    assert peers == ["127.0.0.7"]


async def test_conversation() -> None:
    """Steps expect, remember groups, send them, and make labels of them."""
    heard = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"noise\r\n220 mail ready\r\n")
        heard.append(await reader.readline())
        writer.write(b"250-SIZE\n250 OK")
        writer.write_eof()
        heard.append(await reader.readline())

    outcome = await talk_to(
        talk,
        STEP(
            expect="^220 (?P<name>[a-z]+) (.*)$",
            send="EHLO ${name} $2x $9.",
            labels=(QueryLabel("host", "${1}"), QueryLabel("state", "<$2>")),
        ),
        STEP(expect="^250 "),
        STEP(send="QUIT"),
    )
    assert outcome.success
    assert heard == [b"EHLO mail  .\n", b"QUIT\n"]
    assert values(outcome)["probe_expect_info|host=mail|state=<ready>"] == 1.0


async def test_bytes_that_are_no_text() -> None:
    """What came is sent back byte for byte, whatever it is; as a label it is readable."""
    heard = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x\xff\x00y\n")
        heard.append(await reader.readline())

    step = STEP(expect=r"^x(\C+)y$", send="$1", labels=(QueryLabel("v", "$1"),))
    outcome = await talk_to(talk, step, STEP(expect="never"))
    assert heard == [b"\xff\x00\n"]
    assert "probe_expect_info|v=\ufffd\x00" in values(outcome)


async def test_nothing_matches() -> None:
    """Lines that never match set probe_failed_due_to_regex, and the evidence shows them."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\nworld")

    outcome = await talk_to(talk, STEP(expect="^bye$"))
    assert outcome.reason is Reason.EXPECT
    assert values(outcome)["probe_failed_due_to_regex"] == 1.0
    assert outcome.evidence is not None
    assert outcome.evidence.body == "hello\nworld"


async def test_expect_bytes() -> None:
    """expect_bytes takes exactly its bytes, in whatever pieces they come."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (b"S", b"SH-2", b".0\nrest\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.to_thread(lambda: None)
        await reader.read()

    assert (await talk_to(talk, STEP(expect_bytes="SSH-2.0"), STEP(expect="^rest"))).success
    outcome = await talk_to(talk, STEP(expect_bytes="SSH-1.0"))
    assert outcome.reason is Reason.EXPECT
    assert values(outcome)["probe_failed_due_to_bytes"] == 1.0
    outcome = await talk_to(talk, STEP(expect_bytes="SSH-2.0\nrest\nmore"), timeout=0.2)
    assert outcome.reason is Reason.TIMEOUT


async def test_end_before_the_expected_bytes() -> None:
    """A peer that ends too soon closed."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SS")

    outcome = await talk_to(talk, STEP(expect_bytes="SSH"))
    assert outcome.reason is Reason.CLOSED
    assert values(outcome)["probe_failed_due_to_bytes"] == 0.0


async def test_reset() -> None:
    """A connection that is reset half-way is reason closed."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        linger = bytes([1, 0, 0, 0, 0, 0, 0, 0])
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    outcome = await talk_to(talk, STEP(send="x"), STEP(expect="y"))
    assert outcome.reason is Reason.CLOSED


async def test_silence() -> None:
    """A peer that says nothing costs the time-out and no more."""
    outcome = await talk_to(silent, STEP(expect="x"), timeout=0.1)
    assert outcome.reason is Reason.TIMEOUT
    assert 0.1 <= outcome.duration < 1.0


@pytest.mark.parametrize("flood", [b"x" * 65_536, b"line\n" * 13_000])
async def test_flood(flood: bytes) -> None:
    """A peer that never stops is cut off, whether it ends its lines or not."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(flood)
            await writer.drain()

    outcome = await talk_to(talk, STEP(expect="^y$"))
    assert outcome.reason is Reason.SIZE
    assert outcome.evidence is not None
    assert len(outcome.evidence.body) == 4096


async def test_tls(authority: Authority) -> None:
    """Over TLS the chain, its trusted end and the version are told."""
    trusting = TLSConfig(ca_file=str(authority.file))
    async with server(silent, authority.context()) as port:
        outcome = await probe(f"localhost:{port}", TCPProbe(tls=True, tls_config=trusting))
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    assert outcome.success
    leaf = parse_certificate(ssl.PEM_cert_to_DER_cert(pem))
    root = parse_certificate(ssl.PEM_cert_to_DER_cert(authority.file.read_text()))
    assert leaf.issuer == root.subject
    told = values(outcome)
    assert told["probe_tls_version_info|version=TLS 1.3"] == 1.0
    assert told["probe_ssl_earliest_cert_expiry"] == leaf.not_after
    assert told["probe_ssl_last_chain_expiry_timestamp_seconds"] == min(
        leaf.not_after, root.not_after
    )
    (info,) = (key for key in told if key.startswith("probe_ssl_last_chain_info"))
    assert f"|fingerprint_sha256={leaf.fingerprint}|" in info
    assert info.endswith("|subjectalternative=localhost")


async def test_tls_unverified(authority: Authority) -> None:
    """Without verification there is no trusted chain: Go's zero time stands for it."""
    lax = TLSConfig(insecure_skip_verify=True)
    async with server(silent, authority.context("other.test")) as port:
        outcome = await probe(f"127.0.0.1:{port}", TCPProbe(tls=True, tls_config=lax))
    assert values(outcome)["probe_ssl_last_chain_expiry_timestamp_seconds"] == -62135596800.0


@pytest.mark.parametrize(
    ("names", "config", "words"),
    [
        (("localhost",), {}, "issuer certificate"),
        (("other.test",), {"trust": True}, "mismatch"),
        (("localhost",), {"trust": True, "server_name": "other.test"}, "mismatch"),
    ],
)
async def test_tls_refused(
    authority: Authority, names: tuple[str, ...], config: dict[str, object], words: str
) -> None:
    """A chain that is not trusted, or is another's, fails with reason tls and in words."""
    tls = TLSConfig(
        ca_file=str(authority.file) if config.get("trust") else "",
        server_name=str(config.get("server_name", "")),
    )
    async with server(silent, authority.context(*names)) as port:
        outcome = await probe(f"localhost:{port}", TCPProbe(tls=True, tls_config=tls))
    assert outcome.reason is Reason.TLS
    assert outcome.evidence is not None
    assert words in outcome.evidence.error
    assert "probe_failed_due_to_regex" not in values(outcome)


async def test_server_name(authority: Authority) -> None:
    """server_name is what is asked for and what the certificate must name."""
    tls = TLSConfig(ca=authority.file.read_text(), server_name="other.test")
    async with server(silent, authority.context("other.test")) as port:
        assert (await probe(f"localhost:{port}", TCPProbe(tls=True, tls_config=tls))).success


async def test_plain_peer_is_no_tls() -> None:
    """A peer that does not speak TLS fails the handshake."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 plain\r\n")

    async with server(talk) as port:
        outcome = await probe(f"localhost:{port}", TCPProbe(tls=True))
    assert outcome.reason is Reason.TLS


async def test_versions(authority: Authority) -> None:
    """min_version and max_version bound what is spoken."""
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    file = str(authority.file)
    async with server(silent, context) as port:
        target = f"localhost:{port}"
        wants = TCPProbe(tls=True, tls_config=TLSConfig(ca_file=file, min_version=TLSVersion.TLS13))
        assert (await probe(target, wants)).reason is Reason.TLS
        takes = TCPProbe(tls=True, tls_config=TLSConfig(ca_file=file, min_version=TLSVersion.TLS10))
        told = values(await probe(target, takes))
        assert told["probe_tls_version_info|version=TLS 1.2"] == 1.0


async def test_client_certificate(authority: Authority, tmp_path: Path) -> None:
    """A client certificate is shown, from files or from the configuration itself."""
    issued = authority.authority.issue_cert("client@test")
    certificate = issued.cert_chain_pems[0].bytes().decode()
    key = issued.private_key_pem.bytes().decode()
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    given = TLSConfig(ca_file=str(authority.file), cert=certificate, key=Secret(key))
    in_files = TLSConfig(
        ca_file=str(authority.file),
        cert_file=str(tmp_path / "cert.pem"),
        key_file=str(tmp_path / "key.pem"),
    )

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peercert")
        writer.write(f"{peer['subjectAltName'][0][1]}\n".encode())
        await reader.read()

    step = STEP(expect="^client@test$")
    async with server(talk, authority.context(client_ca=True)) as port:
        for config in (given, in_files):
            options = TCPProbe(tls=True, tls_config=config, query_response=(step,))
            assert (await probe(f"localhost:{port}", options)).success


@pytest.mark.parametrize(
    "config",
    [
        TLSConfig(ca_file="/nonexistent"),
        TLSConfig(ca="no certificate"),
        TLSConfig(cert_file="/nonexistent", key_file="/nonexistent"),
        TLSConfig(cert_file="/nonexistent"),
    ],
)
async def test_unusable_tls_config(config: TLSConfig) -> None:
    """Files that cannot be used are reason config."""
    async with server(silent) as port:
        outcome = await probe(f"localhost:{port}", TCPProbe(tls=True, tls_config=config))
    assert outcome.reason is Reason.CONFIG


async def test_starttls(authority: Authority) -> None:
    """starttls goes on over TLS on the same connection, and its certificate is told."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"220 go\r\n")
        await writer.start_tls(authority.context())
        assert await reader.readline() == b"EHLO\n"
        writer.write(b"250 done\r\n")
        await writer.drain()

    steps = (
        STEP(expect="^220", send="STARTTLS"),
        STEP(expect="^220 go"),
        STEP(starttls=True),
        STEP(send="EHLO"),
        STEP(expect="^250 done"),
    )
    config = TLSConfig(ca_file=str(authority.file))
    async with server(talk) as port:
        options = TCPProbe(query_response=steps, tls_config=config)
        outcome = await probe(f"localhost:{port}", options)
    assert outcome.success, outcome.evidence
    assert "probe_ssl_earliest_cert_expiry" in values(outcome)


async def test_changed_ca_file(authority: Authority, tmp_path: Path) -> None:
    """A CA file that was replaced is in force at the next probe."""
    other = Authority(tmp_path / "..")
    file = tmp_path / "in-use.pem"
    file.write_bytes(other.file.read_bytes())
    options = TCPProbe(tls=True, tls_config=TLSConfig(ca_file=str(file)))
    async with server(silent, authority.context()) as port:
        assert not (await probe(f"localhost:{port}", options)).success
        authority.authority.cert_pem.write_to_path(str(file))
        assert (await probe(f"localhost:{port}", options)).success
