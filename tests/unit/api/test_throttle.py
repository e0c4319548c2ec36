"""What is limited, for whom, and how they are told."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from controlplane.api.classes import class_of
from controlplane.api.guard import GuardMiddleware
from controlplane.api.throttle import Throttle, ThrottleMiddleware, site
from controlplane.auth.guard import Guard
from controlplane.auth.limits import AnonymousLimits, Limited, LimitOptions, TokenLimits
from controlplane.auth.windows import Windows
from controlplane.model.secret import Secret
from tests.support.clock import ManualClock

TOKEN = "correct horse"
LOW = LimitOptions(
    AnonymousLimits(read=2, login=1), TokenLimits(read=3, query=1, write=1, ingest=0)
)


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request."""
    await PlainTextResponse("yes")(scope, receive, send)


class Service:
    """Something under limits, that may be asked from any address."""

    def __init__(self, options: LimitOptions, token: str = TOKEN) -> None:
        self.registry, clock = CollectorRegistry(), ManualClock()
        throttle = Throttle(lambda: options, Windows(clock), self.registry)
        self._application = FastAPI(
            middleware=[
                Middleware(
                    GuardMiddleware, guard=Guard(Secret(token) if token else None), clock=clock
                ),
                Middleware(ThrottleMiddleware, throttle=throttle),
            ]
        )
        self._application.mount("/", answers)

    async def ask(
        self, path: str, method: str = "GET", *, token: str = TOKEN, address: str = "192.0.2.1"
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self._application, client=(address, 4711))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers)

    async def codes(self, path: str, count: int, **options: Any) -> list[int]:
        return [(await self.ask(path, **options)).status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", Limited.READ),
        ("GET", "/api/v1/targets", Limited.READ),
        ("GET", "/api/v1/stream", Limited.READ),
        ("GET", "/status/public", Limited.READ),
        ("GET", "/alertmanager/api/v2/alerts", Limited.READ),
        ("GET", "/login", Limited.READ),
        ("GET", "/query", Limited.QUERY),
        ("GET", "/prometheus/api/v1/query_range", Limited.QUERY),
        ("POST", "/prometheus/api/v1/query", Limited.QUERY),
        ("POST", "/prometheus/api/v1/admin/tsdb/delete_series", Limited.WRITE),
        ("PUT", "/prometheus/api/v1/admin/tsdb/clean_tombstones", Limited.WRITE),
        ("POST", "/prometheus/api/v1/write", Limited.INGEST),
        ("POST", "/prometheus/api/v1/otlp/v1/metrics", Limited.INGEST),
        ("POST", "/v1/metrics", Limited.INGEST),
        ("POST", "/login", Limited.LOGIN),
        ("POST", "/api/v1/incidents", Limited.WRITE),
        ("POST", "/-/reload", Limited.WRITE),
        ("DELETE", "/api/v1/maintenance/1", Limited.WRITE),
        ("GET", "/health", None),
        ("GET", "/ready", None),
        ("GET", "/metrics", None),
        ("GET", "/static/console.css", None),
        ("POST", "/api/v1/alerts/abc/acknowledge", None),
        ("POST", "/alerts/abc", None),
        ("POST", "/api/v1/silences", None),
        ("DELETE", "/api/v1/silences/1", None),
        ("POST", "/silences/new", None),
        ("DELETE", "/alertmanager/api/v2/silence/1", None),
        ("POST", "/alertmanager/api/v2/silences", None),
        ("POST", "/alertmanager/api/v2/alerts", None),
        ("POST", "/api/v1/integrations/slack/interactions", None),
        ("POST", "/api/v1/targets", None),
        ("POST", "/api/v1/targets/t_1/renew", None),
    ],
)
def test_what_a_request_counts_as(method: str, path: str, expected: Limited | None) -> None:
    """What must never wait is none of the classes."""
    assert class_of(method, path) is expected


async def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    """A problem with Retry-After; each answer before it says what is left."""
    service = Service(LOW)
    first = await service.ask("/api/v1/targets")
    assert first.headers["ratelimit-policy"] == '"read";q=3;w=60'
    assert first.headers["ratelimit"].startswith('"read";r=2;t=')
    assert await service.codes("/api/v1/targets", 3) == [200, 200, 429]
    refused = await service.ask("/api/v1/alerts")
    assert refused.json()["type"] == "urn:controlplane:problem:too-many-requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"].startswith('"read";r=0;t=')
    labels = {"tier": "token", "limit": "read"}
    assert service.registry.get_sample_value("controlplane_http_throttled_total", labels) == 2


async def test_each_class_and_each_address_counts_for_itself() -> None:
    """Who has read too much may still write, and somebody else may read."""
    service = Service(LOW)
    assert await service.codes("/api/v1/targets", 4) == [200, 200, 200, 429]
    assert await service.codes("/prometheus/api/v1/query", 2) == [200, 429]
    assert await service.codes("/api/v1/incidents", 2, method="POST") == [200, 429]
    assert await service.codes("/api/v1/targets", 1, address="192.0.2.2") == [200]


async def test_who_is_unknown_has_less() -> None:
    """Status pages, and tries to log in; with the token the same address has its own count."""
    service = Service(LOW)
    assert await service.codes("/status/x", 3, token="") == [200, 200, 429]
    assert await service.codes("/login", 2, token="", method="POST") == [200, 429]
    assert await service.codes("/api/v1/targets", 1) == [200]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/alerts/abc/acknowledge"),
        ("POST", "/api/v1/silences"),
        ("POST", "/api/v1/targets/t_1/renew"),
        ("POST", "/prometheus/api/v1/write"),
        ("GET", "/health"),
    ],
)
async def test_what_must_not_wait_never_does(method: str, path: str) -> None:
    """Not even for who has used up all the rest; and nothing is said of limits."""
    service = Service(LOW)
    await service.codes("/api/v1/targets", 5)
    for _ in range(5):
        answer = await service.ask(path, method)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


async def test_this_machine_is_not_limited_while_there_is_no_token() -> None:
    """Only it may ask at all."""
    service = Service(LOW, token="")
    assert await service.codes("/api/v1/targets", 9, token="", address="127.0.0.1") == [200] * 9


async def test_the_compatible_apis_are_refused_in_their_own_words() -> None:
    """A client of Prometheus reads its envelope."""
    service = Service(LOW)
    refused = [await service.ask("/prometheus/api/v1/query") for _ in range(2)][1]
    assert json.loads(refused.content)["status"] == "error"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002"),
        ("2001:db8:1:2::ffff", "20010db800010002"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_a_site_is_an_address_or_an_ipv6_network(address: str, expected: str) -> None:
    """Whoever has one IPv6 address has 2^64 of them."""
    assert site({"client": (address, 1)}) == expected
