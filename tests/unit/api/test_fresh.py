"""Which requests wait for what other replicas changed, and that they do."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from controlplane.api.fresh import FreshMiddleware, is_mirrored


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/targets"),
        ("DELETE", "/api/v1/targets/x"),
        ("POST", "/api/v1/integrations/slack/interactions"),
        ("GET", "/api/v1/discovery/prometheus"),
        ("GET", "/alertmanager/api/v2/alerts"),
        ("POST", "/alertmanager/api/v2/silences"),
        ("GET", "/prometheus/api/v1/rules"),
        ("GET", "/prometheus/api/v1/alerts"),
        ("GET", "/prometheus/api/v1/targets"),
        ("HEAD", "/"),
        ("GET", "/alerts/0123"),
        ("POST", "/silences/new"),
        ("GET", "/status/public.json"),
    ],
)
def test_what_is_mirrored_waits(method: str, path: str) -> None:
    """Lists and pages, and changes of what they show."""
    assert is_mirrored(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/alertmanager/api/v2/alerts"),
        ("GET", "/alertmanager/-/ready"),
        ("POST", "/prometheus/api/v1/write"),
        ("GET", "/prometheus/api/v1/query"),
        ("POST", "/v1/metrics"),
        ("GET", "/metrics"),
        ("GET", "/probe"),
        ("GET", "/api/v1/stream"),
        ("GET", "/health"),
        ("POST", "/-/reload"),
        ("GET", "/static/console.css"),
        ("POST", "/login"),
    ],
)
def test_what_is_pushed_or_not_mirrored_does_not(method: str, path: str) -> None:
    """Samples, alerts, queries, health and files."""
    assert not is_mirrored(method, path)


async def test_the_answer_comes_after_the_mirrors() -> None:
    """A request is answered once `fresh` has returned, and not before."""
    order: list[str] = []

    async def fresh() -> None:
        order.append("fresh")

    async def answer(request: Request) -> Response:
        order.append(request.url.path)
        return PlainTextResponse("")

    paths = ("/api/v1/targets", "/metrics")
    application = Starlette(
        routes=[Route(path, answer) for path in paths],
        middleware=[Middleware(FreshMiddleware, fresh=fresh)],
    )
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in paths:
            assert (await client.get(path)).status_code == 200
    assert order == ["fresh", "/api/v1/targets", "/metrics"]
