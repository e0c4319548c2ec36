"""Evidence of failures: taken at once, written in batches, bounded."""

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from controlplane.errors import Unavailable
from controlplane.targets.failures import FailureLog, _plain
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.ports import Failure
from tests.support.clock import ManualClock


class Rows:
    """A repository that keeps failures in a list, and fails when told to."""

    def __init__(self) -> None:
        self.rows: list[Failure] = []
        self.batches = 0
        self.away = False

    async def add(self, failures: Sequence[Failure], keep: int) -> None:
        if self.away:
            raise Unavailable("away")
        self.batches += 1
        self.rows += failures

    async def list(self, target_id: str, limit: int) -> Sequence[Failure]:
        found = [row for row in reversed(self.rows) if row.target_id == target_id]
        return found[:limit]


class House:
    """A log of failures over such rows."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.clock = ManualClock()
        self.prometheus = CollectorRegistry()
        metrics = TargetMetrics(self.prometheus)
        self.log = FailureLog(self.rows, clock=self.clock, keep=3, metrics=metrics)

    @property
    def dropped(self) -> float | None:
        return self.prometheus.get_sample_value("controlplane_target_failures_dropped_total")


@pytest.fixture
def house() -> House:
    return House()


async def _times(house: House, target_id: str = "a") -> list[int]:
    return [failure.at for failure in await house.log.list(target_id)]


async def test_a_failure_is_seen_before_it_is_written(house: House) -> None:
    """The list shows what waits together with what is stored, each once, newest first."""
    house.log.add("a", 1, "timeout", {"phase": "connect"})
    house.log.add("b", 1, "dns", {})
    await house.log.flush()
    house.log.add("a", 2, "connect", {})
    assert await _times(house) == [2, 1]
    await house.log.flush()
    assert await _times(house) == [2, 1]
    for at in range(3, 9):
        house.log.add("a", at, "connect", {})
    assert await _times(house) == [8, 7, 6]
    house.log.configure(keep=1)
    assert await _times(house) == [8]


async def test_one_write_takes_many(house: House) -> None:
    """Once a second everything that waits goes in few transactions."""
    task = asyncio.create_task(house.log.run())
    await house.clock.settle()
    for number in range(1_500):
        house.log.add(str(number), 1, "dns", {})
    await house.clock.advance(1)
    assert (len(house.rows.rows), house.rows.batches) == (1_500, 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_without_a_database_the_newest_wait(house: House) -> None:
    """What waits is bounded; the oldest are dropped and counted; the rest is written later."""
    house.rows.away = True
    task = asyncio.create_task(house.log.run())
    for number in range(10_005):
        house.log.add(str(number), number, "dns", {})
    await house.clock.advance(3)
    assert house.dropped == 5
    house.rows.away = False
    await house.clock.advance(1)
    assert [row.at for row in house.rows.rows] == list(range(5, 10_005))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_draining_writes_or_counts(house: House) -> None:
    """At the end what waits is written; what cannot be is counted, not raised."""
    house.log.add("a", 1, "dns", {})
    await house.log.drain()
    assert len(house.rows.rows) == 1
    house.rows.away = True
    house.log.add("a", 2, "dns", {})
    await house.log.drain()
    assert house.dropped == 1


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.text(st.characters(categories=["Cs"]), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(anything)
def test_any_evidence_becomes_json(value: Any) -> None:
    """Bytes, NaN, lone surrogates: all comes out as JSON that any database can hold."""
    plain = _plain(value, 6)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    json.dumps(plain, ensure_ascii=False).encode()


def test_evidence_is_cut_to_measure() -> None:
    """A long body is shortened, deep structures become text, objects their words."""
    assert len(_plain("x" * 100_000, 6)) == 8_192
    assert _plain([[["deep"]]], 1) == ["[['deep']]"]
    assert _plain({1: math.inf, "set": {2}}, 6) == {"1": "inf", "set": "{2}"}
