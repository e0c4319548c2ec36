"""All autoscaling policies: what the file says, and what was sent to the API.

A name is the file's where the file has it: the one of the API waits until the
file has it no longer. What the API was sent is kept as it came, and read anew
at each start by the rules that the file is read by.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from controlplane.autoscale.options import Policy
from controlplane.autoscale.owned import Owned, Sent
from controlplane.autoscale.ports import PolicyRepository
from controlplane.clock import Timestamp
from controlplane.errors import Conflict, InvalidInput, NotFound, TooLarge
from controlplane.model.target import Provenance
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_MOST: Final = 1_000

Document = Mapping[str, Any]


class Policies:
    """The file's policies and the API's. Belongs to one event loop."""

    def __init__(
        self,
        repository: PolicyRepository,
        read: Callable[[Document], Policy],
        apply: Callable[[Iterable[Policy]], None],
    ) -> None:
        """`read` makes a policy of what was sent; it raises InvalidInput. `apply` has them act."""
        self._repository = repository
        self._read = read
        self._apply = apply
        self._file: dict[str, Owned] = {}
        self._sent: dict[str, Owned] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Take up what the API was sent, here before or at another replica. Raises Unavailable."""
        async with self._lock:
            self._sent = self._readable(await self._repository.load())
        self._put_in_force()

    def configure(self, policies: Iterable[Policy]) -> None:
        """Make the file's policies these."""
        self._file = {each.name: Owned(each, Provenance.FILE) for each in policies}
        self._put_in_force()

    def __iter__(self) -> Iterator[Owned]:
        """Iterate over the policies in force: the file's in its order, the API's by name."""
        yield from self._file.values()
        for name in sorted(self._sent.keys() - self._file.keys()):
            yield self._sent[name]

    def get(self, name: str) -> Owned:
        """Return a policy with its owner. Raises NotFound."""
        found = self._file.get(name) or self._sent.get(name)
        if found is None:
            raise NotFound(f"there is no autoscaling policy {name!r}")
        return found

    async def put(self, document: Document, *, actor: str, now: Timestamp) -> tuple[Owned, bool]:
        """Have a policy, in place of the one with its name; tell whether it is a new one.

        Raises InvalidInput, Conflict when a file owns the name, TooLarge, Unavailable.
        """
        policy = self._read(document)
        async with self._lock:
            self._refuse_files(policy.name)
            old = self._sent.get(policy.name)
            if old is None and len(self._sent) >= _MOST:
                raise TooLarge(f"at most {_MOST} policies by the API")
            return await self._keep(policy, document, old, actor, now), old is None

    async def change(
        self, name: str, edit: Callable[[Document], Document], *, actor: str, now: Timestamp
    ) -> Owned:
        """Change what was sent. Raises NotFound, Conflict, InvalidInput, Unavailable."""
        async with self._lock:
            old = self.get(name)
            self._refuse_files(name)
            document = edit(old.document)
            policy = self._read(document)
            if policy.name != name:
                raise InvalidInput("a policy keeps its name", pointer="/name")
            return await self._keep(policy, document, old, actor, now)

    async def delete(self, name: str) -> None:
        """Have a policy no more. Raises NotFound, Conflict when a file owns it, Unavailable."""
        async with self._lock:
            self.get(name)
            self._refuse_files(name)
            await self._repository.delete(name)
            del self._sent[name]
        self._put_in_force()

    async def _keep(
        self, policy: Policy, document: Document, old: Owned | None, actor: str, now: Timestamp
    ) -> Owned:
        began = now if old is None or old.created_at is None else old.created_at
        sent = Sent(policy.name, document, began, now, actor)
        await self._repository.save(sent)
        owned = self._sent[policy.name] = _owned(policy, sent)
        self._put_in_force()
        return owned

    def _refuse_files(self, name: str) -> None:
        if name in self._file:
            raise Conflict(f"a file owns the autoscaling policy {name!r}: change the file")

    def _readable(self, rows: Sequence[Sent]) -> dict[str, Owned]:
        found = {}
        for row in rows:
            try:
                found[row.name] = _owned(self._read(row.document), row)
            except InvalidInput as error:
                # Kept by another version: it stays where it is, and is not followed.
                log.error("stored policy not understood", policy=row.name, reason=str(error))
        return found

    def _put_in_force(self) -> None:
        self._apply([each.policy for each in self])


def _owned(policy: Policy, sent: Sent) -> Owned:
    return Owned(
        policy, Provenance.API, sent.document, sent.created_at, sent.updated_at, sent.actor
    )
