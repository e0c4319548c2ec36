"""What Discord, Webex and WeChat are sent, beside a real Alertmanager.

The same alerts go through both; a stand-in keeps what each asks the services
for. Limits that 0.25 does not know yet, Discord's, are not reached here.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from tests.conformance.alertmanager.beside import awkward, parts, tell_both
from tests.support.alertmanager import needs_alertmanager
from tests.support.recorder import Request, recorder

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


@needs_alertmanager
async def test_requests_are_those_of_alertmanager(tmp_path: Path) -> None:
    """Default and full configurations ask the services for the same, at the start and the end."""
    async with recorder(answer) as theirs, recorder(answer) as ours:
        await tell_both(
            tmp_path,
            lambda now: awkward(now, "team"),
            theirs=configuration(theirs.url),
            ours=configuration(ours.url),
            done=lambda: min(len(told(each.requests)) for each in (theirs, ours)) >= MESSAGES,
        )
    assert parts(told(ours.requests)) == parts(told(theirs.requests))
    assert len(told(ours.requests)) == MESSAGES
    assert {*map(_secret_of, tokens(ours.requests))} == {*map(_secret_of, tokens(theirs.requests))}


def _secret_of(written: str) -> tuple[str, str]:
    path, query = json.loads(written)
    return path, query["corpsecret"]
