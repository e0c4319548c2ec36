"""Small pieces that the tests of muting share."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.mute.metrics import MuteMetrics
from controlplane.mute.options import SilenceOptions
from controlplane.mute.silence import Silence, SilenceChange
from controlplane.mute.silences import Silences
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class At:
    """A moment at which a group is due."""

    at: int = NOW
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()


class Memory:
    """A SilenceRepository that forgets with the test."""

    def __init__(self) -> None:
        self.changes: list[SilenceChange] = []
        self.fail: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def load(self) -> Sequence[Silence]:
        return list({change.silence.id: change.silence for change in self.changes}.values())

    async def find(self, ids: Collection[str]) -> Sequence[Silence]:
        return [silence for silence in await self.load() if silence.id in ids]

    async def save(
        self, changes: Sequence[SilenceChange], known: Mapping[str, Silence | None] | None = None
    ) -> None:
        if self.fail is not None:
            raise self.fail
        self.changes += changes
        await self.answers.wait()

    async def delete(self, ids: Collection[str]) -> None:
        self.changes = [change for change in self.changes if change.silence.id not in ids]

    async def history(self, silence_id: str) -> Sequence[SilenceChange]:
        return [change for change in self.changes if change.silence.id == silence_id]


class History:
    """A Past: alerts with the times at which they began, notifications with their alerts."""

    def __init__(self) -> None:
        self.episodes: list[tuple[int, Labels]] = []
        self.notifications: list[tuple[int, frozenset[str]]] = []

    async def alerts(self, since: int, *, after: str, limit: int) -> Sequence[tuple[str, Labels]]:
        known = {labels.fingerprint(): labels for at, labels in self.episodes if at >= since}
        return [(name, known[name]) for name in sorted(known) if name > after][:limit]

    async def began(self, fingerprints: Collection[str], since: int) -> Sequence[int]:
        return [
            at for at, one in self.episodes if at >= since and one.fingerprint() in fingerprints
        ]

    async def told(self, fingerprints: Collection[str], since: int) -> Sequence[int]:
        wanted = frozenset(fingerprints)
        return [at for at, about in self.notifications if at >= since and about <= wanted]


class World:
    """Silences over a memory, with a clock and the alerts that fire."""

    def __init__(self, options: SilenceOptions | None = None) -> None:
        self.clock = ManualClock(NOW)
        self.memory = Memory()
        self.firing: list[Alert] = []
        self.past = History()
        self.registry = CollectorRegistry()
        self.silences = Silences(
            self.memory,
            self.clock,
            MuteMetrics(self.registry),
            firing=lambda: self.firing,
            past=self.past,
            options=options,
        )


def silence(matchers: str, *, start: int = NOW, end: int = NOW + HOUR, name: str = "") -> Silence:
    return Silence(parse_matchers(matchers), start, end, "ada", "deploy", id=name)


def alert(*, ends_at: int = NOW + HOUR, **labels: str) -> Alert:
    return Alert(Labels(labels), NOW - 1000, ends_at, NOW)
