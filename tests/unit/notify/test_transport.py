"""Every integration over the program's own way out: libcurl, its resolver, its policy."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from controlplane.demo.standins import Fault, PagerDutyStandIn, SlackStandIn, WebhookStandIn
from controlplane.demo.standins.server import StandIn
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.table import build_integrations
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import Content, FailureReason, Notification, Outcome
from controlplane.notify.options import Receiver
from controlplane.notify.ports import Integration
from controlplane.routing.options import Route
from controlplane.transport.options import (
    HeaderValues,
    HTTPClientConfig,
    ProxyConfig,
    TLSConfig,
)
from tests.support.alerting import QUICK, alerting, firing, resolved
from tests.support.outbound import surroundings
from tests.support.web import answer, web

NOW = 1_700_000_000_000
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
KINDS = ("slack", "bot", "pagerduty", "webhook")
PLAIN = HTTPClientConfig()
# What each service says when it has taken a message.
YES = {
    "slack": answer(body=b"ok"),
    "bot": answer(
        body=b'{"ok": true, "channel": "C1", "ts": "1.2"}',
        headers=("Content-Type: application/json",),
    ),
    "pagerduty": answer("202 Accepted", b"{}"),
    "webhook": answer(),
}


def notification() -> Notification:
    content = Content(
        "{}:{}", Labels(), Reason.FIRST, (replace(firing(NOW), ends_at=NOW + 1),), NOW
    )
    return Notification("ops", "x/0", "{}:{}", content)


def receiver(kind: str, url: str, client: HTTPClientConfig = PLAIN) -> Receiver:
    """Return a receiver of one kind whose service stands at `url`."""
    match kind:
        case "slack":
            return Receiver("ops", slack_configs=(SlackConfig(True, client, Secret(url)),))
        case "bot":
            bot = SlackConfig(
                True, client, app_token=Secret("xoxb-stand-in"), app_url=url, channel="#alerts"
            )
            return Receiver("ops", slack_configs=(bot,))
        case "pagerduty":
            pager = PagerdutyConfig(Secret(ROUTING_KEY), http_config=client, url=url)
            return Receiver("ops", pagerduty_configs=(pager,))
    hook = WebhookConfig(Secret(url), http_config=client)
    return Receiver("ops", webhook_configs=(hook,))


@asynccontextmanager
async def integration(
    kind: str, url: str, client: HTTPClientConfig = PLAIN, deny: Sequence[str] = ()
) -> AsyncIterator[Integration]:
    async with surroundings(deny) as around:
        [(_, [made])] = build_integrations([receiver(kind, url, client)], around).items()
        yield made
        await made.close()


@asynccontextmanager
async def service(kind: str) -> AsyncIterator[tuple[StandIn, str]]:
    """A stand-in of a kind, and the address that a receiver is given."""
    server, path = {
        "slack": (SlackStandIn(), ""),
        "bot": (SlackStandIn(), "/api/chat.postMessage"),
        "pagerduty": (PagerDutyStandIn(), "/v2/enqueue"),
        "webhook": (WebhookStandIn(), "/hook"),
    }[kind]
    async with server:
        hook = server.webhook_url if isinstance(server, SlackStandIn) else ""
        yield server, f"{server.url}{path}" if path else hook


async def failure(made: Integration, seconds: float = 10.0) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await made.send(replace(notification(), seconds=seconds))
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_arrives(kind: str) -> None:
    """The stand-ins, which check every field, take what each integration sends."""
    async with service(kind) as (server, url), integration(kind, url) as made:
        delivery = await made.send(notification())
        assert server.refused == []
        assert len(server.received) == 1
    assert delivery.status_code in (200, 202)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "temporary", "outcome", "reason", "retry_after"),
    [
        (Fault.rate_limited(7), True, Outcome.REFUSED, FailureReason.RATE_LIMITED, 7.0),
        (Fault.answer(500), True, Outcome.UNKNOWN, FailureReason.SERVER_ERROR, None),
        (Fault.answer(403), False, Outcome.REFUSED, FailureReason.AUTH_ERROR, None),
        (Fault.reset(after=True), True, Outcome.UNKNOWN, FailureReason.OTHER, None),
    ],
)
async def test_failures_are_told_apart(
    kind: str,
    fault: Fault,
    temporary: bool,
    outcome: Outcome,
    reason: FailureReason,
    retry_after: float | None,
) -> None:
    """A clear no is no; what may have arrived is unknown, and never repeats an address."""
    async with service(kind) as (server, url), integration(kind, url) as made:
        server.fail_next(fault)
        error = await failure(made)
    assert (error.temporary, error.outcome, error.reason) == (temporary, outcome, reason)
    assert error.retry_after == retry_after
    assert url not in str(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1:1", "nosuch.invalid"])
async def test_what_was_never_connected_was_not_sent(kind: str, host: str) -> None:
    """Refused connections and unknown names are worth another try, and expose nothing."""
    async with integration(kind, f"http://{host}/chat.postMessage") as made:
        error = await failure(made)
    assert (error.temporary, error.outcome) == (True, Outcome.REFUSED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_outbound_policy_holds_for_receivers(kind: str, host: str) -> None:
    """A denied address is refused for good, with the reason, and nothing reaches it."""
    async with service(kind) as (server, url):
        denied = url.replace("127.0.0.1", host)
        async with integration(kind, denied, deny=["127.0.0.0/8", "::1/128"]) as made:
            error = await failure(made)
        assert server.requests == 0
    assert (error.temporary, error.outcome) == (False, Outcome.REFUSED)
    assert "the outbound policy denies" in str(error)


class Authority:
    """A certificate authority and what it vouches for."""

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))
        identity = self._ca.issue_cert("client")
        self.cert, self.key = directory / "cert.pem", directory / "key.pem"
        identity.cert_chain_pems[0].write_to_path(str(self.cert))
        identity.private_key_pem.write_to_path(str(self.key))

    def server(self) -> ssl.SSLContext:
        """Return the context of a server that wants to know its clients."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert("127.0.0.1").configure_cert(context)
        self._ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.mark.parametrize("kind", KINDS)
async def test_tls_config_decides_whom_to_trust_and_who_we_are(kind: str, tmp_path: Path) -> None:
    """With the authority and our certificate it arrives; without, nothing has been sent."""
    authority = Authority(tmp_path)
    tls = TLSConfig(
        ca_file=str(authority.file), cert_file=str(authority.cert), key_file=str(authority.key)
    )
    async with web(YES[kind], context=authority.server()) as site:
        url = site.url("/chat.postMessage")
        async with integration(kind, url, HTTPClientConfig(tls_config=tls)) as made:
            await made.send(notification())
        assert len(site.requests) == 1
        async with integration(kind, url) as made:
            error = await failure(made)
        assert len(site.requests) == 1
    assert (error.temporary, error.outcome) == (True, Outcome.REFUSED)


@pytest.mark.parametrize("kind", KINDS)
async def test_http_headers_and_the_proxy_are_used(kind: str) -> None:
    """The request goes by the proxy, with the headers, unless `no_proxy` names the host."""
    headers = {"X-Team": HeaderValues(("ops",), (Secret("hush"),))}
    async with web(YES[kind]) as proxy, web(YES[kind]) as site:
        for no_proxy, taken in (("", proxy), ("127.0.0.1", site)):
            client = HTTPClientConfig(
                proxy=ProxyConfig(proxy_url=proxy.url(""), no_proxy=no_proxy), http_headers=headers
            )
            async with integration(kind, site.url("/chat.postMessage"), client) as made:
                await made.send(notification())
            request = taken.requests[-1].lower()
            assert "x-team:" in request
            assert "ops" in request
            assert "hush" in request
        assert (len(proxy.requests), len(site.requests)) == (1, 1)
        assert proxy.requests[0].startswith(f"POST {site.url('/chat.postMessage')} ")


async def test_a_bot_does_not_take_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what the configuration names is used, though slack-sdk looks around by itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with service("bot") as (server, url), integration("bot", url) as made:
        await made.send(notification())
        assert len(server.received) == 1


async def test_a_bot_whose_certificates_cannot_be_read_waits(tmp_path: Path) -> None:
    """A file that is missing for a moment is a temporary failure, and nothing was sent."""
    tls = TLSConfig(ca_file=str(tmp_path / "missing.pem"))
    client = HTTPClientConfig(tls_config=tls)
    async with integration("bot", "https://127.0.0.1:1/chat.postMessage", client) as made:
        error = await failure(made)
    assert (error.temporary, error.outcome) == (True, Outcome.REFUSED)


@contextmanager
def deaf() -> Iterator[int]:
    """Give a port whose connections are never taken: its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        port: int = server.getsockname()[1]
        yield port


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_that_never_stood_carried_nothing(kind: str) -> None:
    """A time-out of connecting is a clear no: nobody can have been told."""
    with deaf() as port:
        url = f"http://127.0.0.1:{port}/chat.postMessage"
        async with integration(kind, url) as made:
            error = await failure(made, seconds=0.2)
    assert (error.temporary, error.outcome) == (True, Outcome.REFUSED)
    assert error.reason is FailureReason.CONTEXT_DEADLINE_EXCEEDED


@pytest.mark.parametrize("kind", ["slack", "pagerduty", "webhook"])
async def test_silence_on_a_connection_that_is_used_again_is_unknown(kind: str) -> None:
    """The request has left, though libcurl measured no connecting for it."""
    async with service(kind) as (server, url), integration(kind, url) as made:
        await made.send(notification())
        server.fail_next(Fault.hang(after=True))
        error = await failure(made, seconds=0.2)
        assert len(server.received) == 2
    assert (error.temporary, error.outcome) == (True, Outcome.UNKNOWN)


async def test_a_handshake_that_does_not_end_carried_nothing() -> None:
    """TLS comes before the request."""
    async with web() as server:
        url = f"https://127.0.0.1:{server.port}/"
        async with integration("webhook", url) as made:
            error = await failure(made, seconds=0.2)
    assert (error.temporary, error.outcome) == (True, Outcome.REFUSED)


@pytest.mark.parametrize("kind", KINDS)
async def test_everything_is_told_in_the_end(kind: str, tmp_path: Path) -> None:
    """Through 429, 500, silence and resets the trigger and its resolve arrive."""
    at_once = Route(receiver="ops", group_by=("alertname",), group_wait=0, group_interval=50)
    faults = (Fault.rate_limited(0), Fault.answer(500), Fault.hang(after=True), Fault.reset())
    async with service(kind) as (server, url), surroundings() as around:
        server.fail_next(*faults)
        options = replace(QUICK, timeout=3_000)
        told = receiver(kind, url)
        async with alerting(tmp_path, at_once, [told], options=options, around=around) as system:
            alert = firing(system.clock.now(), severity="critical")
            await system.alerts.put([alert])
            # The one that was taken in silence is sent again: the same message, twice.
            await server.wait_for(lambda: len(server.received) == 2)
            await system.alerts.put([resolved(alert, system.clock.now())])
            async with asyncio.timeout(30):
                while await system.store.open_incidents():
                    await system.clock.sleep(0.02)
        assert len(server.received) == 3
        assert server.refused == []
