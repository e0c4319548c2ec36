"""A stand-in for a receiver of Alertmanager's webhooks."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from controlplane.demo.standins.checks import Problems
from controlplane.demo.standins.received import Action, Received
from controlplane.demo.standins.server import Reply, StandIn

_TEXTS: Final = ("receiver", "status", "externalURL", "version", "groupKey")
_SETS: Final = ("groupLabels", "commonLabels", "commonAnnotations")
_NEWER: Final = ("notification_reason", "routeLabels")
_ALERT: Final = ("status", "labels", "annotations", "startsAt", "endsAt", "generatorURL")


class WebhookStandIn(StandIn):
    """Takes POSTs at any path and answers 200.

    With `strict` the body must be a version 4 payload, complete and without
    unknown fields. `payloads` holds the bodies.
    """

    def __init__(self, *, strict: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.payloads: list[Any] = []
        self.headers: list[Mapping[str, str]] = []
        self._strict = strict

    async def obey(self, request: web.Request) -> Reply:
        """Take a payload: 200, or 400 with all that is wrong with it."""
        raw = await request.read()
        if request.method != "POST":
            return self._refuse(405, [f"{request.method} is not POST"])
        try:
            payload = json.loads(raw)
        except ValueError:
            return self._refuse(400, ["the body is not JSON"])
        problems = _problems(payload) if self._strict else Problems()
        if self._strict and request.content_type != "application/json":
            problems.add(f"the content type is {request.content_type}")
        if problems.found:
            return self._refuse(400, problems.found)
        self.payloads.append(payload)
        self.headers.append(dict(request.headers))
        body = payload if isinstance(payload, dict) else {}
        self.accept(Received("webhook", Action.RECEIVED, request.path, body))
        return Reply(200, "")

    def _refuse(self, status: int, problems: list[str]) -> Reply:
        self.refused += problems
        return Reply(status, "; ".join(problems))


def _problems(payload: Any) -> Problems:
    problems = Problems()
    if not isinstance(payload, dict):
        problems.add("the body is not an object")
        return problems
    problems.known(payload, (*_TEXTS, *_SETS, *_NEWER, "alerts", "truncatedAlerts"))
    for name in _TEXTS:
        problems.text(payload, name, most=65_536, required=True)
    if payload.get("version") != "4":
        problems.add("'version' is not \"4\"")
    for name in _SETS:
        _check_set(payload, name, problems)
    if not isinstance(payload.get("truncatedAlerts"), int):
        problems.add("'truncatedAlerts' is not a number")
    problems.one_of(payload.get("status"), ("firing", "resolved"), "status")
    for alert in problems.objects(payload, "alerts", most=1_000_000):
        problems.known(alert, (*_ALERT, "fingerprint"))
        problems.one_of(alert.get("status"), ("firing", "resolved"), "status")
        _check_set(alert, "labels", problems)
        _check_set(alert, "annotations", problems)
        problems.time(alert, "startsAt")
        problems.time(alert, "endsAt")
        problems.text(alert, "fingerprint", most=16, required=True)
    return problems


def _check_set(holder: Mapping[str, Any], name: str, problems: Problems) -> None:
    value = holder.get(name)
    texts = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    if not texts:
        problems.add(f"'{name}' is not a set of labels")
