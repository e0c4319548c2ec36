"""The bounds on bodies and times, around applications that behave in every way."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api.limits import LimitMiddleware, Limits


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message.get("more_body", False)
    await PlainTextResponse(str(size))(scope, receive, send)


async def swallows(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 400 to whatever reading the body raises, as frameworks do."""
    try:
        await reads_all(scope, receive, send)
    except Exception:  # noqa: BLE001 - that is the point
        await PlainTextResponse("swallowed", 400)(scope, receive, send)


async def never_answers(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.Event().wait()


async def stops_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.Event().wait()


async def ask(
    app: ASGIApp,
    limits: Limits,
    chunks: Sequence[bytes] = (b"",),
    *,
    path: str = "/",
    headers: Sequence[tuple[bytes, bytes]] = (),
    whole: bool = True,
) -> list[Message]:
    """Send a request; return what was answered. Without `whole` the last chunk never comes."""
    left = list(chunks)
    sent: list[Message] = []

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left) or not whole}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers)}
    await LimitMiddleware(app, limits=limits)(scope, receive, send)
    return sent


def outcome(sent: list[Message]) -> tuple[int, bytes]:
    """Return status and body."""
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def test_a_body_within_the_limit_passes() -> None:
    """Exactly the limit is within it."""
    assert outcome(await ask(reads_all, Limits(body=6), [b"abc", b"def"])) == (200, b"6")


@pytest.mark.parametrize("app", [reads_all, swallows])
async def test_a_chunked_body_over_the_limit_is_refused(app: ASGIApp) -> None:
    """Also when the application answers the broken body in its own way."""
    sent = await ask(app, Limits(body=5), [b"abc", b"def", b"never read"])
    status, body = outcome(sent)
    assert status == 413
    assert "limit of 5 bytes" in json.loads(body)["detail"]
    assert (b"connection", b"close") in sent[0]["headers"]


@pytest.mark.parametrize("declared", [b"6", b"9" * 30])
async def test_a_declared_length_is_refused_unread(declared: bytes) -> None:
    """Nothing of the body is waited for, however long the number."""
    sent = await ask(never_answers, Limits(body=5), [], headers=[(b"content-length", declared)])
    assert outcome(sent)[0] == 413


async def test_a_slow_body_is_408() -> None:
    """The client is at fault, and told so."""
    sent = await ask(reads_all, Limits(seconds=0.02), [b"a"], whole=False)
    status, body = outcome(sent)
    assert (status, json.loads(body)["type"]) == (408, "urn:controlplane:problem:slow-request")


async def test_slow_work_is_503() -> None:
    """We are at fault."""
    status, body = outcome(await ask(never_answers, Limits(seconds=0.02)))
    assert (status, json.loads(body)["type"]) == (503, "urn:controlplane:problem:timeout")


async def test_waiting_for_the_client_to_go_is_no_slow_body() -> None:
    """Whoever watches for the end of the connection has read the body."""

    async def watches(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    assert outcome(await ask(watches, Limits(seconds=0.02)))[0] == 503


async def test_a_begun_answer_is_only_cut() -> None:
    """There is no second head after the first."""
    sent = await ask(stops_half_way, Limits(seconds=0.02))
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_some_paths_have_more_time() -> None:
    """A prefix with a time of its own is not bound by the other."""
    limits = Limits(seconds=0.01, longer={"/prometheus/": 60.0})
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            await ask(never_answers, limits, path="/prometheus/api/v1/query")
            pytest.fail("it was answered")
    assert limits.seconds_of("/prometheus/api/v1/query") == 60.0
    assert limits.seconds_of("/api/v1/targets") == 0.01
