"""How Opsgenie, VictorOps, Pushover and Telegram fail, each against a real server."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.telegram.options import TelegramConfig
from controlplane.notify.message import FailureReason, Outcome
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from controlplane.settings.secret_files import FileSecret
from tests.support.alerting import alerting, firing
from tests.support.recorder import Recorder, Request, recorder
from tests.support.service import eventually
from tests.unit.notify.paging import FIRING, KEY, KINDS, integration, says, send


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "temporary", "outcome", "reason"),
    [
        (400, False, Outcome.REFUSED, FailureReason.CLIENT_ERROR),
        (401, False, Outcome.REFUSED, FailureReason.AUTH_ERROR),
        (403, False, Outcome.REFUSED, FailureReason.AUTH_ERROR),
        (404, False, Outcome.REFUSED, FailureReason.CLIENT_ERROR),
        (429, True, Outcome.REFUSED, FailureReason.RATE_LIMITED),
        (500, True, Outcome.UNKNOWN, FailureReason.SERVER_ERROR),
        (503, True, Outcome.UNKNOWN, FailureReason.SERVER_ERROR),
    ],
)
async def test_refusals_are_told_apart(
    kind: str, status: int, temporary: bool, outcome: Outcome, reason: FailureReason
) -> None:
    """What may be tried again is, what will never work is not."""
    sent = await send(kind, answers=says(status, "no"))
    error = sent.failure
    assert (error.temporary, error.outcome, error.reason, error.status_code) == (
        temporary,
        outcome,
        reason,
        status,
    )
    assert f"unexpected status code {status}: no" in error.detail


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_is_busy_is_asked_later(kind: str) -> None:
    """429 says when to come back, in the header `Retry-After`."""
    sent = await send(kind, answers=says(429, Retry_After="17"))
    assert (sent.failure.retry_after, sent.failure.temporary) == (17.0, True)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_is_gone_has_heard_nothing(kind: str) -> None:
    """Where nobody listens, nothing was sent; trying again may help."""
    async with recorder() as service:
        made = integration(kind, service.url)
    with pytest.raises(DeliveryError) as caught:
        await made.send(FIRING)
    await made.close()
    assert (caught.value.temporary, caught.value.outcome) == (True, Outcome.REFUSED)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_error_repeats_a_key(kind: str) -> None:
    """Not even where the service's answer repeats all that it was sent."""

    def echo(request: Request) -> web.Response:
        told = [request.path, *request.headers.values(), json.dumps(request.body), KEY]
        return web.Response(status=400, text=" ".join(told[::-1]))

    sent = await send(kind, answers=echo)
    assert KEY not in repr((sent.failure, sent.failure.detail, str(sent.failure)))
    assert "<secret>" in sent.failure.detail


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_whose_file_is_gone_is_tried_again(kind: str, tmp_path: Path) -> None:
    """The file is read at each use, and may come back."""
    file = tmp_path / "key"
    sent = await send(kind, secret=FileSecret(file))
    assert (sent.failure.temporary, sent.requests) == (True, [])
    file.write_text(" \n")
    sent = await send(kind, secret=FileSecret(file))
    assert (sent.failure.temporary, sent.requests) == (False, [])
    file.write_text(f"{KEY}\n")
    sent = await send(kind, secret=FileSecret(file))
    assert sent.error is None
    assert KEY in repr(sent.requests)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_template_that_fails_is_no_service_s_fault(kind: str) -> None:
    """It is refused for good, and nothing is sent."""
    key = {"victorops": "state_message"}.get(kind, "message")
    broken: dict[str, Any] = {key: "{{ index .Alerts 7 }}"}
    sent = await send(kind, **broken)
    assert (sent.failure.temporary, sent.failure.reason) == (False, FailureReason.CLIENT_ERROR)
    assert sent.requests == []


async def _told(service: Recorder, tmp_path: Path) -> None:
    """Fire an alert for a Telegram bot at this service until it has been tried."""
    config = TelegramConfig(Secret(KEY), api_url=service.url, chat_id=1)
    receivers = [Receiver("ops", telegram_configs=(config,))]
    route = Route(receiver="ops", group_wait=0, group_interval=1_000)
    async with alerting(tmp_path, route, receivers) as system:
        await system.alerts.put([firing(system.clock.now())])
        await service.wait_for(lambda: bool(service.requests))

        async def attempted() -> bool:
            return bool(await system.store.attempts([1]))

        await eventually(attempted, "an attempt that was written down")


def _all_of(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir() if file.is_file())


async def test_a_token_is_nowhere_in_what_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Log, ledger and outbox hold no token, also when the service repeats it."""

    def echo(request: Request) -> web.Response:
        return web.json_response({"ok": False, "description": request.path}, status=401)

    async with recorder(echo) as service:
        await _told(service, tmp_path)
    printed = capsys.readouterr()
    assert "notification failed" in printed.out + printed.err
    kept = _all_of(tmp_path)
    assert KEY not in printed.out + printed.err
    assert KEY.encode() not in kept
    assert b"unexpected status code 401" in kept


def test_what_is_configured_has_no_key_in_its_repr() -> None:
    """A repr in a traceback gives nothing away."""
    config = replace(TelegramConfig(Secret(KEY), chat_id=1), message="x")
    assert KEY not in repr(config)
