"""From the file's receivers and templates to integrations that can send."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.clock import Timestamp
from controlplane.config.config import Config
from controlplane.config.document import Context, document
from controlplane.errors import ConfigError, Problem
from controlplane.notify.changes import Change
from controlplane.notify.integrations.table import Surroundings, build_integrations
from controlplane.notify.picture import Picture, no_picture
from controlplane.notify.ports import Integration
from controlplane.notify.reading import Readings, no_readings
from controlplane.notify.rendering import Templates
from controlplane.notify.silenced import SilencedBy
from controlplane.routing.ports import Flush
from controlplane.templating import TemplateError
from controlplane.transport.http_client import HTTPClients


@dataclass(frozen=True, slots=True)
class Senders:
    """Builds the integrations of a configuration; links in messages begin with the URL.

    `silenced_by` tells those that show it who has taken an alert on, `picture`
    what it looks like, and `readings` how bad it is.
    """

    external_url: str
    clients: HTTPClients
    silenced_by: SilencedBy = lambda _labels: ()
    picture: Picture = no_picture
    readings: Readings = no_readings

    def build(self, config: Config) -> Mapping[str, Sequence[Integration]]:
        """Return the integrations of each receiver. Raises ConfigError for a bad template."""
        around = Surroundings(
            self.templates(config),
            self.clients.client,
            self.clients.connector,
            self.clients.dial,
            self.clients.guarded,
            silenced_by=self.silenced_by,
            picture=self.picture,
        )
        return build_integrations(config.receivers, around)

    def templates(self, config: Config) -> Templates:
        """Return what writes messages by a configuration. Raises ConfigError for a bad template."""
        try:
            return Templates(
                external_url=self.external_url,
                files=config.template_texts,
                readings=self.readings,
            )
        except TemplateError as error:
            raise ConfigError([Problem(config.path, 1, f"templates: {error}")]) from None


class WrittenRouteLabels:
    """Writes the labels of routes for those who look at groups, by the templates in force."""

    def __init__(self, senders: Senders, config: Callable[[], Config]) -> None:
        self._senders = senders
        self._config = config
        self._made: tuple[Config, Templates] | None = None

    async def __call__(self, group: Flush) -> Mapping[str, str]:
        """Return the labels of a group's route; a large group is not written on the event loop."""
        if not group.route_labels:
            return {}
        return await asyncio.to_thread(self._templates().route_labels, group)

    def _templates(self) -> Templates:
        config = self._config()
        if self._made is None or self._made[0] is not config:
            self._made = (config, self._senders.templates(config))
        return self._made[1]


def configuration_change(old: Config, new: Config, now: Timestamp) -> Change:
    """Return what receivers of changes are told of a new configuration: its sections, no values.

    A secret that is another one now is not noticed: here all are alike.
    """
    before, after = (document(Context()).show(each) for each in (old, new))
    sections = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if old.groups != new.groups:
        sections.append("rules")
    what = ", ".join(sections) or "no section"
    details = {"sections": what, "digest": new.digest, "digest_before": old.digest}
    return Change(f"controlplane: configuration reloaded ({what})", now, details, id=new.digest)
