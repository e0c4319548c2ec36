"""Two replicas, of which one loses its way out but neither Valkey nor the database."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.clustering import join
from controlplane.app.sharing import Sharing
from controlplane.app.supervisor import Supervisor
from controlplane.clock import SystemClock
from controlplane.cluster.options import ClusterOptions
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.member import Network
from controlplane.model.secret import Secret
from controlplane.model.share import SHARDS, Role, shard_of
from controlplane.model.target import Provenance, Target, TargetSpec
from controlplane.mute.metrics import StormMetrics
from controlplane.mute.options import StormOptions
from controlplane.mute.own_network import OwnNetwork
from controlplane.mute.watched import TargetBook, Watched
from controlplane.storage.database import Database
from controlplane.storage.outcomes import SqlOutcomes
from controlplane.storage.targets import SqlTargets
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.outcomes import Outcomes
from controlplane.targets.ports import TargetOutcome
from tests.support import cluster, valkey
from tests.support.service import eventually
from tests.unit.mute.world import At

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

CLOCK = SystemClock()
TARGETS = [f"t{number}" for number in range(6)]
STORM = StormOptions(targets=4, networks=2, canary_interval=100)
# One key for each shard.
KEYS = {shard_of(str(number)): str(number) for number in range(4_000)}


@dataclass
class Replica:
    """One replica; what its canaries say, and what its probes saw, is the test's."""

    name: str
    sharing: Sharing
    network: OwnNetwork
    outcomes: Outcomes
    sees: dict[str, bool]
    out: asyncio.Event
    released: set[Labels] = field(default_factory=set)

    def probe(self, *targets: str) -> None:
        """Probe targets here: all fail once the way out is lost, else all are well."""
        up = self.out.is_set()
        for each in targets:
            self.sees[each] = up
            self.outcomes.take(each, up, "" if up else "timeout")
            if not up:
                self.network.failed(each, CLOCK.now(), "timeout", "")

    def leave(self, *targets: str) -> None:
        """Probe targets here no more."""
        for each in targets:
            del self.sees[each]

    def owned(self, role: Role = Role.PROBER) -> set[int]:
        share = self.sharing.share(role)
        return {shard for shard, key in KEYS.items() if share.owns(key)}

    def why(self, target: str) -> tuple[str, ...]:
        """Why an alert about a target is not told by this one."""
        return self.network.muted_by(_about(target), At(CLOCK.now()))


def _about(target: str) -> Labels:
    return Labels({"alertname": "Down", "job": "shop", "instance": target})


async def replica(
    name: str, database: Database, options: ClusterOptions, stack: AsyncExitStack
) -> Replica:
    registry = CollectorRegistry()
    me = cluster.member(name)
    joined = join(me, options, database, clock=CLOCK, registry=registry, stack=stack)
    sharing = Sharing(me, None, joined)
    await sharing.joined()
    book, sees, out = TargetBook(), dict[str, bool](), asyncio.Event()
    for number, each in enumerate(TARGETS):
        labels = Labels({"job": "shop", "instance": each})
        book.put(Watched(each, each, labels, f"10.{number % 2}.0.1:80", 10_000))

    async def ask(_canary: str, _seconds: float) -> bool:
        return out.is_set()

    def released(labels: Collection[Labels], _now: int) -> None:
        made.released |= set(labels)

    async def accept(_alerts: Sequence[Alert]) -> None:
        """Whoever is told of our network is not of this test."""

    def learned(outcome: TargetOutcome) -> None:
        if not outcome.success:
            network.failed(outcome.target_id, outcome.at, outcome.reason, "")

    out.set()
    outcomes = Outcomes(
        SqlOutcomes(database),
        clock=CLOCK,
        replica=name,
        own=sees.get,
        told=lambda _target, _up, _reason: None,
        learned=learned,
        metrics=TargetMetrics(registry),
    )
    network = OwnNetwork(
        book,
        CLOCK,
        StormMetrics(registry),
        ask=ask,
        last_outcome=outcomes.last,
        release=released,
        accept=accept,
        find=lambda _fingerprint: None,
        replica=name,
    )
    network.configure(("canary.example:53",), STORM)
    network.among(sharing, outcomes.get)
    supervisor = Supervisor(CLOCK, registry)
    stack.push_async_callback(supervisor.stop)
    supervisor.start("own network", network.run)
    supervisor.start("outcomes", outcomes.run)
    sharing.start(supervisor)
    made = Replica(name, sharing, network, outcomes, sees, out)
    return made


@pytest.fixture
async def pair(database: Database) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two replicas that share the work, and reach their canaries."""
    await SqlTargets(database).save(
        [
            Target(each, TargetSpec(each, url="http://x/"), Provenance.API, 1, 1, 1)
            for each in TARGETS
        ]
    )
    server = Secret(valkey.server().url)
    options = ClusterOptions(url=server, prefix=cluster.prefix(), lease=20_000, renew=5_000)
    async with AsyncExitStack() as stack:
        west = await replica("west", database, options, stack)
        east = await replica("east", database, options, stack)
        await eventually(lambda: _is_shared(west, east), "shards of both")
        # A canary counts that has answered.
        await CLOCK.sleep(3 * STORM.canary_interval / 1000)
        yield west, east


async def _is_shared(*replicas: Replica) -> bool:
    owned = [each.owned() for each in replicas]
    return sum(map(len, owned)) == SHARDS and all(owned)


async def _says(seen_by: Replica, name: str, network: Network) -> bool:
    return seen_by.sharing.networks()[name] is network


async def test_who_is_cut_off_gives_its_probes_and_is_not_believed(
    pair: tuple[Replica, Replica],
) -> None:
    """Rules and pages stay with it; what it said is told when the other sees it too."""
    west, east = pair
    had = west.owned(), west.owned(Role.EVALUATOR), west.owned(Role.NOTIFIER)
    west.out.clear()
    west.probe(*TARGETS)

    async def held() -> bool:
        await east.outcomes.refresh(TARGETS)
        return all(east.why(each) for each in TARGETS)

    await eventually(held, "what the other says is held")
    await eventually(lambda: _says(east, "west", Network.ISOLATED), "that it is cut off")
    await eventually(lambda: _owns_all(east), "its probes")
    assert west.owned() == set()
    assert (west.owned(Role.EVALUATOR), west.owned(Role.NOTIFIER)) == had[1:]
    assert {east.why(each) for each in TARGETS} == {
        ("replica west cannot reach any of its canaries",)
    }
    assert not east.released
    west.leave(*TARGETS)
    east.probe(*TARGETS[:3])
    east.out.clear()  # for one probe: its canaries are not asked in between
    east.probe(TARGETS[3])
    east.out.set()
    assert not east.why(TARGETS[3])
    assert all(east.why(each) for each in TARGETS[:3])

    async def told() -> bool:
        return _about(TARGETS[3]) in east.released

    await eventually(told, "the alert that the other confirms")
    assert east.released == {_about(TARGETS[3])}
    assert east.sharing.networks()["west"] is Network.ISOLATED


async def _owns_all(owner: Replica) -> bool:
    return len(owner.owned()) == SHARDS


async def test_when_the_network_of_all_breaks_nothing_moves(pair: tuple[Replica, Replica]) -> None:
    """Though the replicas find out one after the other: each keeps its probes."""
    west, east = pair
    before = west.owned(), east.owned()
    for each in pair:
        each.out.clear()
        each.probe(*TARGETS)

    async def all_cut_off() -> bool:
        assert (west.owned(), east.owned()) == before
        return set(west.sharing.networks().values()) == {Network.ISOLATED}

    await eventually(all_cut_off, "that both are cut off")
    for _ in range(10):
        await CLOCK.sleep(0.1)
        assert (west.owned(), east.owned()) == before
