"""From the file's receivers and templates to integrations that can send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from controlplane.clock import Timestamp
from controlplane.config.config import Config
from controlplane.errors import ConfigError, Problem
from controlplane.notify.changes import Change
from controlplane.notify.integrations.table import Surroundings, build_integrations
from controlplane.notify.ports import Integration
from controlplane.notify.rendering import Templates
from controlplane.notify.silenced import SilencedBy
from controlplane.templating import TemplateError
from controlplane.transport.http_client import HTTPClients

# What every version of a configuration has for itself.
_PASSING: Final = frozenset({"path", "digest", "files", "template_texts"})


@dataclass(frozen=True, slots=True)
class Senders:
    """Builds the integrations of a configuration; links in messages begin with the URL.

    `silenced_by` tells those that show it who has taken an alert on.
    """

    external_url: str
    clients: HTTPClients
    silenced_by: SilencedBy = lambda _labels: ()

    def build(self, config: Config) -> Mapping[str, Sequence[Integration]]:
        """Return the integrations of each receiver. Raises ConfigError for a bad template."""
        try:
            templates = Templates(external_url=self.external_url, files=config.template_texts)
        except TemplateError as error:
            raise ConfigError([Problem(config.path, 1, f"templates: {error}")]) from None
        around = Surroundings(
            templates,
            self.clients.client,
            self.clients.connector,
            self.clients.dial,
            self.clients.guarded,
            silenced_by=self.silenced_by,
        )
        return build_integrations(config.receivers, around)


def configuration_change(old: Config, new: Config, now: Timestamp) -> Change:
    """Return what receivers of changes are told of a new configuration: its sections, no values."""
    sections = [
        field.name.rstrip("_")
        for field in fields(Config)
        if field.name not in _PASSING and getattr(old, field.name) != getattr(new, field.name)
    ]
    what = ", ".join(sections) or "nothing that counts"
    details = {"sections": what, "digest": new.digest, "digest_before": old.digest}
    return Change(f"controlplane: configuration reloaded ({what})", now, details)
