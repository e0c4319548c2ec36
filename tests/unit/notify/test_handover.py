"""A fresh notification leaves with one transaction before it; what limits it still does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.clock import SystemClock
from controlplane.demo.standins import Fault, WebhookStandIn
from controlplane.errors import Unavailable
from controlplane.model.fence import OPEN, Fence
from controlplane.model.secret import Secret
from controlplane.notify.incident import Incident
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import MessageState
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from controlplane.storage.notifications import SqlNotifications, SqlNotificationTransaction
from tests.support.alerting import QUICK, Alerting, alerting, firing

ROUTE = Route(receiver="ops", group_by=("n",), group_wait=0, group_interval=60_000)
CHANNEL = ("ops", "webhook/0")


def hook(server: WebhookStandIn) -> Receiver:
    return Receiver("ops", webhook_configs=(WebhookConfig(Secret(server.url)),))


async def reached(server: WebhookStandIn) -> None:
    """Return when a request has come in, answered or not."""
    async with asyncio.timeout(10):
        while not server.requests:
            await SystemClock().sleep(0.005)


def counted(system: Alerting, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with every write transaction of notifying."""
    begun: list[str] = []
    begin = SqlNotifications.begin

    @asynccontextmanager
    async def counting(
        store: SqlNotifications, fence: Fence = OPEN
    ) -> AsyncIterator[SqlNotificationTransaction]:
        begun.append("begin")
        async with begin(store, fence) as tx:
            yield tx

    monkeypatch.setattr(SqlNotifications, "begin", counting)
    return begun


async def test_one_transaction_stands_before_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flush claims what it queues; the worker does not have to look for it."""
    async with WebhookStandIn() as server:
        server.fail_next(Fault.hang(0.2))
        async with alerting(tmp_path, ROUTE, [hook(server)]) as system:
            await system.clock.sleep(0.1)
            begun = counted(system, monkeypatch)
            await system.alerts.put([firing(system.clock.now(), n="1")])
            await reached(server)
            assert len(begun) == 1
            await server.wait_for(lambda: len(server.received) == 1)


async def test_no_more_attempts_at_once_than_there_are_seats(tmp_path: Path) -> None:
    """Forty groups at once, claimed by the flush and by the worker, share the concurrency."""
    options = replace(QUICK, concurrency=3)
    async with WebhookStandIn() as server:
        async with alerting(tmp_path, ROUTE, [hook(server)], options=options) as system:
            await system.clock.sleep(0.05)
            now = system.clock.now()
            most = 0
            for part in range(4):
                await system.alerts.put([firing(now, n=f"{part}.{n}") for n in range(10)])
            async with asyncio.timeout(20):
                while len(server.received) < 40:
                    most = max(most, system.worker._busy[CHANNEL])
                    await asyncio.sleep(0)  # noqa: TID251 - looks at every turn of the loop
        assert most == 3
        assert len(server.received) == 40


async def test_a_flush_that_fails_gives_its_seats_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun, and nothing stays taken."""
    async with WebhookStandIn() as server:
        async with alerting(tmp_path, ROUTE, [hook(server)]) as system:
            await system.clock.sleep(0.05)
            add, failures = SqlNotificationTransaction.put_incident, iter([True])

            async def put(self: SqlNotificationTransaction, incident: Incident) -> None:
                await add(self, incident)
                if incident.queued_id is not None and next(failures, False):
                    raise Unavailable("the disk is full")

            monkeypatch.setattr(SqlNotificationTransaction, "put_incident", put)
            await system.alerts.put([firing(system.clock.now(), n="1")])
            await server.wait_for(lambda: len(server.received) == 1)
            await system.worker.idle()
            assert system.worker._busy[CHANNEL] == 0
        assert len(server.received) == 1


async def test_a_claim_of_a_process_that_died_is_sent_again_at_its_next_start(
    tmp_path: Path,
) -> None:
    """The lease of a message claimed by a flush is freed like any other of that owner."""
    async with WebhookStandIn() as server:
        server.fail_next(Fault.hang(30))
        async with alerting(tmp_path, ROUTE, [hook(server)]) as system:
            await system.clock.sleep(0.05)
            await system.alerts.put([firing(system.clock.now(), n="1")])
            await reached(server)
            assert (await system.store.depth())[MessageState.SENDING] == 1
            await system.worker.drain(0)
        async with alerting(tmp_path, ROUTE, [hook(server)]) as system:
            await server.wait_for(lambda: len(server.received) == 1)
