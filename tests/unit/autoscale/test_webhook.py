"""The signed webhook against a real server."""

import hashlib
import hmac
import json

import httpx
import pytest

from controlplane.autoscale.decision import Decision, Outcome, Verdict
from controlplane.autoscale.options import (
    MetricOptions,
    MetricTarget,
    Mode,
    Policy,
    WebhookOptions,
)
from controlplane.autoscale.webhook import Webhook
from controlplane.errors import Forbidden, Unavailable
from controlplane.model.secret import Secret
from controlplane.transport.options import HTTPClientConfig
from tests.support.clock import ManualClock
from tests.support.web import answer, web

POLICY = Policy("shop", 20, (MetricOptions("load", "load", target=MetricTarget(10)),))
DECISION = Decision(
    "shop",
    1_700_000_000_000,
    Mode.ACT,
    Outcome.RECOMMENDED,
    4,
    6,
    (Verdict("load", 15.0, 6, "up", "15 is 1.5 times the target of 10"),),
    ("load asks for 6, the highest of all",),
)


def clients(_config: HTTPClientConfig) -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False)


async def test_a_decision_is_posted_and_signed() -> None:
    """Whoever has the secret can tell that it is ours, and new."""
    async with web(answer("204 No Content")) as site:
        options = WebhookOptions(Secret(site.url("/scale?k=v")), Secret("s3cret"))
        await Webhook(clients, ManualClock())(options, POLICY, DECISION)
    head, _, body = site.requests[0].partition("\r\n\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
    expected = hmac.new(b"s3cret", b"1700000000." + body.encode(), hashlib.sha256).hexdigest()
    assert headers["x-controlplane-timestamp"] == "1700000000"
    assert headers["x-controlplane-signature"] == f"v1={expected}"
    assert headers["idempotency-key"] == "shop-1700000000000"
    assert json.loads(body) == {
        "version": 1,
        "policy": "shop",
        "at": "2023-11-14T22:13:20.000Z",
        "current": 4,
        "desired": 6,
        "min": 1,
        "max": 20,
        "metrics": [{"name": "load", "value": 15.0, "because": "15 is 1.5 times the target of 10"}],
        "steps": ["load asks for 6, the highest of all"],
    }


async def test_without_a_secret_nothing_is_signed() -> None:
    """There is no signature that would prove nothing."""
    async with web(answer()) as site:
        await Webhook(clients, ManualClock())(WebhookOptions(Secret(site.url())), POLICY, DECISION)
    assert "x-controlplane" not in site.requests[0].lower()


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "302 Found"])
async def test_what_is_not_accepted_failed(status: str) -> None:
    """Any answer but a 2xx."""
    async with web(answer(status)) as site:
        options = WebhookOptions(Secret(site.url("/token")))
        with pytest.raises(Unavailable, match=f"status {status[:3]}"):
            await Webhook(clients, ManualClock())(options, POLICY, DECISION)


async def test_nobody_there() -> None:
    """The error does not repeat the URL, which is a secret."""
    options = WebhookOptions(Secret("http://127.0.0.1:1/token"))
    with pytest.raises(Unavailable) as caught:
        await Webhook(clients, ManualClock())(options, POLICY, DECISION)
    assert "token" not in str(caught.value)


async def test_a_denied_address() -> None:
    """The outbound policy is told of, without the address."""

    class Denied(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise Forbidden(f"the outbound policy denies {request.url}")

    def denying(_config: HTTPClientConfig) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=Denied())

    options = WebhookOptions(Secret("http://169.254.169.254/token"))
    with pytest.raises(Forbidden) as caught:
        await Webhook(denying, ManualClock())(options, POLICY, DECISION)
    assert "169" not in str(caught.value)
