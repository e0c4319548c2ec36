"""The one client of Redis: short time-outs, no retries, and whether it answers.

Nothing waits for Redis for long: what it knows is of now, and the next look is
a second away. So a command has a second, and whoever asked decides what its
absence means.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from controlplane.clock import Clock
from controlplane.cluster.ending import end_if_cancelled
from controlplane.cluster.metrics import RedisMetrics
from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.secret import Secret
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

# Seconds that a connection, and a command, may take.
_PATIENCE: Final = 1.0
_CONNECTIONS: Final = 64


class Connection:
    """Connections to one Redis. Belongs to the event loop that first uses it."""

    def __init__(
        self, url: Secret, *, clock: Clock, metrics: RedisMetrics, patience: float = _PATIENCE
    ) -> None:
        """Connect to nothing yet. Raises InvalidInput for a URL that cannot be used."""
        self._clock = clock
        self._metrics = metrics
        self._patience = patience
        self._answers: bool | None = None
        self._client = _client(url, patience)
        place = self._client.connection_pool.connection_kwargs
        self.name: Final = f"redis://{place.get('host', 'localhost')}:{place.get('port', 6379)}"

    @property
    def client(self) -> Redis:
        """The client itself, for those who keep a connection of their own. Raises RedisError."""
        return self._client

    @property
    def up(self) -> bool:
        """Whether Redis answered the last command; False before the first."""
        return self._answers is True

    async def ask(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """Return what Redis answers to a command. Raises Unavailable."""
        begin = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                answer = await command(self._client)
        except (RedisError, OSError, TimeoutError) as error:
            self._note(reason=_reason(error))
            raise Unavailable(f"{self.name} does not answer: {_reason(error)}") from error
        end_if_cancelled()  # the client swallows it now and then (redis 8.1)
        self._metrics.duration.observe(self._clock.monotonic() - begin)
        self._note()
        return answer

    async def close(self) -> None:
        """Close every connection. A later use opens new ones."""
        await self._client.aclose()

    def _note(self, reason: str = "") -> None:
        answers = not reason
        self._metrics.commands.labels("ok" if answers else "error").inc()
        self._metrics.up.set(answers)
        if answers == self._answers:
            return
        if not answers:
            log.warning("redis does not answer", redis=self.name, reason=reason)
        elif self._answers is False:
            log.info("redis answers again", redis=self.name)
        self._answers = answers


def _client(url: Secret, patience: float) -> Redis:
    try:
        return Redis.from_url(
            url.reveal(),
            socket_connect_timeout=patience,
            socket_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            max_connections=_CONNECTIONS,
            client_name="controlplane",
        )
    except ValueError:
        raise InvalidInput("not the URL of a Redis: write redis://HOST:PORT") from None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
