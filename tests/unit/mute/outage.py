"""A replica with targets and canaries, which may all fail, and others of which it hears."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from controlplane.errors import Unavailable
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.member import Network
from controlplane.mute.metrics import StormMetrics
from controlplane.mute.options import StormOptions
from controlplane.mute.own_network import OwnNetwork
from controlplane.mute.storm import Phase
from controlplane.mute.watched import TargetBook, Watched
from tests.support.clock import ManualClock
from tests.unit.mute.world import NOW, At

INTERVAL = 10_000
CANARIES = ("one.example:53", "https://two.example/")
OPTIONS = StormOptions(targets=4, networks=2)


class Outage:
    """Six targets in two networks, two canaries, and whoever is told."""

    def __init__(
        self,
        canaries: tuple[str, ...] = CANARIES,
        replica: str = "",
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = ManualClock(NOW) if clock is None else clock
        self.registry = CollectorRegistry()
        self.outcomes: dict[str, bool] = {}
        self.answering = set(canaries)
        self.told: dict[str, Alert] = {}
        self.released: list[set[str]] = []
        self.refuse = False
        self.slow = 0.0
        book = TargetBook()
        for each in range(6):
            labels = Labels({"job": "shop", "instance": f"{each}"})
            book.put(Watched(f"t{each}", f"t{each}", labels, f"10.{each % 2}.0.1:80", INTERVAL))
        self.network = OwnNetwork(
            book,
            self.clock,
            StormMetrics(self.registry),
            ask=self._ask,
            last_outcome=self.outcomes.get,
            release=self._release,
            accept=self._accept,
            find=self.told.get,
            replica=replica,
        )
        self.network.configure(canaries, OPTIONS)

    async def _ask(self, canary: str, _seconds: float) -> bool:
        if canary == "broken.example:1":
            raise RuntimeError("a fault of ours")
        if self.slow:
            await self.clock.sleep(self.slow)
        return canary in self.answering

    def _release(self, labels: Collection[Labels], _now: int) -> None:
        self.released.append({each.value("instance") for each in labels})

    async def _accept(self, alerts: Sequence[Alert]) -> None:
        if self.refuse:
            raise Unavailable("the database is away")
        self.told.update({alert.fingerprint: alert for alert in alerts})

    def fail(self, *targets: int, reason: str = "timeout", at: int | None = None) -> None:
        slot = self.clock.now() if at is None else at
        for each in targets:
            self.outcomes[f"t{each}"] = False
            self.network.failed(f"t{each}", slot, reason, "")

    def recover(self, *targets: int) -> None:
        self.outcomes.update({f"t{each}": True for each in targets})

    def held(self, target: int) -> bool:
        labels = Labels({"alertname": "Down", "job": "shop", "instance": f"{target}"})
        return bool(self.network.muted_by(labels, At(self.clock.now())))

    def phase(self) -> Phase:
        return self.network.storm.phase

    def news(self) -> Alert | None:
        """The alert about ourselves, if it fires."""
        fires = (a for a in self.told.values() if a.status(self.clock.now()) is AlertStatus.FIRING)
        return next(fires, None)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    async def wait(self, seconds: float) -> None:
        await self.clock.settle()
        await self.clock.advance(seconds)

    async def running(self) -> "asyncio.Task[None]":
        """Ask and judge in the background; the canaries have answered once."""
        task = asyncio.create_task(self.network.run())
        await self.wait(6)
        return task


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Said:
    """A replica's word on a target."""

    success: bool
    reason: str
    since: int
    replica: str


class Roster:
    """What the replicas say of their networks, known to all at once."""

    def __init__(self) -> None:
        self.said: dict[str, Network] = {}
        self.words: dict[str, Said] = {}
        self._listeners: list[Callable[[], None]] = []

    def put(self, name: str, network: Network | None) -> None:
        """Have a replica say something, or be gone."""
        self.said.pop(name, None)
        if network is not None:
            self.said[name] = network
        for listener in self._listeners:
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)


@dataclass(frozen=True, slots=True)
class Seat:
    """One replica's place among the others: implements Replicas."""

    name: str
    roster: Roster

    def networks(self) -> Mapping[str, Network]:
        return self.roster.said

    def say(self, network: Network) -> None:
        self.roster.put(self.name, network)

    def subscribe(self, changed: Callable[[], None]) -> None:
        self.roster.subscribe(changed)
