"""Whether somebody would be told, tried on the real program before it matters."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from controlplane.demo.standins import Fault, PagerDutyStandIn, WebhookStandIn
from tests.acceptance.house import configuration
from tests.support.service import Service, eventually, run_command, running
from tests.support.web import answer, web

KEY = "0123456789abcdef0123456789abcdef"


def pager(server: PagerDutyStandIn, **more: Any) -> dict[str, Any]:
    config = {"routing_key": KEY, "url": f"{server.url}/v2/enqueue", **more}
    return {"pagerduty_configs": [config]}


def routed(*receivers: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration whose first receiver is the root's, with a route to each other."""
    routes = [
        {"receiver": each["name"], "matchers": [f'to="{each["name"]}"']} for each in receivers[1:]
    ]
    route = {
        "receiver": receivers[0]["name"],
        "group_wait": "0s",
        "group_interval": "1s",
        "routes": routes,
    }
    settings = {"first_backoff": "100ms", "longest_backoff": "200ms"}
    return {"route": route, "receivers": list(receivers), "notification_settings": settings}


async def told_of(hook: WebhookStandIn, name: str, status: str) -> bool:
    """Tell whether a receiver was told of an alert with a status."""
    return any(
        (alert["labels"]["alertname"], alert["status"]) == (name, status)
        for payload in hook.payloads
        for alert in payload["alerts"]
    )


async def test_the_command_tries_a_receiver(tmp_path: Path) -> None:
    """It prints what came of it, and its code says whether it arrived."""
    async with PagerDutyStandIn() as duty:
        async with running(tmp_path, configuration(pager(duty))) as service:
            (receiver,) = (await service.get("/api/v1/receivers"))["items"]
            name = receiver["name"]
            code, out, _ = await run_command("test", "receiver", name, "--url", service.url)
            assert (code, out.count("delivered  202")) == (0, 2)
            duty.fail_next(Fault.answer(403))
            code, out, _ = await run_command("test", "receiver", name, "--url", service.url)
            assert (code, "refused    403" in out) == (1, True)
        assert duty.open_incidents() == []


@pytest.mark.slow
async def test_a_killed_test_leaves_no_incident(tmp_path: Path) -> None:
    """Killed between the beginning and its answer, it ends after its restart what it began."""
    async with PagerDutyStandIn() as duty:
        async with running(tmp_path, configuration(pager(duty))) as service:
            name = (await service.get("/api/v1/receivers"))["items"][0]["name"]
            duty.fail_next(Fault.hang(after=True))
            asked = asyncio.create_task(service.request("POST", f"/api/v1/receivers/{name}/test"))
            await eventually(lambda: some(duty), "an incident")
            await service.kill()
            await asyncio.gather(asked, return_exceptions=True)
            duty.heal()
            await service.start()
            await duty.wait_for(lambda: not duty.open_incidents(), 90)
        assert len(duty.incidents) == 1


@pytest.mark.slow
async def test_a_drill_that_does_not_come_back_is_told_elsewhere(tmp_path: Path) -> None:
    """The receiver is dead; the other one hears of it, and of the end when a run went well."""
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        desk.fail_always(Fault.answer(500))
        config = routed(
            {"name": "ops", "webhook_configs": [{"url": ops.url}]},
            {"name": "desk", "webhook_configs": [{"url": desk.url}]},
        )
        drill = {"name": "weekly", "receiver": "desk", "interval": "1d", "deliver_within": "2s"}
        async with running(tmp_path, {**config, "drills": [drill]}) as service:
            assert (await service.request("POST", "/api/v1/drills/weekly/run")).status_code == 202
            await eventually(lambda: told_of(ops, "FireDrillFailed", "firing"), "the bad news")
            assert await told_of(ops, "FireDrill", "firing") is False
            desk.heal()
            await service.kill()
            service.configure({**config, "drills": [{**drill, "deliver_within": "5m"}]})
            await service.start()
            assert (await service.request("POST", "/api/v1/drills/weekly/run")).status_code == 202
            await eventually(lambda: told_of(ops, "FireDrillFailed", "resolved"), "the good news")
            assert await told_of(desk, "FireDrill", "resolved")


async def test_a_monitor_hears_from_us_until_something_is_wrong(tmp_path: Path) -> None:
    """With a full disk nothing says that all is well; why is at the other address and in /ready."""
    async with web(answer()) as monitor:
        check_in = {
            "name": "monitor",
            "url": monitor.url("/well"),
            "fail_url": monitor.url("/bad"),
            "interval": "1s",
            "timeout": "1s",
        }
        async with running(tmp_path, {**configuration(), "check_ins": [check_in]}) as service:
            await eventually(lambda: heard(monitor.requests, "GET /well"), "that all is well")
            assert (await said(service))["result"] == "sent"
            service.fill_disk()
            await eventually(lambda: heard(monitor.requests, "POST /bad"), "that it is not")
            found = await said(service)
            assert found["result"] == "withheld"
            # Both write to that disk; which one is first to fail on it is chance.
            assert found["problem"].startswith(("store: ", "database: "))
            begun = len(monitor.requests)
            await eventually(lambda: more(monitor.requests, begun + 2), "some more turns")
            assert not await heard(monitor.requests[begun:], "GET /well")
            line = await service.logged("check-in withheld")
            assert line["problem"].startswith(("store: ", "database: "))
            service.free_disk()
            monitor.requests.clear()
            await eventually(lambda: heard(monitor.requests, "GET /well"), "that all is well again")


async def some(duty: PagerDutyStandIn) -> bool:
    return bool(duty.open_incidents())


async def heard(requests: list[str], start: str) -> bool:
    return any(request.startswith(start) for request in requests)


async def more(requests: list[str], number: int) -> bool:
    return len(requests) >= number


async def said(service: Service) -> dict[str, Any]:
    """Return what `/ready` says of the check-in, whatever it says of the rest."""
    body = (await service.request("GET", "/ready")).json()
    found: dict[str, Any] = body["check_ins"]["monitor"]
    return found
