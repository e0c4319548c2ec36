"""What becomes of messages when receivers fail, over real sockets and SQLite."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controlplane.clock import SystemClock
from controlplane.demo.standins import Fault, PagerDutyStandIn, WebhookStandIn
from controlplane.errors import Conflict, NotFound
from controlplane.model.secret import Secret
from controlplane.notify.delivery import redrive
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import Attempt, FailureReason, Message, MessageState, Outcome
from controlplane.notify.options import DeliveryOptions, Receiver
from controlplane.routing.options import Route
from tests.support.alerting import QUICK, Alerting, alerting, firing, resolved
from tests.support.clock import ManualClock

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PATIENCE = 30
SLOWLY = Route(receiver="ops", group_by=("alertname",), group_wait=0, group_interval=3_600_000)
QUICKLY = Route(receiver="ops", group_by=("alertname",), group_wait=0, group_interval=30)


def hook(server: WebhookStandIn, name: str = "ops", timeout: int = 0) -> Receiver:
    config = WebhookConfig(Secret(f"{server.url}/secret-path"), timeout=timeout)
    return Receiver(name, webhook_configs=(config,))


def pager(server: PagerDutyStandIn) -> Receiver:
    url = f"{server.url}/v2/enqueue"
    return Receiver("ops", pagerduty_configs=(PagerdutyConfig(Secret(ROUTING_KEY), url=url),))


async def settled(system: Alerting, *states: MessageState) -> list[Message]:
    """Return the messages once there are any and all are in one of the states."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [
                message
                for state in MessageState
                for message in await system.store.list_messages(state, before=None, limit=100)
            ]
            if found and all(message.state in states for message in found):
                return sorted(found, key=lambda message: message.id)
            await SystemClock().sleep(0.01)


async def attempted(system: Alerting, server: WebhookStandIn, times: int) -> None:
    """Return once so many attempts were made and written down."""
    await server.wait_for(lambda: server.requests == times)
    await system.worker.idle()


async def attempts(system: Alerting, messages: Sequence[Message]) -> list[Attempt]:
    return list(await system.store.attempts([message.id for message in messages]))


@pytest.mark.parametrize(
    ("fault", "outcome", "status", "reason"),
    [
        (Fault.answer(500), Outcome.UNKNOWN, 500, FailureReason.SERVER_ERROR),
        (Fault.rate_limited(0), Outcome.REFUSED, 429, FailureReason.RATE_LIMITED),
        (Fault.reset(), Outcome.UNKNOWN, None, FailureReason.OTHER),
        (Fault.hang(60), Outcome.UNKNOWN, None, FailureReason.CONTEXT_DEADLINE_EXCEEDED),
    ],
)
async def test_temporary_failures_are_tried_again(
    tmp_path: Path,
    fault: Fault,
    outcome: Outcome,
    status: int | None,
    reason: FailureReason,
) -> None:
    """The message arrives without the worker's routine look, each attempt on record, no URL."""
    hangs = reason is FailureReason.CONTEXT_DEADLINE_EXCEEDED
    async with WebhookStandIn() as server:
        server.fail_next(fault, fault)
        receiver = hook(server, timeout=500 if hangs else 0)
        async with alerting(tmp_path, SLOWLY, [receiver], longest_sleep=3600.0) as system:
            await system.alerts.put([firing(system.clock.now())])
            await server.wait_for(lambda: bool(server.payloads))
            *failed, last = await attempts(system, await settled(system, MessageState.DELIVERED))
    assert last.outcome is Outcome.DELIVERED
    assert {(a.outcome, a.status_code, a.reason) for a in failed} == {(outcome, status, reason)}
    # A busy machine may let more attempts run into a time-out as short as this.
    assert len(failed) == 2 or (hangs and len(failed) > 2)
    tried = [*failed, last]
    assert not any("secret-path" in a.detail for a in tried)


async def test_a_receiver_that_is_not_there_is_known_not_to_have_been_told(tmp_path: Path) -> None:
    """A refused connection is a clear no: the trigger takes its resolve along."""
    async with WebhookStandIn() as server:
        receiver, port = hook(server), server.port
        await server.stop()
        async with alerting(tmp_path, QUICKLY, [receiver]) as system:
            alert = firing(system.clock.now())
            await system.alerts.put([alert])
            async with asyncio.timeout(PATIENCE):
                while not await attempts(system, await settled(system, *MessageState)):
                    await system.clock.sleep(0.01)
            await system.alerts.put([resolved(alert, system.clock.now())])
            # The resolve may have been queued behind an attempt under way: then both go.
            tried = await attempts(system, await settled(system, MessageState.SUPERSEDED))
            assert {a.outcome for a in tried} == {Outcome.REFUSED}
            await server.start(port)
            assert await system.store.open_incidents() == []
        assert server.payloads == []


async def test_retry_after_is_obeyed_by_the_whole_channel(tmp_path: Path) -> None:
    """Nothing more is sent to it until the time has come, other groups included."""
    async with WebhookStandIn() as server:
        server.fail_next(Fault.rate_limited(1))
        async with alerting(tmp_path, SLOWLY, [hook(server)]) as system:
            started = system.clock.monotonic()
            await system.alerts.put([firing(system.clock.now())])
            await server.wait_for(lambda: server.requests == 1)
            await system.clock.sleep(0.05)
            await system.alerts.put([firing(system.clock.now(), alertname="Other")])
            await server.wait_for(lambda: len(server.payloads) == 2)
            assert system.clock.monotonic() - started >= 1


async def test_a_permanent_failure_is_a_dead_letter_and_can_be_redriven(tmp_path: Path) -> None:
    """A 400 is not repeated; the letter goes out again when somebody says so."""
    async with WebhookStandIn() as server:
        server.fail_next(Fault.answer(400))
        async with alerting(tmp_path, SLOWLY, [hook(server)], tell_deaths=False) as system:
            await system.alerts.put([firing(system.clock.now())])
            (letter,) = await settled(system, MessageState.DEAD)
            assert (server.requests, letter.attempts) == (1, 1)
            assert "400" in letter.failure
            now, age = system.clock.now(), 60_000
            with pytest.raises(NotFound):
                await redrive(system.store, 99, max_age=age, now=now)
            await redrive(system.store, letter.id, max_age=age, now=now)
            system.worker.wake()
            await server.wait_for(lambda: len(server.payloads) == 1)
            await settled(system, MessageState.DELIVERED)
            with pytest.raises(Conflict, match="delivered, not dead"):
                await redrive(system.store, letter.id, max_age=age, now=now)


async def test_the_flush_after_a_dead_letter_tries_again(tmp_path: Path) -> None:
    """A dead letter clears the log entry; when the next one arrives, it is made good."""
    async with WebhookStandIn() as server:
        server.fail_next(Fault.answer(404), Fault.answer(404))
        async with alerting(tmp_path, QUICKLY, [hook(server)], tell_deaths=False) as system:
            await system.alerts.put([firing(system.clock.now())])
            await server.wait_for(lambda: len(server.payloads) == 1)
            states = [m.state for m in await settled(system, *MessageState) if m.state.finished]
            await settled(system, MessageState.DELIVERED, MessageState.SUPERSEDED)
    assert server.requests == 3
    assert MessageState.QUEUED not in states


async def test_a_message_dies_of_age_or_of_attempts(tmp_path: Path) -> None:
    """Both limits end the trying of a receiver that never answers well."""
    async with WebhookStandIn() as server:
        server.fail_always(Fault.answer(503))
        options = replace(QUICK, max_attempts=3)
        async with alerting(
            tmp_path, SLOWLY, [hook(server)], options=options, tell_deaths=False
        ) as system:
            await system.alerts.put([firing(system.clock.now())])
            (letter,) = await settled(system, MessageState.DEAD)
            assert letter.attempts == server.requests == 3
    aged, clock = tmp_path / "aged", ManualClock()
    aged.mkdir()
    async with WebhookStandIn() as server:
        server.fail_always(Fault.answer(503))
        options = replace(QUICK, max_age=1500)
        async with alerting(
            aged, SLOWLY, [hook(server)], options=options, clock=clock, tell_deaths=False
        ) as system:
            await system.alerts.put([firing(clock.now())])
            for number in (1, 2):
                await attempted(system, server, number)
                await clock.advance(1)
            (letter,) = await settled(system, MessageState.DEAD)
            assert letter.attempts == server.requests == 3


async def test_a_newer_state_replaces_what_still_waits(tmp_path: Path) -> None:
    """While the receiver is away the states pile into one message, the newest."""
    async with WebhookStandIn() as server:
        server.fail_always(Fault.answer(500))
        async with alerting(tmp_path, QUICKLY, [hook(server)]) as system:
            for number in range(4):
                await system.alerts.put([firing(system.clock.now(), n=str(number))])
                await system.clock.sleep(0.08)
            async with asyncio.timeout(PATIENCE):
                while len(waiting := await _unfinished(system)) != 1 or not _has(waiting, 4):
                    await system.clock.sleep(0.01)
            server.heal()
            await server.wait_for(lambda: len(server.payloads) == 1)
            await settled(system, MessageState.DELIVERED, MessageState.SUPERSEDED)
    assert [len(payload["alerts"]) for payload in server.payloads] == [4]


async def _unfinished(system: Alerting) -> Sequence[Message]:
    (incident,) = await system.store.open_incidents()
    async with system.store.begin() as tx:
        return await tx.unfinished(incident.id)


def _has(messages: Sequence[Message], alerts: int) -> bool:
    return len(messages[0].content.alerts) == alerts


async def test_an_unknown_outcome_is_resolved_all_the_same(tmp_path: Path) -> None:
    """PagerDuty took the trigger and the answer was lost: the incident is closed in the end."""
    async with PagerDutyStandIn() as server:
        server.fail_next(Fault.reset(after=True))
        options = DeliveryOptions(first_backoff=600_000, longest_backoff=600_000)
        async with alerting(tmp_path, QUICKLY, [pager(server)], options=options) as system:
            alert = firing(system.clock.now())
            await system.alerts.put([alert])
            await server.wait_for(lambda: len(server.open_incidents()) == 1)
            await system.alerts.put([resolved(alert, system.clock.now())])
            await settled(system, MessageState.QUEUED, MessageState.SUPERSEDED)
            # The resolve keeps the place of the trigger in the waiting: let it pass.
            async with system.store.begin() as tx:
                (waiting,) = await tx.unfinished((await system.store.open_incidents())[0].id)
                assert not waiting.told.firing
                assert await tx.claim(waiting, _due_now(waiting))
            system.worker.wake()
            await server.wait_for(lambda: not server.open_incidents())
    assert len(server.incidents) == 1


def _due_now(message: Message) -> Message:
    return replace(message, next_attempt_at=0)


async def test_one_dead_receiver_delays_no_other(tmp_path: Path) -> None:
    """A receiver that hangs holds its own messages only."""
    route = Route(
        receiver="slow",
        group_by=("...",),
        group_wait=0,
        group_interval=3_600_000,
        routes=(Route(receiver="slow", continue_=True), Route(receiver="quick")),
    )
    async with WebhookStandIn() as slow, WebhookStandIn() as quick:
        slow.fail_always(Fault.hang(90))
        # No attempt at the slow one ends before the quick one has everything.
        receivers = [hook(slow, "slow", timeout=100_000), hook(quick, "quick")]
        async with alerting(tmp_path, route, receivers) as system:
            now = system.clock.now()
            await system.alerts.put([firing(now, n=str(number)) for number in range(20)])
            await quick.wait_for(lambda: len(quick.payloads) == 20, seconds=60)
            assert slow.requests == QUICK.concurrency


async def test_draining_lets_attempts_end_and_begins_none(tmp_path: Path) -> None:
    """What is under way is finished; what is not stays queued for the next start."""
    async with WebhookStandIn() as server:
        async with alerting(tmp_path, SLOWLY, [hook(server)]) as system:
            await system.alerts.put([firing(system.clock.now())])
            await server.wait_for(lambda: server.requests == 1)
            await system.worker.drain(5)
            await system.alerts.put([firing(system.clock.now(), alertname="Late")])
            await settled(system, MessageState.DELIVERED, MessageState.QUEUED)
        assert len(server.payloads) == 1
        async with alerting(tmp_path, SLOWLY, [hook(server)]):
            await server.wait_for(lambda: len(server.payloads) == 2)


async def test_a_bug_after_an_attempt_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged at once with its trace, and the worker sends what comes next."""
    async with WebhookStandIn() as server, alerting(tmp_path, SLOWLY, [hook(server)]) as system:
        with monkeypatch.context() as patched, capture_logs() as lines:
            patched.setattr(system.worker, "_succeeded", broken)
            await system.alerts.put([firing(system.clock.now(), n="1")])
            await server.wait_for(lambda: len(server.payloads) == 1)
            await system.worker.idle()
            await system.clock.sleep(0)
        await system.alerts.put([firing(system.clock.now(), alertname="Next")])
        await server.wait_for(lambda: len(server.payloads) == 2)
    assert [str(line["exc_info"]) for line in lines if line["event"] == "an attempt broke"] == [
        "a bug"
    ]


async def broken(*_arguments: object) -> None:
    raise RuntimeError("a bug")
