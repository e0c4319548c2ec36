"""A registry for tests, over whatever repository they bring."""

from collections.abc import Mapping, Sequence
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

    async def save(self, targets: Sequence[Target]) -> None:
        self._fail_before()
        names = {target.name: target.id for target in self.rows.values()}
        if any(names.get(target.name, target.id) != target.id for target in targets):
            raise Conflict("the name is taken")
        self.rows.update((target.id, target) for target in targets)
        self._fail_after()

    async def renew(self, renewals: Mapping[str, Timestamp]) -> None:
        self._fail_before()

    async def delete(self, ids: Sequence[str]) -> None:
        self._fail_before()
        for target_id in ids:
            del self.rows[target_id]

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
