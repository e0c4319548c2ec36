"""A person clicks in Slack: the message says so, PagerDuty hears of it, the story keeps it."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from controlplane.demo.standins import PagerDutyStandIn, SlackStandIn
from controlplane.demo.standins.slack_clicks import Press
from tests.acceptance.house import ROUTING_KEY, configuration
from tests.support.service import Service, eventually, running

_URL = "/api/v1/integrations/slack/interactions"
_ALERTS = "/alertmanager/api/v2/alerts"


def _configuration(slack: SlackStandIn, pagerduty: PagerDutyStandIn) -> dict[str, Any]:
    receiver = {
        "slack_configs": [{"channel": "#alerts", "send_resolved": True}],
        "pagerduty_configs": [
            {
                "routing_key": ROUTING_KEY,
                "url": f"{pagerduty.url}/v2/enqueue",
                "change_events": True,
            }
        ],
    }
    whole = configuration(receiver)
    whole["route"]["group_by"] = ["alertname"]
    whole["global"] |= {
        "slack_app_token": slack.token,
        "slack_app_url": slack.app_url,
        "slack_signing_secret": slack.signing_secret,
    }
    return whole


def _service(
    directory: Path, configuration: dict[str, Any]
) -> AbstractAsyncContextManager[Service]:
    """Give a service that wants a token from everybody else."""
    environment = {"CONTROLPLANE_API_TOKEN": "t0ken"}
    return running(directory, configuration, environment=environment, token="t0ken")


async def _post(service: Service, *instances: str, **fields: str) -> None:
    alerts = [
        {
            "labels": {"alertname": "DiskFull", "instance": instance, "severity": "warning"},
            "annotations": {"summary": f"{instance} is full"},
            **fields,
        }
        for instance in instances
    ]
    (await service.request("POST", _ALERTS, json=alerts)).raise_for_status()


async def _click(service: Service, press: Press) -> int:
    """Send a click as Slack does, without any token of ours; return the status."""
    answer = await service.client.post(
        service.url + _URL, content=press.body, headers=dict(press.headers)
    )
    return answer.status_code


def _shown(slack: SlackStandIn) -> str:
    return str([message.body for message in slack.messages])


async def test_an_acknowledgement_in_slack_reaches_everybody(tmp_path: Path) -> None:
    """Message, PagerDuty and story; a new instance is told all the same; a replay is nothing."""
    async with (
        SlackStandIn() as slack,
        PagerDutyStandIn() as pagerduty,
        _service(tmp_path, _configuration(slack, pagerduty)) as service,
    ):
        await _post(service, "a", "b")
        await slack.wait_for(lambda: bool(slack.messages), 60)
        await pagerduty.wait_for(lambda: bool(pagerduty.incidents), 60)

        async def told() -> bool:
            story = await service.get(f"/api/v1/alerts/{alerts[0]['fingerprint']}/story")
            kinds = [(each["kind"], each["place"]) for each in story["entries"]]
            return kinds.count(("attempt", "oncall/slack/0")) > 0

        alerts = (await service.get("/api/v1/alerts"))["items"]
        await eventually(told, "the message, written down")
        now = (await service.value("vector(time())")) or 0.0
        press = slack.press(slack.messages[0], "acknowledge", user="ada", at=now)
        forged = press.signed("guessed", int(now))
        assert [await _click(service, each) for each in (forged, press)] == [401, 200]

        await slack.wait_for(lambda: "Acknowledged by *slack:ada*" in _shown(slack), 60)
        await pagerduty.wait_for(lambda: pagerduty.incidents[0].acknowledged, 60)
        (silence,) = (await service.get("/api/v1/silences"))["items"]
        assert (silence["created_by"], silence["until_resolved"]) == ("slack:ada", True)

        async def clicked() -> list[dict[str, Any]]:
            story = await service.get(f"/api/v1/alerts/{alerts[0]['fingerprint']}/story")
            return [each for each in story["entries"] if each["kind"] == "clicked"]

        (entry,) = await eventually(clicked, "the click, in the story")
        assert entry["what"].startswith("slack:ada acknowledged it until it has ended")
        assert "DiskFull" in entry["because"]

        await _post(service, "c")
        await slack.wait_for(lambda: "3 firing" in _shown(slack), 60)
        assert "Acknowledged by *slack:ada* (2 of 3)" in _shown(slack)
        replies = slack.messages[0].replies
        await slack.wait_for(lambda: len(replies) == 2, 60)
        assert [reply.body["reply_broadcast"] for reply in replies] == [False, True]

        await service.kill()
        await service.start()
        assert await _click(service, press) == 200
        assert len((await service.get("/api/v1/silences"))["items"]) == 1

        await _post(service, "a", "b", "c", endsAt="2020-01-01T00:00:00Z")
        await pagerduty.wait_for(lambda: not pagerduty.open_incidents(), 60)
        await slack.wait_for(lambda: "3 resolved" in _shown(slack), 60)
        assert "silence_1h" not in _shown(slack)
        assert (len(slack.messages), slack.refused, pagerduty.refused) == (1, [], [])


async def test_clicks_need_no_token_where_there_is_none(tmp_path: Path) -> None:
    """Slack's Host is not localhost, and a form is what it sends: its signature is enough."""
    async with (
        SlackStandIn() as slack,
        PagerDutyStandIn() as pagerduty,
        running(tmp_path, _configuration(slack, pagerduty)) as service,
    ):
        now = (await service.value("vector(time())")) or 0.0
        press = Press.of({"type": "block_actions", "actions": []})
        signed = press.signed(slack.signing_secret, int(now))
        foreign = {"Host": "alerts.example.org", **signed.headers}
        answer = await service.client.post(service.url + _URL, content=press.body, headers=foreign)
        assert answer.status_code == 200
        unsigned = await service.client.post(service.url + _URL, content=press.body)
        assert unsigned.status_code == 401
        malformed = Press(press.payload, b"payload=x").signed(slack.signing_secret, int(now))
        assert await _click(service, malformed) == 422


async def test_a_reload_is_a_change_event(tmp_path: Path) -> None:
    """It names the sections that changed; a file without a change says so."""
    async with (
        SlackStandIn() as slack,
        PagerDutyStandIn() as pagerduty,
        running(tmp_path, _configuration(slack, pagerduty)) as service,
    ):
        changed = _configuration(slack, pagerduty)
        changed["route"]["repeat_interval"] = "2h"
        service.configure(changed)
        (await service.request("POST", "/-/reload")).raise_for_status()
        await pagerduty.wait_for(lambda: bool(pagerduty.changes), 60)
        (event,) = pagerduty.changes
        assert event["payload"]["summary"] == "controlplane: configuration reloaded (route)"
        assert (pagerduty.incidents, pagerduty.refused) == ([], [])
