"""A registry for tests, over whatever repository they bring."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.errors import Conflict
from controlplane.model.target import Target
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.options import TargetOptions
from controlplane.targets.ports import TargetRepository
from controlplane.targets.registry import TargetRegistry

PROBERS: Final = {"http_2xx": "http", "tcp_connect": "tcp"}


class MemoryTargets:
    """A repository that forgets with the test, and fails when told to."""

    def __init__(self) -> None:
        self.rows: dict[str, Target] = {}
        self.transactions = 0
        self.failure: Exception | None = None
        # With this, the failing write is durable all the same.
        self.fails_after_writing = False

    async def load(self) -> Sequence[Target]:
        return sorted(self.rows.values(), key=lambda target: target.name)

    async def find(self, ids: Collection[str]) -> Sequence[Target]:
        return [target for target in await self.load() if target.id in ids]

    async def renewed(self, ids: Collection[str]) -> Mapping[str, Timestamp]:
        return {target.id: target.renewed_at for target in await self.find(ids)}

    async def save(
        self, targets: Sequence[Target], known: Mapping[str, Target] | None = None
    ) -> None:
        self._fail_before()
        names = {target.name: target.id for target in self.rows.values()}
        if any(names.get(target.name, target.id) != target.id for target in targets):
            raise Conflict("the name is taken")
        self.rows.update((target.id, target) for target in targets)
        self._fail_after()

    async def renew(self, renewals: Mapping[str, Timestamp]) -> Collection[str]:
        self._fail_before()
        return ()

    async def delete(self, targets: Sequence[Target]) -> None:
        self._fail_before()
        for target in targets:
            del self.rows[target.id]

    def _fail_before(self) -> None:
        self.transactions += 1
        if self.failure is not None and not self.fails_after_writing:
            raise self.failure

    def _fail_after(self) -> None:
        if self.failure is not None:
            raise self.failure


def build_registry(
    repository: TargetRepository,
    *,
    options: TargetOptions | None = None,
    outcomes: Mapping[str, bool] | None = None,
    metrics: TargetMetrics | None = None,
) -> TargetRegistry:
    """Return a registry whose modules are http_2xx and tcp_connect."""
    return TargetRegistry(
        repository,
        options=options or TargetOptions(),
        prober_of=PROBERS.get,
        last_outcome=(outcomes or {}).get,
        metrics=metrics or TargetMetrics(CollectorRegistry()),
    )
