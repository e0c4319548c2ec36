"""Why nobody was told: what it depends on is down, or our own network is. The whole application."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from controlplane.model.alert import Alert
from tests.support.alerting import firing
from tests.unit.api.test_story import World, world


def target(name: str, **more: object) -> dict[str, object]:
    """Return a target that nobody listens at."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # It is free again, and nothing of this test takes it.
    address = f"127.0.0.1:{port}"
    return {
        "name": name,
        "address": address,
        "module": "tcp_connect",
        "interval": "1s",
        "labels": {"instance": name},
        **more,
    }


def about(on: World, name: str) -> Alert:
    return firing(on.now, job=name, instance=name)


async def down(on: World, count: int) -> None:
    """Wait until so many targets have failed a probe."""
    async with asyncio.timeout(30):
        while len((await on.get("/api/v1/targets", state="down"))["items"]) < count:
            await on.surface.clock.sleep(0.05)


async def test_what_depends_on_something_that_is_down_is_not_told(tmp_path: Path) -> None:
    """Only the thing itself is; the story, both APIs and a metric say why."""
    targets = [target("db"), target("api", depends_on=["db"]), target("shop", depends_on=["api"])]
    async with world(tmp_path, targets=targets) as on:
        await down(on, 3)
        shop, db = about(on, "shop"), about(on, "db")
        await on.surface.alerts.put([shop, db])
        await on.kinds(shop.fingerprint, lambda kinds: "dependent" in kinds)
        await on.server.wait_for(lambda: bool(on.server.payloads))
        (entry,) = [e for e in await on.entries(shop.fingerprint) if e["kind"] == "dependent"]
        assert entry["because"] == "it depends on target/api, which is down"
        told = {alert["fingerprint"] for each in on.server.payloads for alert in each["alerts"]}
        assert told == {db.fingerprint}
        ours = await on.get(f"/api/v1/alerts/{shop.fingerprint}")
        assert (ours["suppressed"], ours["inhibited_by"]) == (True, ["target/api"])
        theirs = await on.get("/alertmanager/api/v2/alerts", filter='instance="shop"')
        assert theirs[0]["status"]["state"] == "suppressed"
        count = on.surface.registry.get_sample_value(
            "controlplane_notifications_suppressed_total", {"reason": "dependency"}
        )
        assert count


@contextmanager
def canary() -> Iterator[socket.socket]:
    """Give a server that takes connections until it is closed."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server


@pytest.mark.parametrize("alive", [True, False])
async def test_a_mass_failure_with_a_dead_canary_is_told_as_one_alert(
    tmp_path: Path, *, alive: bool
) -> None:
    """At once, about ourselves; while a canary answers each is told as ever."""
    with canary() as server:
        address = "{}:{}".format(*server.getsockname())
        settings = {"targets": 2, "networks": 1, "canary_interval": "100ms", "canary_timeout": "1s"}
        more = {"canaries": [address], "storm_settings": settings}
        async with world(tmp_path, **more) as on:
            up = {"canary": address}
            async with asyncio.timeout(30):
                while not on.surface.registry.get_sample_value("controlplane_canary_up", up):
                    await on.surface.clock.sleep(0.05)
            if not alive:
                server.close()
            for name in ("a", "b"):
                answer = await on.client.post("/api/v1/targets", json=target(name))
                assert answer.status_code == 201
            await down(on, 2)
            if not alive:
                await on.server.wait_for(lambda: names(on) == {"OwnNetworkDown"}, 30)
            alert = about(on, "a")
            await on.surface.alerts.put([alert])
            if alive:
                await on.server.wait_for(lambda: names(on) == {"Broken"}, 30)
                return
            await on.kinds(alert.fingerprint, lambda kinds: "held" in kinds)
            (entry,) = [e for e in await on.entries(alert.fingerprint) if e["kind"] == "held"]
            assert "2 targets in 1 networks (2 connect) fail at once" in entry["because"]
            assert names(on) == {"OwnNetworkDown"}


def names(on: World) -> set[str]:
    """Return the names of the alerts that the receiver was told of."""
    return {a["labels"]["alertname"] for each in on.server.payloads for a in each["alerts"]}
