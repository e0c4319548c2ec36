"""What integrations have in common: options, templates and, to POST, a client of their own."""

from hashlib import sha256
from typing import Generic, TypeVar

import httpx

from controlplane.clock import Duration
from controlplane.notify.integrations.options import IntegrationConfig
from controlplane.notify.rendering import Templates

_Config = TypeVar("_Config", bound=IntegrationConfig)


class Configured(Generic[_Config]):
    """All of an Integration but `send` and `close`; `name` is its kind and place: `webhook/0`."""

    def __init__(self, name: str, config: _Config, templates: Templates) -> None:
        self.name = name
        self._config = config
        self._templates = templates

    @property
    def send_resolved(self) -> bool:
        return self._config.send_resolved

    @property
    def timeout(self) -> Duration:
        return self._config.timeout


class Posting(Configured[_Config]):
    """All of an Integration but `send`, for those that speak HTTP."""

    def __init__(
        self, name: str, config: _Config, templates: Templates, client: httpx.AsyncClient
    ) -> None:
        super().__init__(name, config, templates)
        self._client = client

    async def close(self) -> None:
        """Give up connections."""
        await self._client.aclose()


def dedup_key(key: str) -> str:
    """Return the name of the incident: group keys are longer than services allow."""
    return sha256(key.encode()).hexdigest()
