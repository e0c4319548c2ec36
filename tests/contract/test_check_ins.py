"""Check-ins of two replicas on one database: one makes a turn, both know what came of it."""

from collections.abc import Sequence

import httpx
import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.mirroring import MirrorMetrics, Mirrors
from controlplane.errors import Fenced
from controlplane.model.fence import OPEN, Fence
from controlplane.model.secret import Secret
from controlplane.model.share import Role
from controlplane.notify.check_in import CheckInOptions, CheckInStatus, Result
from controlplane.notify.check_ins import CheckIns
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.storage.changes import SqlChanges
from controlplane.storage.check_ins import SqlCheckIns
from controlplane.storage.database import Database
from tests.support.clock import ManualClock
from tests.support.share import SettableShare, moved

_NAMES = ("pager", "status page")
_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Replica:
    """One replica: its check-ins, whose monitors answer as it is told, and what it mirrors."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.share = SettableShare(role=Role.NOTIFIER)
        self.answer = 200
        self.options = {name: CheckInOptions(name, Secret("http://monitor/")) for name in _NAMES}
        self.check_ins = CheckIns(
            {},
            lambda _config: self._client(),
            SqlCheckIns(database),
            clock,
            TryingMetrics(CollectorRegistry()),
            self.share,
        )
        self.check_ins.configure(self.options.values())
        self.mirrors = Mirrors(
            SqlChanges(database),
            {"check_in": self.check_ins.refresh},
            clock,
            MirrorMetrics(CollectorRegistry()),
        )

    async def turn(self, name: str, answer: int) -> None:
        """Make one turn, which the monitor answers with a status."""
        self.answer = answer
        async with self._client() as client:
            await self.check_ins.turn(self.options[name], client)

    async def shown(self) -> Sequence[CheckInStatus]:
        """Return what it answers to who asks how check-ins fare."""
        await self.mirrors.fresh()
        return self.check_ins.statuses()

    def _client(self) -> httpx.AsyncClient:
        def respond(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(self.answer)

        return httpx.AsyncClient(transport=httpx.MockTransport(respond))


@_postgresql
async def test_both_replicas_show_the_same(database: Database) -> None:
    """Whoever makes a turn, and also after a check-in has passed from one to the other."""
    clock = ManualClock()
    first, second = Replica(database, clock), Replica(database, clock)
    for each in (first, second):
        await each.mirrors.begin()
    for replica, name in ((first, _NAMES[0]), (second, _NAMES[1])):
        await _give(database, replica, name)
    await first.turn(_NAMES[0], 200)
    await second.turn(_NAMES[1], 404)
    assert _results(await first.shown()) == [Result.SENT, Result.FAILED]
    assert await second.shown() == await first.shown()

    await clock.advance(60)
    first.share.take(f"check-in/{_NAMES[0]}")
    await _give(database, second, _NAMES[0])
    await second.turn(_NAMES[0], 500)
    assert await first.shown() == await second.shown()
    assert [each.problem for each in await first.shown()] == ["status 500", "status 404"]


@_postgresql
async def test_who_was_thought_dead_overwrites_nothing(database: Database) -> None:
    """A turn of one that only stood still is not kept, nor shown by anybody else."""
    clock = ManualClock()
    first, second = Replica(database, clock), Replica(database, clock)
    await second.mirrors.begin()
    await _give(database, first, _NAMES[0])
    await _give(database, second, _NAMES[0])  # of which the first knows nothing
    await second.turn(_NAMES[0], 200)
    await first.turn(_NAMES[0], 500)
    assert _results(await second.shown()) == [Result.SENT]
    assert _results(await SqlCheckIns(database).load()) == [Result.SENT]


async def test_the_last_turn_is_kept(database: Database) -> None:
    """One for each name, as it was; a token that is not in force is refused."""
    kept = SqlCheckIns(database)
    for status in (
        CheckInStatus("b", Result.SENT, 1),
        CheckInStatus("a", Result.WITHHELD, 2, "loops: not running: rules"),
        CheckInStatus("b", Result.FAILED, 3, "status 404"),
    ):
        await kept.save(status, OPEN)
    assert [(each.name, each.result, each.at) for each in await kept.load()] == [
        ("a", Result.WITHHELD, 2),
        ("b", Result.FAILED, 3),
    ]
    old = Fence(frozenset({await moved(database, "check-in/a", Role.NOTIFIER)}))
    await moved(database, "check-in/a", Role.NOTIFIER)
    with pytest.raises(Fenced):
        await kept.save(CheckInStatus("a", Result.SENT, 4), old)
    assert (await kept.load())[0].problem == "loops: not running: rules"


async def test_a_restart_knows_what_came_of_the_last_turn(database: Database) -> None:
    """What a former process did is shown until this one has made a turn."""
    clock = ManualClock()
    await SqlCheckIns(database).save(CheckInStatus(_NAMES[1], Result.SENT, 7), OPEN)
    replica = Replica(database, clock)
    await replica.check_ins.refresh()
    assert [(each.name, each.at) for each in replica.check_ins.statuses()] == [(_NAMES[1], 7)]


async def _give(database: Database, replica: Replica, name: str) -> None:
    key = f"check-in/{name}"
    token = await moved(database, key, Role.NOTIFIER)
    replica.share.give(key, token=token.number)


def _results(found: Sequence[CheckInStatus]) -> list[Result]:
    return [each.result for each in found]
