"""From the file's receivers and templates to integrations that can send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
        files = [(path, _read(path)) for path in config.templates]
        try:
            templates = Templates(external_url=self.external_url, files=files)
        except TemplateError as error:
            raise ConfigError([Problem(config.path, 1, f"templates: {error}")]) from None
        around = Surroundings(templates, self.clients.client, self.clients.connector)
        return build_integrations(config.receivers, around)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(path, 1, f"cannot be read: {error}")]) from None
