"""What becomes of messages, told on the bus."""

import asyncio
from pathlib import Path

from controlplane.demo.standins import Fault
from controlplane.events.event import Event, Kind
from tests.support.alerting import firing
from tests.unit.api.test_story import World, world


async def heard(there: World, after: str, outcome: str) -> list[Event]:
    """Return the events of notifications up to the first with an outcome."""
    found: list[Event] = []
    async with asyncio.timeout(30):
        async for events in there.surface.bus.listen(after):
            found += [event for event in events if event.kind is Kind.NOTIFICATION]
            if any(event.data["outcome"] == outcome for event in found):
                break
    return found


async def test_a_failed_attempt_and_its_success_are_told(tmp_path: Path) -> None:
    """Each attempt by its outcome, of the same message."""
    async with world(tmp_path) as there:
        there.server.fail_next(Fault.answer(500))
        before = there.surface.bus.position
        alert = firing(there.now)
        await there.surface.alerts.put([alert])
        failed, sent = await heard(there, before, "sent")
        (message,) = await there.surface.notifications.about(alert.fingerprint, 10)
    assert failed.data == {
        "outcome": "failed",
        "receiver": "ops",
        "integration": "webhook/0",
        "attempt": 1,
        "reason": "serverError",
    }
    assert (sent.data["outcome"], sent.data["attempt"], sent.data["reason"]) == ("sent", 2, "")
    assert failed.subject == sent.subject == str(message.id)


async def test_a_message_that_is_given_up_is_told(tmp_path: Path) -> None:
    """A refusal that no repetition mends ends it."""
    async with world(tmp_path) as there:
        there.server.fail_next(Fault.answer(400))
        before = there.surface.bus.position
        await there.surface.alerts.put([firing(there.now)])
        first, *_ = await heard(there, before, "dead")
    assert (first.data["outcome"], first.data["reason"]) == ("dead", "clientError")
