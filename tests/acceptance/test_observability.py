"""The service can be followed: one id from a tick to the delivery, and no secret on the way."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from controlplane.telemetry.traces import trace_id_of
from tests.acceptance.listeners import Collector, Service, Unkind, listening
from tests.acceptance.running import Program, eventually

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


def test_one_id_leads_from_the_tick_to_the_delivery(tmp_path: Path) -> None:
    """Lines, the story and one trace tell how a failed probe became a message."""
    collector, service, receiver = Collector(), Service(), Service()
    with (
        listening(collector.answer) as traces,
        listening(service.answer) as target,
        listening(receiver.answer) as hook,
    ):
        hooks = [{"url": f"{hook}/hook"}]
        configuration = _configuration(tmp_path, target, webhook_configs=hooks)
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces, "CONTROLPLANE_TRACES_RATIO": "1"}
        with Program(tmp_path, configuration, traced) as run:
            eventually(lambda: _probes(run) >= 2, "two probes")
            service.status = 500
            run.client.get("/api/v1/targets", headers={"traceparent": _TRACEPARENT})
            (delivered,) = eventually(lambda: run.lines("notification delivered"), "a delivery")
            told = delivered["correlation_id"]
            (firing,) = run.lines("alert firing")
            assert firing["correlation_id"] == told
            # On a busy machine a probe may have run out of its time before.
            (down,) = [
                line
                for line in run.lines("target down")
                if line["correlation_id"] == firing["triggered_by"]
            ]
            assert down["reason"] == "status"
            assert [line["correlation_id"] for line in run.lines("notification queued")] == [told]
            (alert,) = run.get("/api/v1/alerts")["items"]
            (message,) = run.get(f"/api/v1/alerts/{alert['fingerprint']}/story")["notifications"]
            assert message["correlation_id"] == told
            assert [attempt["outcome"] for attempt in message["attempts"]] == ["delivered"]
    assert receiver.requests == 1
    assert {"rule group", "flush", "delivery attempt"} <= collector.names(trace_id_of(told))
    assert collector.names(_PARENT) == {"GET /api/v1/targets"}


def test_nothing_is_said_of_what_goes_well(tmp_path: Path) -> None:
    """A tick that changes nothing writes no line; a reload writes one with an id."""
    with listening(Service().answer) as target:
        configuration = _configuration(tmp_path, target)
        with Program(tmp_path, configuration) as run:
            eventually(lambda: _probes(run) >= 3, "three probes")
            run.hang_up()
            (reloaded,) = eventually(lambda: run.lines("configuration reloaded"), "a reload")
            assert reloaded["correlation_id"]
            run.config.write_text("nonsense: [")
            run.hang_up()
            (refused,) = eventually(lambda: run.lines("configuration refused"), "a refusal")
            assert refused["reason"]
        ours = {"serving", "stopping", "stopped", "schema migrated", "request"}
        said = {json.loads(line)["event"] for line in run.text().splitlines()}
        ticks = {event for event in said if "probe" in event or "scrape" in event}
        assert ours <= said
        assert ticks == set()


@pytest.mark.slow
def test_secrets_stay_secret_when_everything_fails(tmp_path: Path) -> None:
    """No log line, answer, metric or shown configuration holds a secret, however things fail."""
    unkind, token = Unkind(), _SECRETS["token"]
    with listening(unkind.answer) as receiver:
        configuration = _with_secrets(tmp_path, receiver)
        with Program(tmp_path, configuration, token=token) as run:
            eventually(lambda: len(unkind.seen) == 7, "every way to fail")
            eventually(lambda: run.lines("notification failed"), "a failure")
            eventually(lambda: _dead(run), "a dead letter")
            run.client.post("/-/reload")
            run.config.write_text(json.dumps({**configuration, "surprise": _SECRETS["bearer"]}))
            run.client.post("/-/reload")
            answers = _everything(run)
            run.config.write_text(json.dumps(configuration))
        shown = subprocess.run(
            [sys.executable, "-m", "controlplane", "check", "config", "--show", str(run.config)],
            capture_output=True,
            text=True,
            check=True,
        )
    places = {**answers, "the log": run.text(), "check config --show": shown.stdout + shown.stderr}
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


def _everything(run: Program) -> Mapping[str, str]:
    """Return every answer that may tell of the configuration or of what failed."""
    fingerprints = [alert["fingerprint"] for alert in run.get("/api/v1/alerts")["items"]]
    ids = [target["id"] for target in run.get("/api/v1/targets")["items"]]
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
    answers = {path: run.client.get(path).text for path in paths}
    refused = run.client.post("/-/reload", headers={"authorization": "Bearer wrong"})
    return {**answers, "a refused reload": refused.text}


def _probes(run: Program) -> float:
    answer = run.get("/prometheus/api/v1/query?query=count_over_time(probe_success[1m])")
    return float(answer["data"]["result"][0]["value"][1]) if answer["data"]["result"] else 0


def _dead(run: Program) -> Any:
    return run.get("/api/v1/dead-letters")["items"]
