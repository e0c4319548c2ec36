"""Receivers: how they fare, tests, dead letters, drills, check-ins."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from controlplane.demo.standins import Fault, WebhookStandIn
from controlplane.model.alert import Alert
from controlplane.model.duration import HOUR
from controlplane.model.labels import Labels
from controlplane.notify.health import Health
from controlplane.notify.message import Attempt, Outcome
from controlplane.transport.breaker import BreakerState
from controlplane.ui.pages.receivers_view import receiver_view
from tests.support.service import eventually
from tests.unit.ui.console import Reader, console, words

_QUICK: Mapping[str, Any] = {"first_backoff": "10ms", "longest_backoff": "20ms"}


def health(*outcomes: Outcome, breaker: BreakerState = BreakerState.CLOSED) -> Health:
    """Return how an integration fares whose last attempts ended so, the newest first."""
    attempts = [
        Attempt(message_id=1, at=1, number=1, outcome=outcome, seconds=0.1, status_code=500)
        for outcome in outcomes
    ]
    return Health("webhook/0", True, breaker, 0, 0, 0, None, attempts)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ([], "unknown"),
        ([health()], "unknown"),
        ([health(Outcome.DELIVERED, Outcome.REFUSED)], "ok"),
        ([health(Outcome.DELIVERED), health(Outcome.UNKNOWN)], "error"),
        ([health(), health(Outcome.DELIVERED)], "ok"),
    ],
)
def test_a_receiver_is_as_well_as_its_worst_integration(given: list[Health], state: str) -> None:
    """What was not used yet says nothing."""
    assert receiver_view("ops", given).state == state


async def test_what_was_never_used_says_so(tmp_path: Path) -> None:
    """No deliveries, no dead letters, no drills and no check-ins, and what each is for."""
    async with console(tmp_path) as reader:
        text = words(await reader.get("/receivers"))
    assert "ops ◌ not used yet" in text
    assert "last delivered never" in text
    assert "breaker closed" in text
    assert "No dead letters." in text
    assert "drills: [{name: weekly" in text
    assert "check_ins: [{name: elsewhere" in text


async def test_a_receiver_without_integrations_tells_nobody(tmp_path: Path) -> None:
    """It cannot be tested either."""
    nobody = {"receivers": [{"name": "<nobody>"}], "route": {"receiver": "<nobody>"}}
    async with console(tmp_path, **nobody) as reader:
        page = await reader.get("/receivers")
    assert "Nobody is told." in page
    assert "Send a test" not in page
    assert "<nobody>" not in page


async def test_a_receiver_is_tested(tmp_path: Path) -> None:
    """What came of it is said once, and stands among the last deliveries."""
    async with WebhookStandIn() as web:
        receivers = [{"name": "ops", "webhook_configs": [{"url": web.url}]}]
        async with console(tmp_path, receivers=receivers) as reader:
            await _send(reader, do="test", receiver="ops")
            first = words(await reader.get("/receivers"))
            web.fail_always(Fault.answer(403))
            await _send(reader, do="test", receiver="ops")
            second = words(await reader.get("/receivers"))
    assert "ops: webhook/0 took it" in first
    assert "✓ delivered" in first
    assert "ops ● delivers" in first
    assert "ops: webhook/0 did not take it" in second
    assert "ops ▲ fails" in second
    assert "403" in second


async def test_what_there_is_not_cannot_be_tested(tmp_path: Path) -> None:
    """A receiver that went meanwhile is told; a form that nobody made is refused."""
    async with console(tmp_path) as reader:
        await _send(reader, do="test", receiver="gone")
        page = words(await reader.get("/receivers"))
        assert "There is no such receiver." in page
        await reader.send("/receivers", {"do": "explode"}, 422)
        await reader.send("/receivers", {"do": "redrive", "id": "x"}, 422)
        await reader.get("/receivers?before=x", 422)
        answer = await reader.client.post("/receivers", data={"do": "test", "receiver": "ops"})
        assert answer.status_code == 403


async def test_dead_letters_are_sent_again(tmp_path: Path) -> None:
    """What was refused waits with its reason and its alert, and goes out on demand."""
    async with WebhookStandIn() as web, WebhookStandIn() as others:
        web.fail_always(Fault.answer(400))
        settings = {
            "receivers": [_hook("ops", web), _hook("others", others)],
            # Those who hear of the dead letter are told.
            "route": {
                "receiver": "others",
                "group_wait": "0s",
                "routes": [{"receiver": "ops", "matchers": ['to="ops"']}],
            },
            "notification_settings": dict(_QUICK),
        }
        async with console(tmp_path, **settings) as reader:
            now = reader.now
            alert = Alert(Labels({"alertname": "Down", "to": "ops"}), now, now + HOUR, now)
            await reader.on.alerts.put([alert])
            page = await eventually(lambda: _with_letter(reader), "a dead letter")
            assert f'href="/alerts/{alert.fingerprint}"' in page
            assert "400" in words(page)
            web.heal()
            (letter,) = set(re.findall(r'name="id" value="(\d+)"', page))
            await _send(reader, do="redrive", id=letter)
            said = words(await reader.get("/receivers"))
            assert "Queued again: 1." in said

            async def delivered() -> bool:
                return "ops ● delivers" in words(await reader.get("/receivers"))

            await eventually(delivered, "it is delivered")
            await _send(reader, do="redrive", id=letter)
            again = words(await reader.get("/receivers"))
    assert "Left alone, because what happened since overtook them: 1." in again
    assert "No dead letters." in again


def _hook(name: str, server: WebhookStandIn) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url": server.url}]}


async def _with_letter(reader: Reader) -> str:
    """Return the page once there is a dead letter on it."""
    page = await reader.get("/receivers")
    return page if 'name="id"' in page else ""


async def test_a_drill_is_begun(tmp_path: Path) -> None:
    """It is under way, then told; meanwhile it cannot be begun once more."""
    drill = {"name": "weekly", "receiver": "ops", "schedule": "30 9 * * mon"}
    async with console(tmp_path, drills=[drill]) as reader:
        before = words(await reader.get("/receivers"))
        await _send(reader, do="drill", drill="weekly")
        await _send(reader, do="drill", drill="weekly")
        busy = words(await reader.get("/receivers"))

        async def over() -> str:
            page = words(await reader.get("/receivers"))
            return page if "told, and its end" in page else ""

        after = await eventually(over, "the drill is over")
    assert "weekly ◌ not run since the start to ops 30 9 * * mon UTC next" in before
    assert "the drill 'weekly' is under way" in busy
    assert "last run" in after


async def test_a_part_is_drawn_alone(tmp_path: Path) -> None:
    """What is fetched after an event is the lists, not the frame."""
    async with console(tmp_path) as reader:
        part = await reader.get("/receivers?part=receivers&before=")
    assert "<html" not in part
    assert "Dead letters" in part


async def _send(reader: Reader, **fields: str) -> None:
    await reader.send("/receivers", dict(fields))
