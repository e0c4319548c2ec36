"""The evidence of a failure: the story, and none of the secrets that a service repeats."""

import ssl

import pytest
import trustme

from controlplane.errors import Unavailable
from controlplane.model.secret import Secret
from controlplane.probes.outcome import Evidence, Outcome
from controlplane.transport.options import (
    Authorization,
    BasicAuth,
    HeaderValues,
    HTTPClientConfig,
    TLSConfig,
)
from tests.support.web import answer, web
from tests.unit.probes.rig import Rig, module


def told(outcome: Outcome) -> Evidence:
    assert outcome.evidence is not None
    return outcome.evidence


async def test_story_of_a_refusal(prober: Rig) -> None:
    """Where it went, what came, how long each phase took."""
    async with web(answer("503 Busy", body=b"try later", headers=("Retry-After: 5",))) as site:
        evidence = told(await prober.probe(f"http://u:pw@127.0.0.1:{site.port}/x?y=1"))
    assert evidence.url == f"http://127.0.0.1:{site.port}/x?y=1"
    assert (evidence.status, evidence.body, evidence.peer) == (503, "try later", "127.0.0.1")
    assert ("Retry-After", "5") in evidence.headers
    assert [name for name, _ in evidence.phases] == [
        "resolve", "connect", "tls", "processing", "transfer",
    ]  # fmt: skip
    assert evidence.error == "status 503, wanted 2xx"
    assert evidence.log[-1] == evidence.error


@pytest.mark.parametrize(
    "client",
    [
        HTTPClientConfig(basic_auth=BasicAuth("user", Secret("hush-hush"))),
        HTTPClientConfig(authorization=Authorization(credentials=Secret("hush-hush"))),
        HTTPClientConfig(http_headers={"X-Token": HeaderValues(secrets=(Secret("hush-hush"),))}),
    ],
)
async def test_repeated_secrets_are_struck_out(prober: Rig, client: HTTPClientConfig) -> None:
    """A page that echoes what we logged in with does not bring it into the evidence."""
    echo = "hush-hush dXNlcjpodXNoLWh1c2g="
    headers = (f"X-Echo: {echo}", "Set-Cookie: session=hush-hush")
    async with web(answer("500 No", body=f"you sent {echo}".encode(), headers=headers)) as site:
        evidence = told(await prober.probe(site.url(), module(client)))
    assert "hush-hush" not in repr(evidence)
    assert "you sent" in evidence.body


async def test_secret_that_vanished_meanwhile_spoils_nothing(prober: Rig) -> None:
    """A credential that can be read once only still gives an outcome."""
    reads = iter(("token-1",))

    def read() -> str:
        for text in reads:
            return text
        raise Unavailable("gone")

    client = HTTPClientConfig(authorization=Authorization(credentials=Secret(read)))
    async with web(answer("500 No")) as site:
        outcome = await prober.probe(site.url(), module(client), 2.0)
    assert told(outcome).status == 500


async def test_certificate_is_described(
    prober: Rig, authority: trustme.CA, context: ssl.SSLContext
) -> None:
    """One line on the leaf: whose it is, for which names, until when."""
    tls = TLSConfig(ca=authority.cert_pem.bytes().decode())
    async with web(answer("500 No"), context=context) as site:
        evidence = told(await prober.probe(site.url(), module(HTTPClientConfig(tls_config=tls))))
    assert "trustme" in evidence.certificate
    assert "localhost" in evidence.certificate
    assert "valid " in evidence.certificate


async def test_headers_are_bounded(prober: Rig) -> None:
    """Hundreds of long headers are shown in part."""
    many = tuple(f"X-{number}: {'v' * 2000}" for number in range(120))
    async with web(answer("500 No", headers=many)) as site:
        evidence = told(await prober.probe(site.url()))
    assert len(evidence.headers) == 100
    assert max(len(value) for _, value in evidence.headers) == 1024
