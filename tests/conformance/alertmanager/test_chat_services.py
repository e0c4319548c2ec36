"""What Discord, Webex and WeChat are sent, beside a real Alertmanager.

The same alerts go through both; a stand-in keeps what each asks the services
for. Limits that 0.25 does not know yet, Discord's, are not reached here.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

from controlplane.config.loader import load
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from tests.conformance.test_alertmanager_payload import post
from tests.support.alerting import EXTERNAL_URL, alerting
from tests.support.alertmanager import alertmanager, needs_alertmanager
from tests.support.outbound import surroundings
from tests.support.recorder import Request, recorder

SECONDS: Final = 40
DISCORD: Final = {
    "title": "{{ .Status }} {{ .GroupLabels.alertname }}",
    "message": "{{ range .Alerts }}{{ .Annotations.summary }} <&> {{ end }}",
}
WEBEX: Final = {
    "room_id": "room/2",
    "message": "{{ .Status }} {{ range .Alerts }}{{ .Labels.instance }}"
    + "é" * 9
    + "m" * 9_000
    + "{{ end }}",
}
WECHAT: Final = {
    "api_secret": "{{ .Receiver }}",
    "corp_id": "corp {{ .Status }}",
    "message": "{{ .Status }} **{{ len .Alerts }}** {{ .CommonAnnotations.summary }}",
    "message_type": "markdown",
    "to_user": "{{ .CommonLabels.team }}|b",
    "to_party": "1",
    "to_tag": "t",
    "agent_id": "1000002",
}


def answer(request: Request) -> web.Response:
    """Say what each of the services says when it has taken a message."""
    token = {"access_token": f"for {request.query.get('corpid')}"}
    return web.json_response({"errcode": 0, "errmsg": "ok", "code": 0, **token})


def configuration(base: str) -> dict[str, Any]:
    """Return the file for both programs: one receiver with the defaults, one with all keys."""
    bot = {"authorization": {"credentials": "webex-token"}}
    return {
        "global": {
            "wechat_api_url": f"{base}/global/wechat/",
            "wechat_api_secret": "global-secret",
            "wechat_api_corp_id": "global-corp",
            "webex_api_url": f"{base}/global/webex",
        },
        "route": {
            "receiver": "plain",
            "group_by": ["alertname"],
            "group_wait": "1s",
            "group_interval": "1s",
            "routes": [{"matchers": ['whole="yes"'], "receiver": "whole & all"}],
        },
        "receivers": [
            {
                "name": "plain",
                "discord_configs": [{"webhook_url": f"{base}/discord?wait=true"}],
                "webex_configs": [{"room_id": "room", "http_config": bot}],
                "wechat_configs": [{"send_resolved": True}],
            },
            {
                "name": "whole & all",
                "discord_configs": [{"webhook_url": f"{base}/discord/2", **DISCORD}],
                "webex_configs": [{"api_url": f"{base}/webex", "http_config": bot, **WEBEX}],
                "wechat_configs": [{"send_resolved": True, "api_url": f"{base}/wechat/", **WECHAT}],
            },
        ],
    }


def alerts(now: int) -> list[Alert]:
    """Return groups with some that fire and some that end soon, with awkward texts."""
    sets: list[tuple[dict[str, str], bool]] = [
        ({"alertname": "Slow", "instance": "a", "job": "x <&>"}, True),
        ({"alertname": "Slow", "instance": "b", "job": "x <&>"}, False),
        ({"alertname": "Down", "severity": "critical"}, True),
        ({"alertname": "Slow", "instance": "c", "team": "x/y?z", "whole": "yes"}, True),
        ({"alertname": "Broken", "instance": "d", "team": "é☃", "whole": "yes"}, True),
    ]
    return [
        Alert(
            Labels(labels),
            starts_at=now - place,
            ends_at=now + (3_000 if ends else 3_600_000),
            updated_at=now,
            annotations=Labels({"summary": f"'{place}' <is> \"slow\" & ü+"} if place < 4 else {}),
            generator_url=f"http://prometheus/graph?g0.expr={place}&x=<>",
        )
        for place, (labels, ends) in enumerate(sets)
    ]


def told(requests: Iterable[Request]) -> list[str]:
    """Return what was sent, each once, in an order of its own; who asks for tokens when, is not."""
    return sorted(
        {json.dumps(_plain(each), sort_keys=True) for each in requests if each.method == "POST"}
    )


def tokens(requests: Iterable[Request]) -> set[str]:
    """Return with what tokens were asked for."""
    return {
        json.dumps([each.path, dict(each.query)], sort_keys=True)
        for each in requests
        if each.method == "GET"
    }


def _plain(request: Request) -> Mapping[str, Any]:
    return {
        "path": request.path,
        # A token is kept: whose it is depends on which group was told first.
        "query": sorted(request.query),
        "authorization": request.headers.get("Authorization", ""),
        "body": request.body,
    }


# Two groups at each receiver, each told of twice.
MESSAGES: Final = 2 * 2 * 2 * 3


def parts(written: Sequence[str]) -> list[Any]:
    return [json.loads(each) for each in written]


@needs_alertmanager
async def test_requests_are_those_of_alertmanager(tmp_path: Path) -> None:
    """Default and full configurations ask the services for the same, at the start and the end."""
    async with recorder(answer) as theirs, recorder(answer) as ours:
        file = tmp_path / "ours.yml"
        file.write_text(yaml.safe_dump(configuration(ours.url)))
        config = load(file)
        flag = f"--web.external-url={EXTERNAL_URL}"
        async with (
            alertmanager(tmp_path, configuration(theirs.url), flag) as url,
            surroundings() as around,
            alerting(tmp_path, config.route, config.receivers, around=around) as system,
        ):
            given = alerts(system.clock.now())
            await asyncio.gather(post(url, given), system.alerts.put(given))
            with suppress(TimeoutError):  # what is missing is told below
                async with asyncio.timeout(SECONDS):
                    while min(len(told(each.requests)) for each in (theirs, ours)) < MESSAGES:
                        await system.clock.sleep(0.2)
    assert parts(told(ours.requests)) == parts(told(theirs.requests))
    assert len(told(ours.requests)) == MESSAGES
    assert {*map(_secret_of, tokens(ours.requests))} == {*map(_secret_of, tokens(theirs.requests))}


def _secret_of(written: str) -> tuple[str, str]:
    path, query = json.loads(written)
    return path, query["corpsecret"]
