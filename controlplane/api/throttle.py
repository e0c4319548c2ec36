"""Who asks too often is told when to come back.

What is left is told in the fields of draft-ietf-httpapi-ratelimit-headers-10:

    RateLimit-Policy: "read";q=600;w=60
    RateLimit: "read";r=599;t=42
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Total
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api.classes import class_of
from controlplane.api.guard import principal_of
from controlplane.api.problems import answer
from controlplane.auth.limits import WINDOW, Counter, Limited, LimitOptions, Verdict
from controlplane.errors import Throttled

_SECONDS: Final = WINDOW // 1000
_SITE_BITS: Final = 64

_Fields = Sequence[tuple[bytes, bytes]]


class Throttle:
    """What may be asked how often, and what counts it. `options` are those in force now."""

    def __init__(
        self, options: Callable[[], LimitOptions], counter: Counter, registry: CollectorRegistry
    ) -> None:
        self.options = options
        self.counter = counter
        self.refused = Total(
            "controlplane_http_throttled_total",
            "Requests refused because somebody asked too often, by tier and what was asked for.",
            ["tier", "limit"],
            registry=registry,
        )
        for tier in ("anonymous", "token"):
            for limited in Limited:
                self.refused.labels(tier, limited.value)


class ThrottleMiddleware:
    """Answers 429 to who asks too often; stands behind the guard, which knows who asks."""

    def __init__(self, app: ASGIApp, *, throttle: Throttle) -> None:
        self._app = app
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        principal = principal_of(scope)
        tier, limit = self._throttle.options().of(principal, asked)
        if not limit:
            await self._app(scope, receive, send)
            return
        key = f"{asked}\0{principal.name}\0{site(scope)}"
        verdict = await self._throttle.counter.hit(key, limit)
        told = _fields(asked, limit, verdict)
        if verdict.allowed:
            await self._app(scope, receive, _telling(send, told))
            return
        self._throttle.refused.labels(tier, asked.value).inc()
        error = Throttled(
            f"more than {limit} requests a minute ({asked})", retry_after=ceil(verdict.reset)
        )
        await answer(scope["path"], error)(scope, receive, _telling(send, told))


def _asked(scope: Scope) -> Limited | None:
    """Return what a request counts as; a WebSocket begins with a GET."""
    if scope["type"] == "lifespan":
        return None
    return class_of(scope.get("method", "GET"), scope["path"])


def site(scope: Scope) -> str:
    """Return where a request comes from: an address, or an IPv6 network as one site has it."""
    address: str = (scope.get("client") or ("",))[0]
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{int(parsed) >> (128 - _SITE_BITS):x}"
    return address


def _fields(limited: Limited, limit: int, verdict: Verdict) -> _Fields:
    policy = f'"{limited}";q={limit};w={_SECONDS}'
    left = f'"{limited}";r={verdict.remaining};t={ceil(verdict.reset)}'
    return ((b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode()))


def _telling(send: Send, told: _Fields) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message = {**message, "headers": [*message.get("headers", ()), *told]}
        await send(message)

    return sending
