"""Opsgenie alerts, within Opsgenie's limits."""

from collections.abc import Iterator
from typing import Any, Final

from controlplane.notify.integrations.opsgenie.options import OpsgenieConfig, OpsgenieResponder
from controlplane.notify.integrations.posting import dedup_key
from controlplane.notify.message import Notification
from controlplane.notify.rendering import Render, Templates, truncate

MAX_MESSAGE: Final = 130


def alert(
    notification: Notification, config: OpsgenieConfig, templates: Templates, render: Render
) -> dict[str, Any]:
    """Return the body that creates an alert, or counts once more where its alias is open."""
    shared = templates.data(notification).common_labels
    optional = {
        "description": render(config.description),
        "responders": [who for each in config.responders for who in _responders(each, render)],
        "tags": _separate(render(config.tags)),
        "note": render(config.note),
        "priority": render(config.priority),
        "entity": render(config.entity),
        "actions": _separate(render(config.actions)),
    }
    return {
        "alias": dedup_key(notification.key),
        "message": truncate(render(config.message), MAX_MESSAGE),
        "details": {**shared, **{name: render(text) for name, text in config.details.items()}},
        "source": render(config.source),
        **{name: value for name, value in optional.items() if value},
    }


def _responders(responder: OpsgenieResponder, render: Render) -> Iterator[dict[str, str]]:
    """Iterate over whom an entry names: nobody, when its templates come to nothing."""
    who = {
        "id": render(responder.id),
        "name": render(responder.name),
        "username": render(responder.username),
        "type": render(responder.type).lower(),
    }
    given = {name: text for name, text in who.items() if text}
    if given.get("type") == "teams":
        yield from ({"name": team, "type": "team"} for team in _separate(who["name"]))
    elif given:
        yield {"type": "", **given}


def _separate(text: str) -> list[str]:
    return [part for part in text.strip().split(",") if part]
