"""`/api/v1/receivers` and `/api/v1/drills`, over a service whose receivers are stand-ins."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from controlplane.demo.standins import Fault, PagerDutyStandIn, WebhookStandIn
from tests.support.service import eventually
from tests.unit.api.conftest import application

KEY = "0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def service(
    directory: Path, receivers: list[dict[str, Any]], **more: object
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a service with receivers; the first one is the root's."""
    route = {
        "receiver": receivers[0]["name"],
        "group_wait": "0s",
        "group_interval": "1s",
        "routes": [
            {"receiver": each["name"], "matchers": [f'to="{number}"']}
            for number, each in enumerate(receivers[1:])
        ],
    }
    settings = {"first_backoff": "10ms", "longest_backoff": "20ms"}
    config = {
        "route": route,
        "receivers": receivers,
        "notification_settings": settings,
        **more,
    }
    async with application(directory, json.dumps(config)) as client:
        yield client


def hook(name: str, server: WebhookStandIn, **more: object) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url": server.url, **more}]}


def pager(name: str, server: PagerDutyStandIn, **more: object) -> dict[str, Any]:
    config = {"routing_key": KEY, "url": f"{server.url}/v2/enqueue", **more}
    return {"name": name, "pagerduty_configs": [config]}


async def try_out(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Test a receiver; return the answer."""
    answer = await client.post(f"/api/v1/receivers/{name}/test")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_test_tells_that_it_fires_and_that_it_ended(tmp_path: Path) -> None:
    """Each integration is told both, marked as a test; the answer has status codes and times."""
    async with WebhookStandIn() as web, PagerDutyStandIn() as duty:
        both = hook("ops", web) | {"pagerduty_configs": pager("", duty)["pagerduty_configs"]}
        async with service(tmp_path, [both]) as client:
            found = await try_out(client, "ops")
            assert (found["receiver"], found["delivered"]) == ("ops", True)
            by_name = {each["integration"]: each for each in found["integrations"]}
            assert by_name.keys() == {"webhook/0", "pagerduty/0"}
            for each in by_name.values():
                assert each["firing"]["outcome"] == each["resolved"]["outcome"] == "delivered"
                assert not each["resolve_pending"]
            assert by_name["pagerduty/0"]["firing"]["status_code"] == 202
        told = [message.body for message in web.received]
        assert [body["status"] for body in told] == ["firing", "resolved"]
        assert told[0]["alerts"][0]["labels"]["controlplane_test"] == "true"
        assert "nothing is broken" in told[0]["alerts"][0]["annotations"]["summary"]
        assert duty.open_incidents() == []


async def test_what_a_test_opens_it_closes(tmp_path: Path) -> None:
    """Also at one that is not told of ends: a test leaves no incident behind."""
    async with PagerDutyStandIn() as duty:
        async with service(tmp_path, [pager("ops", duty, send_resolved=False)]) as client:
            await try_out(client, "ops")
        assert len(duty.received) == 2
        assert duty.open_incidents() == []


async def test_a_refusal_is_told_without_secrets(tmp_path: Path) -> None:
    """Status, reason and words of the refusal; there is nothing to end, and no dead letter."""
    async with WebhookStandIn() as web:
        web.fail_always(Fault.answer(403))
        async with service(tmp_path, [hook("ops", web)]) as client:
            found = await try_out(client, "ops")
            (each,) = found["integrations"]
            assert not found["delivered"]
            assert (each["firing"]["status_code"], each["firing"]["reason"]) == (403, "authError")
            assert (each["resolved"], each["resolve_pending"]) == (None, False)
            assert web.url not in json.dumps(found)
            assert (await client.get("/api/v1/dead-letters")).json()["items"] == []
        assert web.requests == 1


async def test_an_unknown_outcome_is_ended_by_the_outbox(tmp_path: Path) -> None:
    """A 500 may have been taken: its end is told until it arrives."""
    async with PagerDutyStandIn() as duty:
        duty.fail_next(Fault.answer(500))
        async with service(tmp_path, [pager("ops", duty)]) as client:
            (each,) = (await try_out(client, "ops"))["integrations"]
            assert each["firing"]["outcome"] == "unknown"
            assert each["resolve_pending"]
            await duty.wait_for(lambda: bool(duty.received))
        assert [event.body["event_action"] for event in duty.received] == ["resolve"]


async def test_an_end_that_fails_is_told_again(tmp_path: Path) -> None:
    """The beginning arrived, the end did not: the outbox goes on."""
    async with PagerDutyStandIn() as duty:
        faults = iter([None, Fault.answer(500)])
        duty.fail_by(lambda: next(faults, None))
        async with service(tmp_path, [pager("ops", duty)]) as client:
            (each,) = (await try_out(client, "ops"))["integrations"]
            assert each["delivered"]
            assert each["resolved"]["outcome"] == "unknown"
            assert each["resolve_pending"]
            await duty.wait_for(lambda: not duty.open_incidents())


async def test_a_receiver_is_tested_only_so_often(tmp_path: Path) -> None:
    """After three tests at once 429 says when the next one may be; others are not concerned."""
    async with WebhookStandIn() as web:
        async with service(tmp_path, [hook("ops", web), hook("desk", web)]) as client:
            for _ in range(3):
                await try_out(client, "ops")
            refused = await client.post("/api/v1/receivers/ops/test")
            assert refused.status_code == 429
            assert refused.json()["type"] == "urn:controlplane:problem:too-many-requests"
            assert 1 <= int(refused.headers["retry-after"]) <= 10
            assert (await try_out(client, "desk"))["delivered"]
        assert len(web.received) == 8


async def test_receivers_are_listed_with_how_they_fare(tmp_path: Path) -> None:
    """By name, page by page: breaker, what waits, what was given up, the last attempts."""
    async with WebhookStandIn() as web, WebhookStandIn() as dead:
        dead.fail_always(Fault.answer(403))
        named = [hook("team/ops", web), hook("desk", dead, send_resolved=False), {"name": "mute"}]
        async with service(tmp_path, named) as client:
            await try_out(client, "team/ops")
            alert = {"labels": {"alertname": "A", "to": "0"}}
            await client.post("/alertmanager/api/v2/alerts", json=[alert])

            async def given_up() -> bool:
                found = (await client.get("/api/v1/receivers/desk")).json()
                return bool(found["integrations"][0]["dead"])

            await eventually(given_up, "a dead letter")
            page = (await client.get("/api/v1/receivers?limit=2")).json()
            assert [each["name"] for each in page["items"]] == ["desk", "mute"]
            (desk,) = page["items"][0]["integrations"]
            assert (desk["name"], desk["state"], desk["send_resolved"]) == (
                "webhook/0",
                "failing",
                False,
            )
            assert (desk["breaker"], desk["held_for"], desk["dead"]) == ("closed", "0s", 1)
            assert desk["attempts"][0]["status_code"] == 403
            assert desk["last_delivered_at"] is None
            rest = (await client.get(f"/api/v1/receivers?cursor={page['next_cursor']}")).json()
            (ops,) = rest["items"]
            assert (ops["name"], rest["next_cursor"]) == ("team/ops", None)
            assert ops["integrations"][0]["state"] == "ok"
            assert ops["integrations"][0]["last_delivered_at"]


async def test_nobody_is_not_found(tmp_path: Path) -> None:
    """A receiver that the file does not have; one without integrations is told nothing."""
    async with service(tmp_path, [{"name": "mute"}]) as client:
        for method, path in (("GET", "/gone"), ("POST", "/gone/test")):
            answer = await client.request(method, f"/api/v1/receivers{path}")
            assert answer.status_code == 404, path
        assert await try_out(client, "mute") == {
            "receiver": "mute",
            "delivered": False,
            "integrations": [],
        }


async def test_a_drill_is_begun_by_hand(tmp_path: Path) -> None:
    """It is listed with its last run, told to its receiver, and has a story."""
    drill = {"name": "weekly", "receiver": "desk", "schedule": "0 9 * * mon"}
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        named = [hook("ops", ops), hook("desk", desk)]
        async with service(tmp_path, named, drills=[drill]) as client:
            (listed,) = (await client.get("/api/v1/drills")).json()["items"]
            assert (listed["name"], listed["interval"], listed["last_run"]) == (
                "weekly",
                None,
                None,
            )
            begun = await client.post("/api/v1/drills/weekly/run")
            assert (begun.status_code, begun.json()["last_run"]["stage"]) == (202, "raised")
            assert (await client.post("/api/v1/drills/weekly/run")).status_code == 409
            assert (await client.post("/api/v1/drills/other/run")).status_code == 404

            async def passed() -> dict[str, Any] | None:
                (found,) = (await client.get("/api/v1/drills")).json()["items"]
                run: dict[str, Any] = found["last_run"]
                return run if run["stage"] == "resolved" else None

            run = await eventually(passed, "a drill that passed")
            assert run is not None
            story = (await client.get(f"/api/v1/alerts/{run['fingerprint']}/story")).json()
            assert {"received", "grouped", "message", "resolved"} <= {
                entry["kind"] for entry in story["entries"]
            }
            assert story["alert"]["test"] is True
        assert ops.requests == 0
        statuses = [message.body["status"] for message in desk.received]
        assert statuses == ["firing", "resolved"]
