"""Opsgenie, VictorOps, Pushover or Telegram, sending to a real server on loopback."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx
from aiohttp import web

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.opsgenie.client import Opsgenie
from controlplane.notify.integrations.opsgenie.options import OpsgenieConfig
from controlplane.notify.integrations.pushover.client import Pushover
from controlplane.notify.integrations.pushover.options import PushoverConfig
from controlplane.notify.integrations.telegram.client import Telegram
from controlplane.notify.integrations.telegram.options import TelegramConfig
from controlplane.notify.integrations.victorops.client import Victorops
from controlplane.notify.integrations.victorops.options import VictoropsConfig
from controlplane.notify.message import Content, Notification
from controlplane.notify.ports import Integration
from controlplane.notify.rendering import Templates
from tests.support.recorder import Request, recorder

NOW = 1_700_000_000_000
TEMPLATES = Templates(external_url="http://cp")
KEY = "0123-hunter2-4567"
KINDS = ("opsgenie", "victorops", "pushover", "telegram")
ALIAS = sha256(b"{}:{}").hexdigest()


def notification(*, ends_at: int = NOW + 1, **labels: str) -> Notification:
    alert = Alert(
        Labels({"alertname": "Down", "instance": "db1"} | labels),
        NOW - 90_000,
        ends_at,
        NOW,
        annotations=Labels({"summary": "shop <b>is</b> down"}),
    )
    content = Content("{}:{}", Labels(), Reason.FIRST, (alert,), NOW)
    return Notification("ops", "x/0", "{}:{}", content, seconds=5.0)


FIRING, RESOLVED = notification(), notification(ends_at=NOW - 1)


class Led(httpx.AsyncHTTPTransport):
    """Leads every request to one server, whatever host it names."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._to = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        to = self._to
        request.url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)
        return await super().handle_async_request(request)


def integration(kind: str, at: str, /, secret: Secret | None = None, **keys: Any) -> Integration:
    """Return one of a kind whose service stands at an address."""
    client = httpx.AsyncClient(transport=Led(at), trust_env=False)
    name, key = f"{kind}/0", secret or Secret(KEY)
    match kind:
        case "opsgenie":
            return Opsgenie(name, OpsgenieConfig(key, api_url=at, **keys), TEMPLATES, client)
        case "victorops":
            usual: dict[str, Any] = {"routing_key": "ops", "api_url": at}
            return Victorops(name, VictoropsConfig(key, **usual | keys), TEMPLATES, client)
        case "pushover":
            return Pushover(
                name, PushoverConfig(Secret("user-4711"), key, **keys), TEMPLATES, client
            )
    usual = {"chat_id": -100, "api_url": at}
    return Telegram(name, TelegramConfig(key, **usual | keys), TEMPLATES, client)


def yes(request: Request) -> web.Response:
    """Say what each service says when it has taken a message."""
    return web.json_response({"ok": True, "status": 1, "result": {}})


def says(status: int, body: str = "", **headers: str) -> Callable[[Request], web.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: web.Response(status=status, text=body, headers=named)


@dataclass
class Sent:
    """What came of sending: the requests, or an error."""

    requests: list[Request]
    error: DeliveryError | None = None
    status_code: int | None = None

    @property
    def failure(self) -> DeliveryError:
        assert self.error is not None
        return self.error

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        return [request.body for request in self.requests]


async def send(
    kind: str,
    *notifications: Notification,
    answers: Callable[[Request], web.Response] = yes,
    **keys: Any,
) -> Sent:
    """Send notifications by one integration to a server that gives these answers."""
    async with recorder(answers) as service:
        made = integration(kind, service.url, **keys)
        try:
            for each in notifications or (FIRING,):
                delivery = await made.send(each)
        except DeliveryError as error:
            return Sent(service.requests, error)
        finally:
            await made.close()
        return Sent(service.requests, status_code=delivery.status_code)
