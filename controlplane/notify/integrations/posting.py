"""What integrations have in common: options, templates and, to POST, a client of their own."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from hashlib import sha256
from operator import attrgetter
from typing import Generic, TypeVar

import httpx

from controlplane.clock import Duration
from controlplane.errors import Unavailable
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, Call, answer_to
from controlplane.notify.integrations.options import IntegrationConfig
from controlplane.notify.message import Delivery, FailureReason, Notification
from controlplane.notify.rendering import Render, Templates

_Config = TypeVar("_Config", bound=IntegrationConfig)
_Made = TypeVar("_Made")


class Configured(Generic[_Config]):
    """All of an Integration but `send` and `close`; `name` is its kind and place: `webhook/0`."""

    def __init__(self, name: str, config: _Config, templates: Templates) -> None:
        self.name = name
        self._config = config
        self._templates = templates

    async def _made(self, notification: Notification, make: Callable[[Render], _Made]) -> _Made:
        """Return what `make` writes with templates; see Templates.made."""
        return await self._templates.made(notification, make)

    @property
    def send_resolved(self) -> bool:
        return self._config.send_resolved

    @property
    def timeout(self) -> Duration:
        return self._config.timeout


class Posting(Configured[_Config], ABC):
    """All of an Integration but `send`, for those that speak HTTP."""

    def __init__(
        self, name: str, config: _Config, templates: Templates, client: httpx.AsyncClient
    ) -> None:
        super().__init__(name, config, templates)
        self._client = client

    @abstractmethod
    async def send(self, notification: Notification) -> Delivery:
        """Deliver. Raises DeliveryError."""

    async def close(self) -> None:
        """Give up connections."""
        await self._client.aclose()

    async def _post(self, url: str, body: object, notification: Notification) -> Delivery:
        """POST JSON to where any 2xx is a yes. Raises DeliveryError."""
        return await self._call(Call.json("POST", url, body), notification.seconds)

    async def _call(
        self, call: Call, seconds: float, detail: Callable[[Answer], str] = attrgetter("text")
    ) -> Delivery:
        """Make a request to which any 2xx is a yes; `detail` finds the words of another answer.

        Raises DeliveryError.
        """
        answer = await answer_to(self._client, call, seconds=seconds)
        if not 200 <= answer.status_code < 300:
            raise call.refused(answer, detail(answer))
        return Delivery(status_code=answer.status_code)


def reveal(secret: Secret | None, key: str) -> str:
    """Return what a key holds; nothing where it was not given.

    Raises DeliveryError: temporary for a file that cannot be read, else for one that is empty.
    """
    if secret is None:
        return ""
    try:
        text = secret.reveal().strip()
    except Unavailable as error:
        raise DeliveryError(f"{key}: {error}", temporary=True) from None
    if not text:
        raise DeliveryError(f"{key} is empty", reason=FailureReason.CLIENT_ERROR)
    return text


def dedup_key(key: str) -> str:
    """Return the name of the incident: group keys are longer than services allow."""
    return sha256(key.encode()).hexdigest()
