"""From the file's receivers and templates to integrations that can send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.config.config import Config
from controlplane.errors import ConfigError, Problem
from controlplane.notify.integrations.table import Surroundings, build_integrations
from controlplane.notify.ports import Integration
from controlplane.notify.rendering import Templates
from controlplane.templating import TemplateError
from controlplane.transport.http_client import HTTPClients


@dataclass(frozen=True, slots=True)
class Senders:
    """Builds the integrations of a configuration; links in messages begin with the URL."""

    external_url: str
    clients: HTTPClients

    def build(self, config: Config) -> Mapping[str, Sequence[Integration]]:
        """Return the integrations of each receiver. Raises ConfigError for a bad template."""
        try:
            templates = Templates(external_url=self.external_url, files=config.template_texts)
        except TemplateError as error:
            raise ConfigError([Problem(config.path, 1, f"templates: {error}")]) from None
        around = Surroundings(
            templates, self.clients.client, self.clients.connector, self.clients.dial
        )
        return build_integrations(config.receivers, around)
