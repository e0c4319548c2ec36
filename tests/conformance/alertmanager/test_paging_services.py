"""What Opsgenie, VictorOps, Pushover and Telegram are sent, beside a real Alertmanager.

The same alerts go through both; a stand-in keeps what each asks the services
for. Pushover has one address, and no key to change it: both are led to the
stand-in by a proxy, and trust its certificate by `tls_config`.
"""

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trustme
from aiohttp import web

from tests.conformance.alertmanager.beside import awkward, parts, tell_both
from tests.support.alertmanager import needs_alertmanager
from tests.support.proxies import connect_proxy
from tests.support.recorder import Recorder, Request, recorder

OPSGENIE: Final = {
    "api_key": "{{ .Status }}-key",
    "message": "{{ .CommonLabels.alertname }} " + "é" * 140,
    "description": "{{ range .Alerts }}{{ .Labels.instance }} {{ end }}",
    "source": "here",
    "details": {"job": "mine", "count": "{{ len .Alerts }}"},
    "entity": "{{ .GroupLabels.alertname }}",
    "responders": [
        {"name": "{{ .GroupLabels.alertname }},b", "type": "teams"},
        {"username": "u@example.org", "type": "user"},
        {"id": "{{ .CommonLabels.nothing }}", "type": '{{ if eq "a" "b" }}team{{ end }}'},
        {"id": "1", "type": "schedule"},
    ],
    "actions": "Restart, Look",
    "tags": " one,,two,{{ .CommonLabels.job }}",
    "note": "a note",
    "priority": "P{{ if eq .Status `firing` }}1{{ else }}5{{ end }}",
    "update_alerts": True,
}
VICTOROPS: Final = {
    "api_key": "0a1b",
    "routing_key": "team {{ .CommonLabels.job }}",
    "message_type": "{{ if eq .GroupLabels.alertname `Slow` }}WARNING{{ else }}loud{{ end }}",
    "state_message": "{{ range .Alerts }}" + "ß" * 21_000 + "{{ end }}",
    "entity_display_name": "{{ .GroupLabels.alertname }}",
    "monitoring_tool": "tool",
    "custom_fields": {"who": "{{ .Receiver }}", "n": "{{ len .Alerts }}"},
}
PUSHOVER: Final = {
    "token": "{{ .Receiver }}-token",
    "user_key": "user",
    "title": "{{ .Status }}" + "t" * 300,
    "message": "<b>{{ range .Alerts }}{{ .Annotations.summary }} 1+1{{ end }}</b>",
    "url": "http://x/" + "u" * 600,
    "url_title": "look {{ .Status }}",
    "sound": "siren",
    "priority": "1",
    "retry": "90s",
    "expire": "2h30m",
    "html": True,
}
TELEGRAM: Final = {
    "bot_token": "12:abc",
    "chat_id": -1001234567890,
    "message": "*{{ .Status }}* {{ range .Alerts }}{{ .Annotations.summary }}{{ end }}"
    + "x" * 5_000,
    "parse_mode": "MarkdownV2",
    "disable_notifications": True,
}


def answer(request: Request) -> web.Response:
    """Say what each of the services says when it has taken a message."""
    if request.path.endswith("/sendMessage"):
        sent = {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "group"}, "text": "x"}
        return web.json_response({"ok": True, "result": sent})
    taken = {"status": 1, "result": "ok", "message": "ok", "took": 0.1, "requestId": "1"}
    return web.json_response(taken, status=202 if "/v2/alerts" in request.path else 200)


@dataclass(frozen=True, slots=True)
class Services:
    """The stand-ins that one of the two programs speaks to."""

    plain: Recorder
    secure: Recorder
    proxy: str
    ca: Path

    def requests(self) -> list[Request]:
        return [*self.plain.requests, *self.secure.requests]

    def configuration(self) -> dict[str, Any]:
        """Return the file for both programs: one receiver with the defaults, one with all keys."""
        base = self.plain.url
        led = {"http_config": {"proxy_url": self.proxy, "tls_config": {"ca_file": str(self.ca)}}}
        return {
            "global": {
                "opsgenie_api_url": f"{base}/opsgenie",
                "opsgenie_api_key": "global-key",
                "victorops_api_url": f"{base}/victorops/alert/?from=here",
                "victorops_api_key": "global-vo-key",
                "telegram_api_url": f"{base}/telegram",
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
                    "opsgenie_configs": [{"api_url": f"{base}/opsgenie/?a=b"}],
                    "victorops_configs": [{"routing_key": "ops"}],
                    "pushover_configs": [{"token": "t", "user_key": "u", **led}],
                    "telegram_configs": [{"bot_token": "34:def", "chat_id": 7}],
                },
                {
                    "name": "whole & all",
                    "opsgenie_configs": [OPSGENIE],
                    "victorops_configs": [VICTOROPS],
                    "pushover_configs": [{**PUSHOVER, **led}],
                    "telegram_configs": [TELEGRAM],
                },
            ],
        }


def told(requests: Iterable[Request]) -> list[str]:
    """Return what was asked for, each once, in an order of its own."""
    return sorted({json.dumps(_plain(each), sort_keys=True) for each in requests})


def _plain(request: Request) -> Mapping[str, Any]:
    """Return what a service looks at. Pushover takes its fields from the URL or from a form."""
    query: dict[str, str] = dict(request.query)
    body = request.body
    if request.path == "/1/messages.json":
        query |= body or {}
        query.pop("device", "")  # empty, and not in 0.25
        body = ""
    return {
        "method": request.method,
        "path": request.path,
        "query": query,
        "authorization": request.headers.get("Authorization", ""),
        "body": body,
    }


# Two groups at each receiver; each is told twice. Opsgenie's texts are written anew besides.
MESSAGES: Final = 2 * 2 * 2 * 4 + 2 * 2


def arrived(services: Services) -> bool:
    return len(told(services.requests())) >= MESSAGES


@needs_alertmanager
async def test_requests_are_those_of_alertmanager(tmp_path: Path) -> None:
    """Default and full configurations ask the services for the same, at the start and the end."""
    (tmp_path / "hosts").write_text("127.0.0.1 api.pushover.net\n")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.pushover.net").configure_cert(context)
    async with (
        recorder(answer) as plain_theirs,
        recorder(answer, context=context) as secure_theirs,
        recorder(answer) as plain_ours,
        recorder(answer, context=context) as secure_ours,
        connect_proxy(secure_theirs.port) as proxy_theirs,
        connect_proxy(secure_ours.port) as proxy_ours,
    ):
        theirs, ours = (
            Services(plain, secure, f"http://127.0.0.1:{proxy.port}", tmp_path / "ca.pem")
            for plain, secure, proxy in (
                (plain_theirs, secure_theirs, proxy_theirs),
                (plain_ours, secure_ours, proxy_ours),
            )
        )
        await tell_both(
            tmp_path,
            lambda now: awkward(now, "job"),
            theirs=theirs.configuration(),
            ours=ours.configuration(),
            done=lambda: arrived(theirs) and arrived(ours),
            hosts=str(tmp_path / "hosts"),
        )
    assert parts(told(ours.requests())) == parts(told(theirs.requests()))
    assert len(told(ours.requests())) == MESSAGES
