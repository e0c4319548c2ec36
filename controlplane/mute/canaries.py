"""Canaries: addresses that answer as long as our own network does."""

import asyncio
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.mute.metrics import StormMetrics
from controlplane.mute.options import StormOptions
from controlplane.mute.ports import AskCanary
from controlplane.mute.storm import Canaries
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# An answer says for so long that the canary is one.
_CREDIBLE: Final[Duration] = 600_000


class CanaryRounds:
    """Asks all canaries at once; keeps which of them count."""

    def __init__(self, ask: AskCanary, clock: Clock, metrics: StormMetrics) -> None:
        self._ask = ask
        self._clock = clock
        self._metrics = metrics
        self._names: tuple[str, ...] = ()
        self._options = StormOptions()
        self._answered: dict[str, Timestamp] = {}
        self._up: dict[str, bool] = {}
        self._counted: frozenset[str] = frozenset()
        self.last = Canaries()

    def __len__(self) -> int:
        return len(self._names)

    def configure(self, names: tuple[str, ...], options: StormOptions) -> None:
        """Ask these from now on; what is known of others is forgotten."""
        for gone in set(self._up) - set(names):
            self._metrics.canary_up.remove(gone)
            del self._up[gone]
            self._answered.pop(gone, None)
        self._names, self._options = names, options
        self._counted &= frozenset(names)
        if not names:
            self.last = Canaries()

    async def ask(self) -> Canaries:
        """Ask each once and return how they did; never raises."""
        asked_at, names = self._clock.now(), self._names
        answers = await asyncio.gather(*(self._one(name) for name in names))
        up = {name for name, answered in zip(names, answers, strict=True) if answered}
        for name in names:
            self._note(name, up=name in up)
            if name in up:
                self._answered[name] = asked_at
        # While none answers it stays known which of them did before.
        if up or not self._counted:
            oldest = asked_at - _CREDIBLE
            self._counted = frozenset(n for n in names if self._answered.get(n, -1) >= oldest)
        self.last = Canaries(asked_at, len(self._counted), len(self._counted - up))
        return self.last

    async def _one(self, name: str) -> bool:
        seconds = self._options.canary_timeout / 1000
        try:
            return await self._ask(name, seconds)
        except Exception:
            log.exception("canary could not be asked", canary=name)
            return False

    def _note(self, name: str, *, up: bool) -> None:
        if name not in self._names:
            return  # a reload took it away meanwhile
        before, self._up[name] = self._up.get(name), up
        self._metrics.canary_up.labels(name).set(up)
        if before is not None and before is not up:
            log.warning("canary changed", canary=name, up=up)
