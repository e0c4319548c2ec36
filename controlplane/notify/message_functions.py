"""What templates may call besides Alertmanager's functions: where to look, and how bad it is.

`storyURL` and `graphURL` take an alert, `silenceURL` labels, `alertsURL`
nothing; `reading` gives what an alert stands at in words, or nothing where
that is not known; `picture` the picture that a mail brings along.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model import links
from controlplane.model.alert import AlertStatus
from controlplane.model.labels import Labels
from controlplane.notify.reading import Reading, Readings
from controlplane.notify.route_labels import RouteLabel
from controlplane.templating import ALERTMANAGER_FUNCTIONS, alertmanager_functions
from controlplane.templating.data import KV, Alert
from controlplane.templating.errors import FunctionError
from controlplane.templating.values import ANY, Function

MESSAGE_FUNCTIONS: Final = ALERTMANAGER_FUNCTIONS | {
    "alertsURL",
    "graphURL",
    "picture",
    "reading",
    "silenceURL",
    "storyURL",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that stands in the message under an id."""

    id: str
    width: int
    height: int
    words: str


def message_functions(
    at: Timestamp,
    external_url: str,
    readings: Readings,
    picture: Shown | None = None,
    *,
    route_label: RouteLabel = lambda _name: "",
) -> Mapping[str, Function]:
    """Return all functions for the templates of one message, as of `at`."""
    ours = _Functions(at, external_url, readings, picture)
    return {
        **alertmanager_functions(at, route_label),
        "alertsURL": Function(lambda: links.alerts(external_url)),
        "graphURL": Function(ours.graph_url, (ANY,)),
        "picture": Function(ours.shown),
        "reading": Function(ours.reading, (ANY,)),
        "silenceURL": Function(ours.silence_url, (ANY,)),
        "storyURL": Function(ours.story_url, (ANY,)),
    }


@dataclass(frozen=True, slots=True)
class _Functions:
    at: Timestamp
    external_url: str
    readings: Readings
    picture: Shown | None
    read: dict[str, Mapping[Labels, Reading]] = field(default_factory=dict)

    def story_url(self, alert: object) -> str:
        return links.story(self.external_url, _alert(alert, "storyURL").fingerprint)

    def graph_url(self, alert: object) -> str:
        """Lead to our page at the moment of the message, or to whoever raised the alert."""
        url = _alert(alert, "graphURL").generator_url
        expr = links.expression(self.external_url, url)
        return links.graph(self.external_url, expr, self.at) if expr else url

    def silence_url(self, labels: object) -> str:
        if not isinstance(labels, KV):
            raise FunctionError("silenceURL takes labels")
        return links.silence(self.external_url, labels)

    def reading(self, alert: object) -> str:
        about = _alert(alert, "reading")
        if about.status is not AlertStatus.FIRING:
            return ""
        name = about.labels.get("alertname", "")
        if name not in self.read:
            self.read[name] = self.readings(name)
        found = self.read[name].get(Labels(about.labels))
        return "" if found is None else str(found)

    def shown(self) -> dict[str, object] | None:
        if self.picture is None:
            return None
        shown = self.picture
        return {"id": shown.id, "width": shown.width, "height": shown.height, "words": shown.words}


def _alert(value: object, function: str) -> Alert:
    if not isinstance(value, Alert):
        raise FunctionError(f"{function} takes an alert")
    return value
