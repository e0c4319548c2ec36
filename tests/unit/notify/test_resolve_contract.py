"""Whoever was told "firing" is told "resolved": through faults, reloads and crashes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.demo.standins import Fault, PagerDutyStandIn
from controlplane.model.alert import Alert
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.secret import Secret
from controlplane.notify.options import PagerdutyConfig, Receiver
from controlplane.routing.options import Route
from tests.support.alerting import Alerting, alerting, firing, resolved

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
FAULTS = {
    "500": Fault.answer(500),
    "500 but taken": Fault.answer(500, after=True),
    "400": Fault.answer(400),
    "429": Fault.rate_limited(0),
    "reset": Fault.reset(),
    "reset but taken": Fault.reset(after=True),
}


def base(*routes: Route, group_by: tuple[str, ...] = ("n",)) -> Route:
    return Route(receiver="ops", group_by=group_by, group_wait=0, group_interval=25, routes=routes)


# Plain; the same groups under another key; other groups; another receiver; one without pages.
ROUTES = {
    "plain": base(),
    "renamed": base(Route(matchers=parse_matchers('alertname="Broken"'))),
    "regrouped": base(group_by=("alertname",)),
    "elsewhere": base(Route(receiver="other", matchers=parse_matchers('n="1"'))),
    "gone": Route(receiver="nobody"),
}
OPERATIONS = st.one_of(
    st.tuples(st.just("fire"), st.sampled_from("123")),
    st.tuples(st.just("resolve"), st.sampled_from("123")),
    st.tuples(st.just("fault"), st.sampled_from(sorted(FAULTS))),
    st.tuples(st.just("reload"), st.sampled_from(sorted(ROUTES))),
    st.tuples(st.just("crash"), st.just("")),
    st.tuples(st.just("wait"), st.just("")),
)


class Machine:
    """The system, its receiver, and what is true."""

    def __init__(self, directory: Path, pagerduty: PagerDutyStandIn) -> None:
        self.directory = directory
        self.pagerduty = pagerduty
        self.route = "plain"
        self.firing: dict[str, Alert] = {}
        self.episodes = 0
        self.stack = AsyncExitStack()
        self.system: Alerting

    async def start(self) -> None:
        self.system = await self.stack.enter_async_context(
            alerting(self.directory, ROUTES[self.route], self.receivers())
        )

    def receivers(self) -> list[Receiver]:
        """Return those that the route needs: `gone` takes the pagers away."""
        url = f"{self.pagerduty.url}/v2/enqueue"
        config = PagerdutyConfig(Secret(ROUTING_KEY), url=url)
        pagers = [Receiver(name, pagerduty_configs=(config,)) for name in ("ops", "other")]
        return [Receiver("nobody"), *([] if self.route == "gone" else pagers)]

    async def fire(self, name: str) -> None:
        if name not in self.firing:
            self.episodes += 1
            self.firing[name] = firing(self.system.clock.now(), n=name)
            await self.system.alerts.put([self.firing[name]])

    async def resolve(self, name: str) -> None:
        if name in self.firing:
            alert = self.firing.pop(name)
            await self.system.alerts.put([resolved(alert, self.system.clock.now())])

    async def fault(self, name: str) -> None:
        self.pagerduty.fail_next(FAULTS[name])

    async def reload(self, name: str) -> None:
        self.route = name
        await self.system.reload(ROUTES[name], self.receivers())

    async def crash(self, _argument: str) -> None:
        await self.system.worker.drain(0)
        await self.stack.aclose()
        await self.start()

    async def wait(self, _argument: str) -> None:
        await self.system.clock.sleep(0.06)

    async def quiet(self) -> None:
        """End all alerts, and return when the receiver has nothing open."""
        self.pagerduty.heal()
        for name in list(self.firing):
            await self.resolve(name)
        async with asyncio.timeout(60):
            while self.pagerduty.open_incidents() or await self.system.store.open_incidents():
                await self.pass_waits()
                await self.system.sweeper.sweep(self.system.clock.now())
                await self.system.clock.sleep(0.02)

    async def pass_waits(self) -> None:
        """Let the minutes pass for which an orphan whose resolve died is left alone."""
        for incident in await self.system.store.open_incidents():
            if incident.retry_at:
                async with self.system.store.begin() as tx:
                    current = await tx.incident(incident.id)
                    assert current is not None
                    await tx.put_incident(replace(current, retry_at=0))


async def play(operations: list[tuple[str, str]]) -> None:
    async with PagerDutyStandIn() as pagerduty:
        with TemporaryDirectory() as directory:
            machine = Machine(Path(directory), pagerduty)
            await machine.start()
            try:
                for name, argument in operations:
                    step: Callable[[str], Awaitable[None]] = getattr(machine, name)
                    await step(argument)
                # A receiver that is configured again can be told what it missed.
                await machine.reload("plain")
                await machine.quiet()
            finally:
                await machine.stack.aclose()
    for key in {incident.dedup_key for incident in pagerduty.incidents}:
        assert pagerduty.opened(key) <= machine.episodes
    assert pagerduty.refused == []


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(operations=st.lists(OPERATIONS, max_size=14))
def test_every_incident_that_was_opened_is_closed(operations: list[tuple[str, str]]) -> None:
    """At quiescence nothing is open, whatever happened on the way."""
    asyncio.run(play(operations))


async def test_a_changed_route_keeps_the_incident(tmp_path: Path) -> None:
    """The group comes under another key; the receiver sees one incident, and its end."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.reload("renamed")
        await machine.wait("")
        await machine.resolve("1")
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
        await machine.stack.aclose()
    assert [(i.triggers, i.resolved) for i in pagerduty.incidents] == [(1, True)]


async def test_a_removed_receiver_is_told_the_end_at_once(tmp_path: Path) -> None:
    """What a reload takes away is resolved with the integration it was opened with."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.reload("gone")
        await machine.system.sweeper.sweep(machine.system.clock.now())
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
        while await machine.system.store.open_incidents():
            await machine.system.clock.sleep(0.01)
        await machine.system.sweeper.sweep(machine.system.clock.now())
        assert machine.system.channels.retired() == ()
        await machine.stack.aclose()


async def test_an_alert_moved_to_another_receiver_is_resolved_at_the_first_too(
    tmp_path: Path,
) -> None:
    """The first receiver's incident stays open while the alert fires, and ends with it."""
    async with PagerDutyStandIn() as pagerduty:
        machine = Machine(tmp_path, pagerduty)
        await machine.start()
        await machine.fire("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.reload("elsewhere")
        await pagerduty.wait_for(lambda: len(pagerduty.incidents) == 2)
        assert len(pagerduty.open_incidents()) == 2
        await machine.resolve("1")
        await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
        await machine.system.sweeper.sweep(machine.system.clock.now())
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
        await machine.stack.aclose()
