"""One rule file over one set of samples: by our engine, a real Prometheus and VictoriaMetrics.

What alerts there are after each slot is compared, with all their instants.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock, Timestamp
from controlplane.rules.options import RulesOptions
from controlplane.rules.remote_query import EngineAnswers
from controlplane.rules.schedule import slot, slot_offset
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine as Transport
from controlplane.transport.http_client import HTTPClients
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from controlplane.tsdb.remote.engines import Engines
from controlplane.tsdb.remote.metrics import DatasourceMetrics
from controlplane.tsdb.remote.options import Datasource
from tests.support.engines import ENGINES, Engine, running_engine
from tests.support.remote_write import Series, snappy, version_1
from tests.support.service import eventually
from tests.unit.rules.stage import Stage
from tests.unit.rules.world import World, labels

INTERVAL: Final = 10_000
SLOTS: Final = 45
KEY: Final = "f.yml;g"
RULES: Final = """
groups:
- name: g
  interval: 10s
  rules:
  - {alert: AtOnce, expr: up == 0}
  - {alert: Held, expr: up == 0, for: 40s}
  - {alert: Kept, expr: up == 0, for: 20s, keep_firing_for: 60s}
  - {alert: Share, expr: 'sum by (zone) (up) / count by (zone) (up) < 0.6', for: 10s}
  - {alert: Missing, expr: 'absent(beat)', for: 20s}
  - {alert: Windowed, expr: 'min_over_time(up[45s]) < 1', for: 20s}
  - {alert: Joined, expr: 'up == 0 and on (zone) (load > 5)', for: 10s}
"""
# Each series' values, a digit each slot; a dot is no sample.
SCRIPT: Final[Mapping[str, str]] = {
    "up{i=a,zone=x}": "111000000000111111111001111000000111111111111",
    "up{i=b,zone=x}": "111111000111000111000111000111000111111000001",
    "up{i=c,zone=y}": "110011001100110011001100110000000000000000000",
    "load{zone=x}": "999999999999222222222222999999999999999922222",
    "load{zone=y}": "222222999999999999999922222222222229999999999",
    "beat{}": "111111................................1111111",
}

Seen = list[tuple[Any, ...]]


@pytest.fixture
async def engines() -> AsyncIterator[Engines]:
    """Give what asks query APIs."""
    clock = SystemClock()
    resolver, transport = StubResolver(clock), Transport(clock)
    transport.start()
    client = Client(transport, resolver, OutboundPolicy(()), clock)
    made = Engines(HTTPClients(client), clock=clock, metrics=DatasourceMetrics(CollectorRegistry()))
    yield made
    await made.close()
    await client.close()
    await transport.close()
    await resolver.close()


@pytest.mark.parametrize("name", ENGINES)
async def test_the_same_alerts_in_the_same_slots(
    tmp_path: Path, name: str, engines: Engines
) -> None:
    """Pending, firing and resolved at the same instants, whichever engine evaluates."""
    now = SystemClock().now()
    first = slot(now - (SLOTS + 30) * INTERVAL, INTERVAL, slot_offset(KEY, INTERVAL))
    async with running_engine(name, tmp_path / "there") as there:
        await there.push(snappy(version_1(_series(first))))
        await _visible(there, first)
        datasource = Datasource(there.url)
        theirs = await _evaluated(first, EngineAnswers(engines), datasource)
    ours = await _evaluated(first, None, None)
    states = {(alert[0], alert[1]) for seen in ours.values() for alert in seen}
    assert len({name for name, _ in states}) == 7, "each rule has alerts"
    assert {state for _, state in states} == {"pending", "firing", "inactive"}
    assert theirs == ours


def _series(first: Timestamp) -> list[Series]:
    """Return the script as samples, each some seconds before its slot."""
    return [
        (
            dict(labels(name).pairs),
            [
                (first + at * INTERVAL - 3_100, float(digit))
                for at, digit in enumerate(digits)
                if digit != "."
            ],
        )
        for name, digits in SCRIPT.items()
    ]


async def _visible(there: Engine, first: Timestamp) -> None:
    """Wait until the engine tells of every sample."""
    wanted = sum(digit != "." for digits in SCRIPT.values() for digit in digits)
    at = (first + SLOTS * INTERVAL) / 1000

    async def look() -> bool:
        found = await there.query(
            f'sum(count_over_time({{__name__=~"up|load|beat"}}[{SLOTS * 10 + 60}s]))', time=at
        )
        return [each["value"][1] for each in found] == [str(wanted)]

    await eventually(look, "all samples")


async def _evaluated(
    first: Timestamp, remote: EngineAnswers | None, datasource: Datasource | None
) -> dict[Timestamp, Seen]:
    """Return the alerts after each slot; without an engine, by our own over our store."""
    world = World()
    world.clock.set(first - INTERVAL // 2)
    if remote is None:
        for name, (_, samples) in zip(SCRIPT, _series(first), strict=True):
            for time, value in samples:
                world.put(time, {name: value})
    stage = Stage(world, remote=remote)
    options = replace(RulesOptions(), datasource=datasource)
    found: dict[Timestamp, Seen] = {}
    async with stage.running(RULES, options):
        for at in range(SLOTS):
            await world.clock.advance(INTERVAL / 1000)
            ts = first + at * INTERVAL

            async def done(ts: Timestamp = ts) -> bool:
                await stage.settle()
                return stage.manager.groups()[0].last_evaluation == ts

            await eventually(done, "a pass")
            await stage.manager.quiet()
            found[ts] = _seen(stage)
    return found


def _seen(stage: Stage) -> Seen:
    return sorted(
        (
            rule.rule.name,
            alert.state.value,
            str(alert.labels),
            alert.active_at,
            alert.fired_at,
            alert.resolved_at,
        )
        for rule in stage.manager.groups()[0].rules
        for alert in rule.alerts
    )
