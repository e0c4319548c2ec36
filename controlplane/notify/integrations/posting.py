"""What integrations that POST have in common: options, templates, a client of their own."""

from typing import Generic, TypeVar

import httpx

from controlplane.clock import Duration
from controlplane.notify.options import IntegrationConfig
from controlplane.notify.rendering import Templates

_Config = TypeVar("_Config", bound=IntegrationConfig)


class Posting(Generic[_Config]):
    """All of an Integration but `send`; `name` is its kind and place, such as `webhook/0`."""

    def __init__(
        self, name: str, config: _Config, templates: Templates, client: httpx.AsyncClient
    ) -> None:
        self.name = name
        self._config = config
        self._templates = templates
        self._client = client

    @property
    def send_resolved(self) -> bool:
        return self._config.send_resolved

    @property
    def timeout(self) -> Duration:
        return self._config.timeout

    async def close(self) -> None:
        """Give up connections."""
        await self._client.aclose()
