"""The service can be followed: one id from a tick to the delivery, and no secret on the way."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from controlplane.telemetry.traces import trace_id_of
from tests.acceptance.listeners import Collector, Counting, Unkind, listening
from tests.support.service import Service, eventually, run_command, running

_PARENT: Final = 0x0AF7651916CD43DD8448EB211C80319C
_TRACEPARENT: Final = f"00-{_PARENT:032x}-b7ad6b7169203331-01"
_SECRETS: Final = {
    "token": "api-token-7d1f8e",
    "app_token": "xoxb-5f2c9a-bot",
    "slack_path": "services/T0/B0/hook-3e77ab",
    "routing_key": "rk2b64c1f0d9e8472aa1f0c55d7b9e31",
    "hook_path": "hook-91c4de",
    "password": "pw-basic-8a6d21",
    "scrape_password": "pw-scrape-c0ffee",
    "bearer": "bearer-44d1b7",
}


async def test_one_id_leads_from_the_tick_to_the_delivery(tmp_path: Path) -> None:
    """Lines, the story and one trace tell how a failed probe became a message."""
    collector, shop, receiver = Collector(), Counting(), Counting()
    with (
        listening(collector.answer) as traces,
        listening(shop.answer) as target,
        listening(receiver.answer) as hook,
    ):
        hooks = [{"url": f"{hook}/hook"}]
        configuration = _configuration(tmp_path, target, webhook_configs=hooks)
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces, "CONTROLPLANE_TRACES_RATIO": "1"}
        async with running(tmp_path, configuration, environment=traced) as run:
            await _probed(run, 2)
            shop.status = 500
            await run.request("GET", "/api/v1/targets", headers={"traceparent": _TRACEPARENT})
            told = (await _only(run, "notification delivered"))["correlation_id"]
            (firing,) = run.events("alert firing")
            assert firing["correlation_id"] == told
            # On a busy machine a probe may have run out of its time before.
            (down,) = [
                line
                for line in run.events("target down")
                if line["correlation_id"] == firing["triggered_by"]
            ]
            assert down["reason"] == "status"
            assert [line["correlation_id"] for line in run.events("notification queued")] == [told]
            (alert,) = (await run.get("/api/v1/alerts"))["items"]
            story = await run.get(f"/api/v1/alerts/{alert['fingerprint']}/story")
            (message,) = story["notifications"]
            assert message["correlation_id"] == told
            assert [attempt["outcome"] for attempt in message["attempts"]] == ["delivered"]
            assert await run.terminate() == 0
    assert receiver.requests == 1
    assert {"rule group", "flush", "delivery attempt"} <= collector.names(trace_id_of(told))
    assert collector.names(_PARENT) == {"GET /api/v1/targets"}


async def test_nothing_is_said_of_what_goes_well(tmp_path: Path) -> None:
    """A tick that changes nothing writes no line; a reload writes one with an id."""
    with listening(Counting().answer) as target:
        async with running(tmp_path, _configuration(tmp_path, target)) as run:
            await _probed(run, 3)
            run.hang_up()
            assert (await _only(run, "configuration reloaded"))["correlation_id"]
            run.config.write_text("nonsense: [")
            run.hang_up()
            assert (await _only(run, "configuration refused"))["reason"]
            assert await run.terminate() == 0
    ours = {"serving", "stopping", "stopped", "schema migrated", "request"}
    said = {line["event"] for line in run.lines}
    ticks = {event for event in said if "probe" in event or "scrape" in event}
    assert ours <= said
    assert ticks == set()


@pytest.mark.slow
async def test_secrets_stay_secret_when_everything_fails(tmp_path: Path) -> None:
    """No log line, answer, metric or shown configuration holds a secret, however things fail."""
    unkind, token = Unkind(), _SECRETS["token"]

    async def is_met() -> bool:
        return len(unkind.seen) == 7

    with listening(unkind.answer) as receiver:
        configuration = _with_secrets(tmp_path, receiver)
        environment = {"CONTROLPLANE_API_TOKEN": token}
        async with running(tmp_path, configuration, environment=environment, token=token) as run:
            await eventually(is_met, "every way to fail")
            await run.logged("notification failed")
            await eventually(lambda: _dead(run), "a dead letter")
            await run.request("POST", "/-/reload")
            run.configure({**configuration, "surprise": _SECRETS["bearer"]})
            await run.request("POST", "/-/reload")
            answers = await _everything(run)
            run.configure(configuration)
            assert await run.terminate() == 0
        code, out, errors = await run_command("check", "config", "--show", str(run.config))
    assert code == 0
    places = {**answers, "the log": json.dumps(run.lines), "check config --show": out + errors}
    found = [
        f"{name} in {place}"
        for place, text in places.items()
        for name, secret in _SECRETS.items()
        if secret in text
    ]
    assert found == []


def _configuration(directory: Path, target: str, **receiver: Any) -> dict[str, Any]:
    """Return a service that probes one target each second and tells of its failure at once."""
    rules = directory / "probe.rules.yml"
    down = {"alert": "Down", "expr": "probe_success == 0", "labels": {"severity": "critical"}}
    rules.write_text(json.dumps({"groups": [{"name": "g", "interval": "5s", "rules": [down]}]}))
    return {
        "global": {"scrape_interval": "1s"},
        "targets": [{"name": "shop", "url": target}],
        "rule_files": [str(rules)],
        "route": {"receiver": "ops", "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "ops", **receiver}],
    }


def _with_secrets(directory: Path, receiver: str) -> dict[str, Any]:
    secret = _SECRETS
    basic = {"basic_auth": {"username": "u", "password": secret["password"]}}
    scraped = {"basic_auth": {"username": "u", "password": secret["scrape_password"]}}
    slack = [
        {"app_token": secret["app_token"], "app_url": f"{receiver}/api/chat", "channel": "#a"},
        {"api_url": f"{receiver}/{secret['slack_path']}", "channel": "#b"},
    ]
    pager = [{"routing_key": secret["routing_key"], "url": f"{receiver}/v2/enqueue"}]
    hook = [{"url": f"{receiver}/{secret['hook_path']}", "http_config": basic}]
    configuration = _configuration(
        directory,
        f"{receiver}/page",
        slack_configs=slack,
        pagerduty_configs=pager,
        webhook_configs=hook,
    )
    login = {"authorization": {"credentials": secret["bearer"]}}
    return {
        **configuration,
        "modules": {"closed": {"prober": "http", "http": login}},
        "targets": [{"name": "shop", "url": f"{receiver}/page", "module": "closed"}],
        "scrape_configs": [
            {
                "job_name": "closed",
                "static_configs": [{"targets": [receiver.removeprefix("http://")]}],
                **scraped,
            }
        ],
    }


async def _everything(run: Service) -> Mapping[str, str]:
    """Return every answer that may tell of the configuration or of what failed."""
    fingerprints = [alert["fingerprint"] for alert in (await run.get("/api/v1/alerts"))["items"]]
    ids = [target["id"] for target in (await run.get("/api/v1/targets"))["items"]]
    paths = [
        "/metrics",
        "/ready",
        "/api/v1/targets",
        "/api/v1/alerts",
        "/api/v1/dead-letters",
        "/api/v1/openapi.json",
        "/prometheus/api/v1/targets",
        "/prometheus/api/v1/rules",
        "/prometheus/api/v1/alerts",
        "/prometheus/api/v1/status/config",
        "/prometheus/api/v1/query?query={__name__!=''}",
        *(f"/api/v1/alerts/{each}/story" for each in fingerprints),
        *(f"/api/v1/targets/{each}/failures" for each in ids),
    ]
    answers = {path: (await run.request("GET", path)).text for path in paths}
    wrong = {"authorization": "Bearer wrong"}
    refused = await run.client.post(f"{run.url}/-/reload", headers=wrong)
    return {**answers, "a refused reload": refused.text}


async def _probed(run: Service, times: int) -> None:
    """Return once there were so many probes."""

    async def look() -> bool:
        return (await run.value("count_over_time(probe_success[1m])") or 0) >= times

    await eventually(look, f"{times} probes")


async def _only(run: Service, event: str) -> Mapping[str, Any]:
    """Return the line of an event, once it is there; it is the only one."""
    line = await run.logged(event)
    assert run.events(event) == [line]
    return line


async def _dead(run: Service) -> Any:
    return (await run.get("/api/v1/dead-letters"))["items"]
