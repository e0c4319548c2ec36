"""Ten thousand changes of state, twenty kills, a receiver out of order a third of the time.

A process with the alerting half of the program, on SQLite and over libcurl,
is told that alerts fire and end. Its receiver answers a third of the requests
with 500, 429, silence or a reset, before or after it took them. At the end the
incidents that are open at the receiver must be the alerts that fire, and every
message that was ever queued delivered, or superseded by a newer one.
"""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controlplane.clock import SystemClock
from controlplane.demo.standins import Fault, PagerDutyStandIn
from tests.support.killable import Notifier

# Longer than the receiver takes to answer, shorter than anybody's patience.
_TIMEOUT: Final = 400
_BURST: Final = 20
FAULTS: Final = {
    "500": Fault.answer(500),
    "500, but taken": Fault.answer(500, after=True),
    "429": Fault.rate_limited(0),
    "time-out": Fault.hang(5),
    "time-out, but taken": Fault.hang(5, after=True),
    "reset": Fault.reset(),
    "reset, but taken": Fault.reset(after=True),
}


@dataclass(slots=True)
class Result:
    """What came of a run; `problems` is empty when nothing was lost."""

    changes: int = 0
    kills: int = 0
    seconds: float = 0.0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    firing: int = 0
    problems: list[str] = field(default_factory=list)


class Chaos:
    """One run. `seed` decides everything but the moments at which threads meet."""

    def __init__(
        self, directory: Path, *, changes: int, kills: int, alerts: int, seed: int
    ) -> None:
        self._directory = directory
        self._changes = changes
        self._dice = random.Random(seed)
        self._kills = set(self._dice.sample(range(changes), kills))
        self._state = {f"n{number}": False for number in range(alerts)}
        self._result = Result()
        self._clock = SystemClock()

    async def run(self) -> Result:
        """Do all of it. Raises TimeoutError when the receiver does not come to agree."""
        result, started = self._result, self._clock.monotonic()
        async with PagerDutyStandIn() as pager:
            pager.fail_by(self._fault)
            process = Notifier(self._directory, pager.url, timeout=_TIMEOUT)
            await process.start()
            while result.changes < self._changes:
                await self._change_some(process)
            pager.heal()
            wanted = sorted(name for name, fires in self._state.items() if fires)
            with suppress(TimeoutError):
                async with asyncio.timeout(120):
                    while _opened(pager) != wanted or self._unfinished():
                        await self._clock.sleep(0.1)
            await process.kill()
            self._judge(pager, wanted)
        result.seconds = self._clock.monotonic() - started
        return result

    def _fault(self) -> Fault | None:
        if self._dice.random() >= 1 / 3:
            return None
        name = self._dice.choice(list(FAULTS))
        self._result.faults[name] += 1
        return FAULTS[name]

    async def _change_some(self, process: Notifier) -> None:
        """Tell of a few changes; perhaps kill the process before it has accepted them all."""
        first = self._result.changes
        # A burst ends with the change at which the process is to be killed: none has two of them.
        ends = min((at + 1 for at in self._kills if at >= first), default=self._changes)
        burst = min(self._dice.randint(1, _BURST), ends - first)
        names = self._dice.choices(list(self._state), k=burst)
        for name in names:
            self._state[name] = not self._state[name]
            process.tell("fire" if self._state[name] else "resolve", name)
        if first + burst - 1 in self._kills:
            await self._clock.sleep(self._dice.random() * 0.05)
            await process.kill()
            self._result.kills += 1
            await process.start()
            # What was not accepted may be there or not: its source says it again.
            for name in dict.fromkeys(names):
                await process.say("fire" if self._state[name] else "resolve", name)
        else:
            for _ in names:
                await process.accepted()
        self._result.changes += burst

    def _judge(self, pager: PagerDutyStandIn, wanted: list[str]) -> None:
        result = self._result
        result.requests, result.firing = pager.requests, len(wanted)
        result.messages = self._messages()
        opened = _opened(pager)
        if opened != wanted:
            result.problems.append(f"open at the receiver: {opened}, firing: {wanted}")
        lost = {state: n for state, n in result.messages.items() if state not in _WELL}
        if lost:
            result.problems.append(f"messages neither delivered nor superseded: {lost}")
        if result.messages["delivered"] > len(pager.received):
            result.problems.append("more messages count as delivered than the receiver took")
        if pager.refused:
            result.problems.append(f"refused by the receiver: {pager.refused[:3]}")

    def _unfinished(self) -> int:
        messages = self._messages()
        return messages["queued"] + messages["sending"]

    def _messages(self) -> Counter[str]:
        path = self._directory / "controlplane.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            rows = database.execute("SELECT state, count(*) FROM messages GROUP BY state")
            return Counter(dict(rows.fetchall()))


_WELL: Final = ("delivered", "superseded")


def _opened(pager: PagerDutyStandIn) -> list[str]:
    """Return the names of the alerts whose incidents are open, each as often as there are."""
    return sorted(
        incident.summary.split("'name': '")[1].split("'")[0] for incident in pager.open_incidents()
    )


def told(result: Result) -> str:
    """Return the result as a table."""
    rows = {
        "changes of state": result.changes,
        "kills with -9": result.kills,
        "seconds": f"{result.seconds:.0f}",
        "requests at the receiver": result.requests,
        **{f"of these answered by {name}": n for name, n in sorted(result.faults.items())},
        **{f"messages {state}": n for state, n in sorted(result.messages.items())},
        "firing, and open at the receiver": result.firing,
        "lost": "; ".join(result.problems) or "nothing",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| delivery under faults | |", "| --- | --- |", *lines])
