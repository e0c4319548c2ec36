"""The machine of the resolve contract: the system, its receiver, and what is true."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from sqlalchemy import select

from controlplane.clock import Timestamp
from controlplane.demo.standins import Fault, PagerDutyStandIn
from controlplane.demo.standins.pagerduty import Incident
from controlplane.demo.standins.received import Action
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.secret import Secret
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.options import InhibitRule, MuteOptions
from controlplane.mute.silence import Silence, SilenceState
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.posting import dedup_key
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from controlplane.storage.tables.notifications import incidents
from tests.support.alerting import Alerting, alerting, firing, resolved

# A receiver is a service of its own there: what is open at one says nothing of another.
ROUTING_KEYS: Final = {"ops": "0" * 32, "other": "1" * 32}
FAULTS: Final = {
    "500": Fault.answer(500),
    "500 but taken": Fault.answer(500, after=True),
    "400": Fault.answer(400),
    "429": Fault.rate_limited(0),
    "reset": Fault.reset(),
    "reset but taken": Fault.reset(after=True),
}
# How long a silence, or an alert that nobody speaks of again, lasts when it is short.
_SHORT: Final = 40
_LONG: Final = 3_600_000
_ALWAYS: Final = TimeInterval()
_BROKEN: Final = parse_matchers('alertname="Broken"')
_FIRST_TWO: Final = parse_matchers('n=~"1|2"')
_NEVER: Final = TimeInterval(years=(Span(1999, 1999),))


def base(*routes: Route, group_by: tuple[str, ...] = ("n",)) -> Route:
    return Route(receiver="ops", group_by=group_by, group_wait=0, group_interval=25, routes=routes)


# Plain; the same groups under another key; other groups; another receiver; hours in which a
# group is not told; hours in which alone it is; nobody who pages.
ROUTES: Final = {
    "plain": base(),
    "renamed": base(Route(matchers=_BROKEN)),
    "regrouped": base(group_by=("alertname",)),
    "elsewhere": base(Route(receiver="other", matchers=parse_matchers('n="1"'))),
    "not at night": base(Route(matchers=_FIRST_TWO, mute_time_intervals=("night",))),
    "only at night": base(Route(matchers=_BROKEN, active_time_intervals=("night",))),
    "gone": Route(receiver="nobody"),
}


def _inhibits(source: str, target: str) -> MuteOptions:
    rule = InhibitRule(parse_matchers(source), parse_matchers(target), equal=("alertname",))
    return MuteOptions((rule,), {"night": (_NEVER,)})


# By day; by night; one alert mutes the others; another one mutes it.
MUTES: Final = {
    "day": MuteOptions(time_intervals={"night": (_NEVER,)}),
    "night": MuteOptions(time_intervals={"night": (_ALWAYS,)}),
    "1 inhibits": _inhibits('n="1"', 'n=~"2|3"'),
    "3 inhibits": _inhibits('n="3"', 'n="1"'),
}
SILENCES: Final = ("short", "long", "later", "until resolved", "in hours", "out of hours")


class Machine:
    """Takes operations by their names; `quiet` ends everything, `verify` judges what was told."""

    def __init__(self, directory: Path, pagerduty: PagerDutyStandIn) -> None:
        self.directory = directory
        self.pagerduty = pagerduty
        self.route = "plain"
        self.muting = "day"
        self.firing: dict[str, Alert] = {}
        self.episodes: dict[str, int] = defaultdict(int)
        self.departures = 0
        self.silences: list[str] = []
        self.stack = AsyncExitStack()
        self.system: Alerting

    @property
    def now(self) -> Timestamp:
        return self.system.clock.now()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def start(self) -> None:
        self.system = await self.stack.enter_async_context(
            alerting(self.directory, ROUTES[self.route], self.receivers(), mute=MUTES[self.muting])
        )

    def receivers(self) -> list[Receiver]:
        """Return those that the route needs: `gone` takes the pagers away."""
        url = f"{self.pagerduty.url}/v2/enqueue"
        pagers = [
            Receiver(name, pagerduty_configs=(PagerdutyConfig(Secret(key), url=url),))
            for name, key in ROUTING_KEYS.items()
        ]
        return [Receiver("nobody"), *([] if self.route == "gone" else pagers)]

    async def play(self, operations: Sequence[tuple[str, str]]) -> None:
        """Do all of it and end everything; nothing may be open then."""
        await self.do(operations)
        await self.quiet()
        await self.verify()

    async def do(self, operations: Sequence[tuple[str, str]]) -> None:
        for name, argument in operations:
            step: Callable[[str], Awaitable[None]] = getattr(self, name)
            await step(argument)

    async def fire(self, name: str) -> None:
        if name not in self.firing:
            self.firing[name] = await self._raise(name, _LONG)

    async def open(self, name: str) -> None:
        """Have an alert fire, and told."""
        await self.fire(name)
        await self.pagerduty.wait_for(lambda: len(self.pagerduty.open_incidents()) == 1)

    async def mention(self, name: str, lasts: int = _SHORT) -> None:
        """Have an alert fire that ends unless somebody speaks of it again."""
        if name not in self.firing:
            await self._raise(name, lasts)

    async def resolve(self, name: str) -> None:
        if name in self.firing:
            await self.system.alerts.put([resolved(self.firing.pop(name), self.now)])

    async def fault(self, name: str) -> None:
        self.pagerduty.fail_next(FAULTS[name])

    async def silence(self, kind: str) -> None:
        """Silence one alert, or all, in one of the ways that there are."""
        name, _, way = kind.partition(" ")
        matchers = f'n="{name}"' if name != "all" else 'alertname=~".+"'
        now = self.now
        silence = Silence(parse_matchers(matchers), now, now + _LONG, "ada", way)
        match way:
            case "short":
                silence = replace(silence, ends_at=now + _SHORT)
            case "later":
                silence = replace(silence, starts_at=now + _SHORT)
            case "until resolved":
                silence = replace(silence, until_resolved=True)
            case "in hours":
                silence = replace(silence, times=(_NEVER, _ALWAYS))
            case "out of hours":
                silence = replace(silence, times=(_NEVER,))
        kept, _ = await self.system.silences.set_once(silence, by="ada")
        self.silences.append(kept.id)

    async def extend(self, _argument: str) -> None:
        for silence_id in self.silences[-1:]:
            silence = self.system.silences.get(silence_id)
            await self.system.silences.set(replace(silence, ends_at=self.now + _LONG))

    async def expire(self, _argument: str) -> None:
        for silence in self.system.silences.list()[:1]:
            await self.system.silences.expire(silence.id)

    async def reload(self, route: str) -> None:
        self.departures += route == "gone" != self.route
        self.route = route
        await self._change()

    async def mute(self, name: str) -> None:
        self.muting = name
        await self._change()

    async def crash(self, _argument: str) -> None:
        await self.system.worker.drain(0)
        await self.stack.aclose()
        await self.start()

    async def wait(self, _argument: str) -> None:
        await self.system.clock.sleep(0.06)

    async def quiet(self) -> None:
        """End all alerts, and return when nothing is open: muted or not, whatever the route."""
        self.pagerduty.heal()
        if self.route == "gone":
            # A receiver that is configured again can be told what it missed.
            await self.reload("plain")
        async with asyncio.timeout(60):
            while await self._is_busy():
                await self._end_alerts()
                await self._pass_waits()
                await self.system.sweeper.sweep(self.now)
                await self.system.clock.sleep(0.02)

    async def verify(self) -> None:
        """Check that no incident was opened twice, and that every request was a good one."""
        assert self.pagerduty.refused == []
        labels = await self._labels_by_key()
        opened: dict[tuple[str, str], set[str]] = defaultdict(set)
        for event in self.pagerduty.received:
            service, key = event.body["routing_key"], event.body["dedup_key"]
            there = opened[service, str(labels[key])]
            if event.action is Action.TRIGGERED:
                there.add(key)
            else:
                there.discard(key)
            assert len(there) <= 1, f"two incidents are open for {labels[key]}"
        for (service, key), number in Counter(map(_identity, self.pagerduty.incidents)).items():
            name = labels[key].value("n")
            if name:
                assert number <= self.episodes[name] + self.departures, (service, labels[key])

    async def opened(self, name: str) -> int:
        """Return how many incidents the group of one alert has opened."""
        labels = await self._labels_by_key()
        names = [labels[incident.dedup_key].value("n") for incident in self.pagerduty.incidents]
        return names.count(name)

    async def _raise(self, name: str, lasts: int) -> Alert:
        self.episodes[name] += 1
        alert = firing(self.now, lasts=lasts, n=name)
        await self.system.alerts.put([alert])
        return alert

    async def _change(self) -> None:
        await self.system.reload(ROUTES[self.route], self.receivers(), MUTES[self.muting])

    async def _is_busy(self) -> bool:
        """Tell whether there is anything left of which somebody may yet be told."""
        unfinished = await self.system.store.open_incidents()
        firing = self.system.alerts.list(AlertStatus.FIRING)
        held = self.system.dispatcher.groups()
        return bool(unfinished or firing or held or self.pagerduty.open_incidents())

    async def _end_alerts(self) -> None:
        """End what fires, also what a restart, or a dead letter, has raised."""
        now = self.now
        left = self.system.alerts.list(AlertStatus.FIRING)
        if left:
            await self.system.alerts.put([resolved(alert, now) for alert in left])
        self.firing.clear()

    async def _pass_waits(self) -> None:
        """Let the minutes pass for which an orphan whose resolve died is left alone."""
        for incident in await self.system.store.open_incidents():
            if incident.retry_at:
                async with self.system.store.begin() as tx:
                    current = await tx.incident(incident.id)
                    assert current is not None
                    await tx.put_incident(replace(current, retry_at=0))

    async def _labels_by_key(self) -> dict[str, Labels]:
        """Return the group labels of every key that an incident was ever opened with."""
        wanted = select(incidents.c.key, incidents.c.group_labels)
        async with self.system.db.read() as connection:
            rows = await connection.execute(wanted)
            return {dedup_key(row.key): Labels(row.group_labels) for row in rows}

    def acknowledged(self) -> list[Silence]:
        """Return the acknowledgements that have not ended."""
        return [
            silence
            for silence in self.system.silences.list()
            if silence.until_resolved and silence.state(self.now) is SilenceState.ACTIVE
        ]


def _identity(incident: Incident) -> tuple[str, str]:
    return incident.routing_key, incident.dedup_key
