"""A new version of the file: everything that can fail first, then the swap."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from controlplane.clock import Clock
from controlplane.config.config import Config
from controlplane.config.doubts import doubts
from controlplane.config.loader import load
from controlplane.config.standing import Standing
from controlplane.errors import ConfigError, ControlPlaneError, InvalidInput, Problem
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Puts the second in the place of the first. When it raises, the first is in force still.
Change = Callable[[Config, Config], Awaitable[None]]


class Reloader:
    """Loads the file anew. A bad file is refused with its reason; the old one stays in force."""

    def __init__(
        self,
        path: Path | None,
        config: Config,
        change: Change,
        *,
        clock: Clock,
        registry: CollectorRegistry,
        told: Callable[[bool], None],
    ) -> None:
        self._path = path
        self._config = config
        self._change = change
        self._clock = clock
        self._lock = asyncio.Lock()
        self._told = told
        self._refused: tuple[str, ...] = ()
        self._good = Gauge(
            "controlplane_config_last_reload_successful",
            "1 when the configuration file was taken at the last reload, 0 when refused.",
            registry=registry,
        )
        self._at = Gauge(
            "controlplane_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was loaded.",
            registry=registry,
        )
        self._note_success()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config

    def standing(self) -> Standing:
        """Return what is in force, its doubts, and how the last try went. Takes a while."""
        config = self._config
        return Standing(
            path=config.path,
            files=config.files,
            digest=config.digest,
            loaded_at=self._loaded_at,
            tried_at=self._tried_at,
            refused=self._refused,
            doubts=tuple(doubts(config)),
        )

    async def reload(self) -> None:
        """Load and apply. Raises ConfigError for a bad file, Unavailable; nothing then changed."""
        if self._path is None:
            raise InvalidInput("there is no configuration file to reload: serve with --config")
        async with self._lock:
            try:
                config = await asyncio.to_thread(load, self._path)
                _refuse_what_needs_a_restart(self._config, config)
                await self._change(self._config, config)
            except ControlPlaneError as error:
                self._good.set(0)
                self._tried_at, self._refused = self._clock.now(), tuple(str(error).splitlines())
                self._told(False)  # noqa: FBT003 - good or not
                log.error("configuration refused", file=str(self._path), reason=str(error))
                raise
            self._config = config
            self._note_success()
            self._told(True)  # noqa: FBT003 - good or not
            log.info("configuration reloaded", file=str(self._path), digest=config.digest)

    def _note_success(self) -> None:
        self._loaded_at = self._tried_at = self._clock.now()
        self._refused = ()
        self._good.set(1)
        self._at.set(self._loaded_at / 1000)


def _refuse_what_needs_a_restart(old: Config, new: Config) -> None:
    if _storage_url(old) != _storage_url(new):
        raise ConfigError([Problem(new.path, 1, "storage: another url needs a restart")])
    if _cluster(old) != _cluster(new):
        raise ConfigError([Problem(new.path, 1, "cluster: another cluster needs a restart")])
    if new.cluster.url is not None:
        for key in ("datasource", "remote_write"):
            if getattr(old, key) and not getattr(new, key):
                reason = f"{key}: without it each replica would read what only it has written"
                raise ConfigError([Problem(new.path, 1, reason)])


def _storage_url(config: Config) -> str | None:
    return None if config.storage.url is None else config.storage.url.reveal()


def _cluster(config: Config) -> tuple[object, ...]:
    """Return what can be compared: two secrets are never equal, whatever they say."""
    said = config.cluster
    url = None if said.url is None else said.url.reveal()
    return url, said.prefix, said.lease, said.renew
