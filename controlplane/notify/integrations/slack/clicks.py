"""Clicks on our buttons, read from what Slack posts to the interactivity URL."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.notify.integrations.slack.blocks import BUTTONS

_LASTING: Final[Mapping[str, Duration | None]] = {name: lasts for name, _, lasts in BUTTONS}
_MOST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Click:
    """One click: who, on which button of which incident's message, and when.

    `id` is the same for the same click, however often Slack tells of it.
    `lasts` is for how long it silences; None until the alerts have ended.
    """

    id: str
    user: str
    action: str
    incident_id: str
    at: Timestamp
    lasts: Duration | None


def clicks(body: bytes) -> tuple[Click, ...]:
    """Return the clicks on our own buttons that a body tells of; others are none of ours.

    Raises InvalidInput for what Slack does not send.
    """
    payload = _payload(body)
    if payload.get("type") != "block_actions":
        return ()
    user = _mapping(payload.get("user"))
    name = str(user.get("username") or user.get("name") or user.get("id") or "somebody")
    actions = payload.get("actions")
    if not isinstance(actions, list):
        raise InvalidInput("the payload has no actions")
    found = (_mapping(action) for action in actions)
    return tuple(
        _click(action, name[:_MOST_NAME], payload)
        for action in found
        if action.get("action_id") in _LASTING
    )


def _payload(body: bytes) -> Mapping[str, Any]:
    try:
        form = parse_qs(body.decode(), strict_parsing=True, max_num_fields=16)
        payload = json.loads(form["payload"][0])
    except (ValueError, KeyError, RecursionError):
        raise InvalidInput("not a form with a payload of JSON, as Slack sends it") from None
    return _mapping(payload)


def _click(action: Mapping[str, Any], user: str, payload: Mapping[str, Any]) -> Click:
    name, incident, at = str(action["action_id"]), str(action.get("value", "")), _time(action)
    team = _mapping(payload.get("user")).get("id", "")
    told = "\n".join((name, incident, str(team), str(action.get("action_ts", ""))))
    return Click(
        id=sha256(told.encode()).hexdigest()[:32],
        user=user,
        action=name,
        incident_id=incident,
        at=at,
        lasts=_LASTING[name],
    )


def _time(action: Mapping[str, Any]) -> Timestamp:
    """Return when the button was clicked, by Slack's clock."""
    try:
        seconds = Decimal(str(action.get("action_ts", "")))
        if not 0 < seconds < 100_000_000_000:
            raise InvalidInput("the click has no time")
        return int(seconds * 1000)
    except InvalidOperation:
        raise InvalidInput("the click has no time") from None


def _mapping(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("the payload is not as Slack sends it")
    return value
