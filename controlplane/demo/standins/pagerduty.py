"""A stand-in for PagerDuty's Events API v2."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from controlplane.demo.standins.checks import Problems
from controlplane.demo.standins.received import Action, Received
from controlplane.demo.standins.server import OnMessage, Reply, StandIn

LARGEST_EVENT: Final = 512_000
_ROUTING_KEY: Final = re.compile(r"[0-9a-zA-Z]{32}\Z")
_EVENT: Final = ("routing_key", "event_action", "dedup_key", "payload", "images", "links")
_CLIENT: Final = ("client", "client_url")
_PAYLOAD: Final = ("summary", "source", "severity", "timestamp", "component", "group", "class")
_DETAILS: Final = ("custom_details",)
_ACTIONS: Final = {
    "trigger": Action.TRIGGERED,
    "acknowledge": Action.ACKNOWLEDGED,
    "resolve": Action.RESOLVED,
}


@dataclass(slots=True)
class Incident:
    """One incident, from the trigger that opened it to the resolve that closed it."""

    routing_key: str
    dedup_key: str
    summary: str
    triggers: int = 1
    acknowledged: bool = False
    resolved: bool = False


class PagerDutyStandIn(StandIn):
    """`POST /v2/enqueue` and `/v2/change/enqueue`.

    `incidents` holds all of them in the order in which they were opened;
    `dropped` counts resolves and acknowledgements of nothing open, which
    PagerDuty ignores without a word. With `routing_keys` only those are known.
    """

    def __init__(
        self, *, routing_keys: frozenset[str] | None = None, on_message: OnMessage | None = None
    ) -> None:
        super().__init__(on_message=on_message)
        self.incidents: list[Incident] = []
        self.changes: list[Mapping[str, Any]] = []
        self.dropped = 0
        self._routing_keys = routing_keys

    def open_incidents(self) -> list[Incident]:
        """Return the incidents that somebody would still be paged for."""
        return [incident for incident in self.incidents if not incident.resolved]

    def opened(self, dedup_key: str) -> int:
        """Return how many incidents a key has opened."""
        return sum(incident.dedup_key == dedup_key for incident in self.incidents)

    async def obey(self, request: web.Request) -> Reply:
        """Take an event as PagerDuty does: 202, or 400 with all that is wrong with it."""
        raw = await request.read()
        if request.method != "POST" or request.path not in ("/v2/enqueue", "/v2/change/enqueue"):
            return self._refuse(404, "Not Found", [f"no {request.method} {request.path}"])
        if len(raw) > LARGEST_EVENT:
            return self._refuse(413, "Event is too large", [f"the body has {len(raw)} bytes"])
        try:
            event = json.loads(raw)
        except ValueError:
            return self._refuse(400, "Event object is invalid", ["the body is not JSON"])
        if not isinstance(event, dict):
            return self._refuse(400, "Event object is invalid", ["the body is not an object"])
        change = request.path.startswith("/v2/change")
        problems = _change_problems(event) if change else _event_problems(event)
        self._check_key(event, problems)
        if problems.found:
            return self._refuse(400, "Event object is invalid", problems.found)
        return self._change(event) if change else self._enqueue(event)

    def _check_key(self, event: Mapping[str, Any], problems: Problems) -> None:
        key = event.get("routing_key")
        if not isinstance(key, str) or not _ROUTING_KEY.match(key):
            problems.add("'routing_key' is not a string of 32 characters")
        elif self._routing_keys is not None and key not in self._routing_keys:
            problems.add("'routing_key' belongs to no service")

    def _enqueue(self, event: Mapping[str, Any]) -> Reply:
        action, key = event["event_action"], event.get("dedup_key") or uuid4().hex
        current = next(
            (
                incident
                for incident in self.open_incidents()
                if (incident.routing_key, incident.dedup_key) == (event["routing_key"], key)
            ),
            None,
        )
        if action == "trigger":
            self._trigger(current, event, key)
        elif current is None:
            self.dropped += 1
        elif action == "acknowledge":
            current.acknowledged = True
        else:
            current.resolved = True
        self.accept(Received("pagerduty", _ACTIONS[action], key[:12], event))
        body = {"status": "success", "message": "Event processed", "dedup_key": key}
        return Reply(202, body)

    def _trigger(self, current: Incident | None, event: Mapping[str, Any], key: str) -> None:
        summary = event["payload"]["summary"]
        if current is None:
            self.incidents.append(Incident(event["routing_key"], key, summary))
        else:
            current.triggers += 1
            current.summary = summary

    def _change(self, event: Mapping[str, Any]) -> Reply:
        self.changes.append(event)
        self.accept(Received("pagerduty", Action.CHANGED, event["payload"]["summary"], event))
        return Reply(202, {"status": "success", "message": "Change event processed"})

    def _refuse(self, status: int, message: str, errors: list[str]) -> Reply:
        self.refused += errors
        return Reply(status, {"status": "invalid event", "message": message, "errors": errors})


def _event_problems(event: Mapping[str, Any]) -> Problems:
    problems = Problems()
    problems.known(event, (*_EVENT, *_CLIENT))
    problems.one_of(event.get("event_action"), _ACTIONS, "event_action")
    triggering = event.get("event_action") == "trigger"
    problems.text(event, "dedup_key", most=255, required=not triggering)
    problems.text(event, "client", most=1_024)
    problems.url(event, "client_url")
    _check_extras(event, problems)
    payload = event.get("payload")
    if payload is None and not triggering:
        return problems
    if not isinstance(payload, dict):
        problems.add("'payload' is missing or not an object")
        return problems
    problems.known(payload, (*_PAYLOAD, *_DETAILS))
    problems.text(payload, "summary", most=1_024, required=True)
    problems.text(payload, "source", most=1_024, required=True)
    severities = ("critical", "error", "warning", "info")
    problems.one_of(payload.get("severity"), severities, "severity")
    problems.time(payload, "timestamp")
    for name in ("component", "group", "class"):
        problems.text(payload, name, most=1_024)
    return problems


def _change_problems(event: Mapping[str, Any]) -> Problems:
    problems = Problems()
    problems.known(event, ("routing_key", "payload", "links", "images"))
    if str(event.get("routing_key", "")).startswith("R"):
        problems.add("'routing_key' is that of a ruleset, which takes no change events")
    _check_extras(event, problems)
    payload = event.get("payload")
    if not isinstance(payload, dict):
        problems.add("'payload' is missing or not an object")
        return problems
    problems.known(payload, ("summary", "source", "timestamp", "custom_details"))
    problems.text(payload, "summary", most=1_024, required=True)
    problems.text(payload, "source", most=1_024)
    problems.time(payload, "timestamp")
    return problems


def _check_extras(event: Mapping[str, Any], problems: Problems) -> None:
    for link in problems.objects(event, "links", most=100):
        problems.known(link, ("href", "text"))
        problems.url(link, "href", required=True)
        problems.text(link, "text", most=1_024)
    for image in problems.objects(event, "images", most=100):
        problems.known(image, ("src", "href", "alt"))
        problems.url(image, "src", required=True)
        problems.url(image, "href")
        if not str(image.get("src", "")).startswith("https://"):
            problems.add("'src' of an image must be https")
