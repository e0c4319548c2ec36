"""This process in the database's list of replicas, and whether another one there does not fit.

Two processes on one database that know nothing of each other would each page
for everything: so one that finds another does not start.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from controlplane.clock import Clock, Duration
from controlplane.errors import Conflict, Unavailable
from controlplane.model.duration import SECOND
from controlplane.model.member import Member
from controlplane.storage.replicas import Replica, SqlReplicas
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Who has not been seen for so long is not there.
_ABSENT: Final = 15 * SECOND
# Seconds between two looks at one who may have died a moment ago.
_LOOK: Final = 0.5
# Seconds that the database may take.
_PATIENCE: Final = 2.0


class Heartbeat:
    """Says every `period` that this process is there. Needs `begin` first."""

    def __init__(
        self,
        replicas: SqlReplicas,
        me: Member,
        *,
        clustered: bool,
        clock: Clock,
        period: Duration = 3 * SECOND,
    ) -> None:
        self._replicas = replicas
        self._me = me
        self._clustered = clustered
        self._clock = clock
        self._period = period / 1000
        self._strangers: tuple[str, ...] = ()

    @property
    def strangers(self) -> Sequence[str]:
        """The names of other processes that do not coordinate with this one."""
        return self._strangers

    async def begin(self) -> None:
        """Be there, unless another process is that knows nothing of us. Raises Conflict.

        One that was seen a moment ago may have died since: it is watched for
        longer than it takes it to be seen again. Raises Unavailable.
        """
        await self._replicas.tidy()
        await self._outwait(await self._unknown_to_us())
        await self._replicas.beat(self._me, clustered=self._clustered)
        if found := await self._unknown_to_us():  # somebody who began at the same time
            await self._outwait(found)

    async def run(self) -> None:
        """Be seen again and again, until cancelled."""
        while True:
            await self._clock.sleep(self._period)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._replicas.beat(self._me, clustered=self._clustered)
                    found = await self._unknown_to_us()
            except (Unavailable, TimeoutError):
                continue  # /ready says that the database is away
            self._note(tuple(each.name for each in found))

    async def leave(self) -> None:
        """Be gone."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._replicas.leave(self._me)
        except (Unavailable, TimeoutError) as error:
            log.warning("left the database without a word", reason=str(error) or "time-out")

    async def _unknown_to_us(self) -> list[Replica]:
        others = await self._replicas.others(self._me, _ABSENT)
        return [each for each in others if not (each.clustered and self._clustered)]

    async def _outwait(self, found: Sequence[Replica]) -> None:
        """Return when none of the processes found is seen again. Raises Conflict."""
        before = {(each.name, each.incarnation): each.seen_at for each in found}
        end = self._clock.monotonic() + 2 * self._period + 1
        while found and self._clock.monotonic() < end:
            await self._clock.sleep(_LOOK)
            found = await self._unknown_to_us()
            for each in found:
                if each.seen_at != before.get((each.name, each.incarnation)):
                    await self.leave()
                    raise Conflict(self._refusal(each))

    def _refusal(self, other: Replica) -> str:
        lacks = other.name if self._clustered else self._me.name
        return (
            f"replica {other.name!r} runs on this database, and {lacks!r} has no cluster.url: "
            "both would page for everything; give every replica the same cluster.url"
        )

    def _note(self, strangers: tuple[str, ...]) -> None:
        if strangers and strangers != self._strangers:
            log.error("another replica on this database knows nothing of us", replicas=strangers)
        self._strangers = strangers
