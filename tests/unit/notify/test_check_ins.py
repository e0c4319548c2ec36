"""Check-ins: a monitor elsewhere hears from us while all is well, and only then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlplane.errors import Forbidden, InvalidInput, Unavailable
from controlplane.model.fence import Fence
from controlplane.model.secret import Secret
from controlplane.model.share import WHOLE, Role, Share
from controlplane.notify.check_in import CheckInOptions, CheckInStatus, Result
from controlplane.notify.check_ins import CheckIns, Condition
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.transport.options import HTTPClientConfig
from tests.support.clock import ManualClock
from tests.support.share import SettableShare
from tests.support.web import Web, answer, web

HIDDEN = "/ping/0a1b2c3d"


def says(*words: str) -> Condition:
    """Return a condition that says one thing after the other, the last one for ever."""
    left = list(words)

    async def condition() -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    return condition


class Kept:
    """A CheckInStore in memory; while it is `away`, it fails."""

    def __init__(self) -> None:
        self.rows: dict[str, CheckInStatus] = {}
        self.fences: list[Fence] = []
        self.away = False

    async def load(self) -> Sequence[CheckInStatus]:
        return list(self.rows.values())

    async def save(self, status: CheckInStatus, fence: Fence) -> None:
        if self.away:
            raise Unavailable("the database does not answer")
        self.fences.append(fence)
        self.rows[status.name] = status


class World:
    """Check-ins with a clock and a registry of their own."""

    def __init__(self, conditions: Mapping[str, Condition]) -> None:
        self.clock = ManualClock()
        self.registry = CollectorRegistry()
        self.kept = Kept()
        self.check_ins = CheckIns(
            conditions,
            lambda _config: httpx.AsyncClient(trust_env=False),
            self.kept,
            self.clock,
            TryingMetrics(self.registry),
        )

    async def turn(self, options: CheckInOptions) -> CheckInStatus:
        """Take one turn."""
        async with httpx.AsyncClient(trust_env=False) as client:
            return await self.check_ins.turn(options, client)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def options(site: Web, **more: Any) -> CheckInOptions:
    plain = CheckInOptions("monitor", Secret(site.url(HIDDEN)))
    return replace(plain, **more)


async def test_the_monitor_is_asked_while_all_is_well() -> None:
    """Any 2xx is good; method and address are the file's, and the metrics tell when."""
    world = World({"database": says(""), "loops": says("")})
    async with web(answer("204 No Content")) as site:
        for method in ("GET", "HEAD", "POST"):
            status = await world.turn(options(site, method=method))
            assert (status.result, status.problem) == (Result.SENT, "")
        lines = [request.splitlines()[0] for request in site.requests]
    assert lines == [f"{method} {HIDDEN} HTTP/1.1" for method in ("GET", "HEAD", "POST")]
    sent = {"check_in": "monitor", "result": "sent"}
    assert world.value("controlplane_check_ins_total", **sent) == 3
    at = world.value("controlplane_check_in_last_success_timestamp_seconds", check_in="monitor")
    assert at == world.clock.now() / 1000
    assert world.value("controlplane_check_in_condition_ok", condition="loops") == 1


async def test_it_hears_nothing_while_something_is_wrong() -> None:
    """Why is in the status, the log and the metrics, each condition by its name."""

    async def broken() -> str:
        raise Unavailable("no answer")

    world = World({"database": broken, "loops": says("not running: rules"), "store": says("")})
    async with web(answer()) as site:
        with capture_logs() as lines:
            status = await world.turn(options(site))
        assert site.requests == []
    problem = "database: no answer; loops: not running: rules"
    assert (status.result, status.problem) == (Result.WITHHELD, problem)
    (line,) = lines
    assert (line["event"], line["problem"]) == ("check-in withheld", problem)
    assert world.value("controlplane_check_in_condition_ok", condition="database") == 0
    assert world.value("controlplane_check_in_condition_ok", condition="store") == 1


async def test_a_monitor_that_takes_failures_is_told_of_them() -> None:
    """At an address of its own, by POST, in no words that name files or hosts of ours."""
    world = World({"store": says("the disk is full", "")})
    async with web(answer()) as site:
        told = options(site, fail_url=Secret(site.url(HIDDEN + "/fail")))
        assert (await world.turn(told)).result is Result.WITHHELD
        assert (await world.turn(told)).result is Result.SENT
    first, second = site.requests
    assert first.startswith(f"POST {HIDDEN}/fail ")
    assert first.endswith("not well: store")
    assert "disk" not in first
    assert second.startswith(f"GET {HIDDEN} ")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError(f"refused by http://monitor.example{HIDDEN}"), "refused by <secret>"),
        (Forbidden("the outbound policy denies 169.254.0.1"), "the outbound policy denies"),
        (httpx.ReadTimeout(""), "ReadTimeout"),
    ],
)
async def test_a_monitor_that_is_not_reached(error: Exception, words: str) -> None:
    """It is counted and told without the address, which is a secret."""
    world = World({})

    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    given = CheckInOptions("monitor", Secret(f"http://monitor.example{HIDDEN}"))
    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as client:
        status = await world.check_ins.turn(given, client)
    assert status.result is Result.FAILED
    assert words in status.problem
    assert HIDDEN not in status.problem


async def test_a_refusal_and_a_missing_file_are_failures() -> None:
    """A status that is no 2xx; a secret that cannot be read."""
    world = World({})
    async with web(answer("404 Not Found")) as site:
        assert (await world.turn(options(site))).problem == "status 404"

        def unreadable() -> str:
            raise Unavailable("no such file: url")

        lost = await world.turn(options(site, url=Secret(unreadable)))
    assert (lost.result, lost.problem) == (Result.FAILED, "no such file: url")


async def test_what_stays_as_it_was_is_said_once() -> None:
    """A line when it begins to fail, and one when it works again."""
    world = World({"loops": says("down", "down", "", "")})
    async with web(answer()) as site:
        with capture_logs() as lines:
            for _ in range(4):
                await world.turn(options(site))
    assert [line["event"] for line in lines] == ["check-in withheld", "check-in works again"]


async def test_each_keeps_its_own_beat() -> None:
    """At once, and then at each interval, however long a turn takes."""
    async with running(lambda _request: httpx.Response(200)) as (world, asked):
        often = CheckInOptions("often", Secret("http://m/a"), interval=10_000)
        seldom = CheckInOptions("seldom", Secret("http://m/b"), interval=30_000)
        world.check_ins.configure([often, seldom])
        await world.clock.settle()
        assert asked == ["/a", "/b"]
        await world.clock.advance(30)
        assert sorted(asked) == ["/a"] * 4 + ["/b"] * 2
        assert [each.name for each in world.check_ins.statuses()] == ["often", "seldom"]


async def test_a_reload_puts_others_in_their_place() -> None:
    """Those that are gone stop; the same ones again change nothing."""
    async with running(lambda _request: httpx.Response(200)) as (world, asked):
        old = CheckInOptions("old", Secret("http://m/old"), interval=10_000)
        world.check_ins.configure([old])
        await world.clock.settle()
        world.check_ins.configure([old])
        await world.clock.settle()
        assert asked == ["/old"]
        world.check_ins.configure([CheckInOptions("new", Secret("http://m/new"))])
        await world.clock.settle()
        await world.clock.advance(20)
        assert asked == ["/old", "/new"]
        assert [each.name for each in world.check_ins.statuses()] == ["new"]


async def test_of_several_replicas_one_checks_in() -> None:
    """Who takes a check-in over begins at once; what it does not lose keeps its beat."""
    share = SettableShare(["check-in/mine"], role=Role.NOTIFIER)
    async with running(lambda _request: httpx.Response(200), share) as (world, asked):
        mine = CheckInOptions("mine", Secret("http://m/mine"), interval=10_000)
        other = CheckInOptions("other", Secret("http://m/other"), interval=10_000)
        world.check_ins.configure([mine, other])
        await world.clock.settle()
        await world.clock.advance(5)
        share.give("something else")
        await world.clock.settle()
        assert asked == ["/mine"]
        share.give("check-in/other")
        await world.clock.settle()
        assert sorted(asked) == ["/mine", "/mine", "/other"]
        share.take()
        await world.clock.advance(30)
        assert len(asked) == 3


async def test_what_another_replica_did_is_known() -> None:
    """The last turn of each is shown, whoever made it; of one that is ours, our own."""
    share = SettableShare(["check-in/mine"], role=Role.NOTIFIER)
    async with running(lambda _request: httpx.Response(200), share) as (world, _):
        mine = CheckInOptions("mine", Secret("http://m/mine"), interval=10_000)
        other = CheckInOptions("other", Secret("http://m/other"), interval=10_000)
        world.check_ins.configure([mine, other])
        await world.clock.settle()
        told = CheckInStatus("other", Result.WITHHELD, 7, "loops: down")
        old = CheckInStatus("mine", Result.FAILED, 7, "status 404")
        gone = CheckInStatus("gone", Result.SENT, 7)
        world.kept.rows |= {each.name: each for each in (told, old, gone)}
        await world.check_ins.refresh()
        ours, theirs = world.check_ins.statuses()
        assert (ours.name, ours.result, ours.at) == ("mine", Result.SENT, world.clock.now())
        assert theirs == told
        share.give("check-in/other")
        await world.clock.settle()
        assert [each.result for each in world.check_ins.statuses()] == [Result.SENT] * 2


async def test_a_turn_is_kept_for_the_others() -> None:
    """With what must still hold then; of one that has been lost meanwhile nothing is kept."""
    share = SettableShare(["check-in/mine"], role=Role.NOTIFIER)
    async with running(lambda _request: httpx.Response(404), share) as (world, _):
        mine = CheckInOptions("mine", Secret("http://127.0.0.1:1/"), interval=10_000)
        world.check_ins.configure([mine])
        await world.clock.settle()
        assert list(world.kept.rows.values()) == world.check_ins.statuses()
        assert world.kept.fences == [share.fence(["check-in/mine"])]
        share.take()
        async with httpx.AsyncClient(trust_env=False) as client:
            await world.check_ins.turn(mine, client)
        assert len(world.kept.fences) == 1


async def test_the_monitor_is_asked_without_the_database() -> None:
    """What cannot be kept is said once; when it can again, that is said too."""
    world = World({})
    async with web(answer()) as site:
        with capture_logs() as lines:
            for world.kept.away in (True, True, False):
                assert (await world.turn(options(site))).result is Result.SENT
    events = [line["event"] for line in lines]
    assert events == ["check-in not stored", "check-ins are stored again"]


def test_a_request_is_shorter_than_the_interval() -> None:
    """Or turns would pile up."""
    with pytest.raises(InvalidInput, match="timeout is longer than interval"):
        CheckInOptions("m", Secret("http://m"), interval=5_000)


@asynccontextmanager
async def running(
    respond: Callable[[httpx.Request], httpx.Response],
    share: Share = WHOLE,
) -> AsyncIterator[tuple[World, list[str]]]:
    """Give check-ins whose loop runs, and the paths that were asked for."""
    world, asked = World({}), []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return respond(request)

    def client(_config: HTTPClientConfig) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(note))

    metrics = TryingMetrics(CollectorRegistry())
    world.check_ins = CheckIns({}, client, world.kept, world.clock, metrics, share)
    task = asyncio.create_task(world.check_ins.run())
    try:
        yield world, asked
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
