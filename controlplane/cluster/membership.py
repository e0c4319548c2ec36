"""This replica's place among the others: a lease in Redis that is renewed, and who else has one.

Whether this replica is a member is told by its own monotonic clock: one that
was paused for longer than its lease knows it before it has asked anybody.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from controlplane.clock import Clock, sleep_unless
from controlplane.cluster.chronicle import Chronicle
from controlplane.cluster.connection import Connection
from controlplane.cluster.ending import end_if_cancelled
from controlplane.cluster.metrics import ClusterMetrics
from controlplane.cluster.notices import listen
from controlplane.cluster.options import ClusterOptions
from controlplane.cluster.roster import Roster, Seen
from controlplane.errors import Conflict, Unavailable
from controlplane.model.member import Member
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Seconds between two looks at who is alive, when nobody says that something has changed.
LOOK: Final = 1.0
_WAIT: Final = 0.5
# A lease that is not renewed so long after its time (seconds) is nobody's.
_LATE: Final = 1.5


class Membership:
    """Who is alive. Runs from `run`; belongs to the event loop."""

    def __init__(
        self,
        connection: Connection,
        me: Member,
        *,
        clock: Clock,
        options: ClusterOptions,
        metrics: ClusterMetrics,
    ) -> None:
        self._me = me
        self._roster = Roster(connection, options.prefix)
        self._connection = connection
        self._clock = clock
        self._options = options
        self._metrics = metrics
        self._chronicle = Chronicle(metrics)
        self._changed: list[Callable[[], None]] = []
        self._woken = asyncio.Event()
        self._seen = Seen(())
        self._known = False
        self._member_until = self._renew_at = self._known_since = clock.monotonic()
        self._leaving = False
        # Waiting for an earlier process of our name, which may be replaced with so much left.
        self._joining = False
        self._outwaited = 0
        self._idle = False
        # One step at a time: a renewal that is late must not undo a goodbye.
        self._turn = asyncio.Lock()
        self._heard = False
        self._standing: object = None

    @property
    def me(self) -> Member:
        """This replica, as the others are to know it."""
        return self._me

    def become(self, me: Member) -> None:
        """Have the others know something else of this replica, at once."""
        if me != self._me:
            self._me, self._renew_at = me, self._clock.monotonic()
            self._woken.set()

    def members(self) -> tuple[Member, ...]:
        """Return who is alive, by name, as Redis said last; empty before it said anything."""
        return self._seen.members

    @property
    def known(self) -> bool:
        """Whether Redis answered at the last look."""
        return self._known

    @property
    def settled(self) -> bool:
        """Whether Redis has answered for so long that everyone alive has had time to say so."""
        since = self._clock.monotonic() - self._known_since
        return self._known and since >= self._options.renew / 1000 + LOOK

    @property
    def is_member(self) -> bool:
        """Whether our lease holds, by our own clock."""
        return not self._leaving and self._clock.monotonic() < self._member_until

    @property
    def name_taken(self) -> bool:
        """Whether another process has our name."""
        return self._seen.taken_for > 0

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when anything above has changed, or somebody says that it has."""
        self._changed.append(changed)

    async def join(self, *, idle: bool = False) -> None:
        """Become a member, or begin without Redis when it does not answer.

        One that is `idle` has no roles for the others until `run` begins: what
        it could not take on yet, nobody lets go of for it.

        A former process of our name that ended without a word keeps the name
        for as long as it would take it to renew its lease, were it alive; that
        is waited for. Raises Conflict when it does. One that was only paused
        finds its name taken when it goes on, and stops.
        """
        self._idle = idle
        self._joining = True
        try:
            await self._outwait()
        finally:
            self._joining, self._outwaited = False, 0

    async def _outwait(self) -> None:
        """Wait until nobody has our name. Raises Conflict when somebody renews a lease on it."""
        await self.look()
        now = self._clock.monotonic
        ends = now() + self._seen.taken_for / 1000
        until = now() + self._options.renew / 1000 + _LATE
        # A lease that ends so much later (seconds) than it did was renewed.
        later = self._options.renew / 2000
        while self._seen.taken_for:
            await self._clock.sleep(min(_WAIT, max(0.0, ends - now())))
            left = round((ends + later - now()) * 1000)
            self._outwaited = max(0, left) if now() >= until else 0
            await self.look()
            if now() + self._seen.taken_for / 1000 > ends + later and self._seen.taken_for:
                raise Conflict(
                    f"another process is called {self.me.name!r}: "
                    "give each replica a name of its own (CONTROLPLANE_REPLICA)"
                )

    async def run(self) -> None:
        """Renew the lease and look who is alive, until cancelled."""
        listening = asyncio.create_task(
            listen(self._connection, self._roster.channel, self._hear, self._clock)
        )
        period = min(LOOK, self._options.renew / 1000)
        if self._idle:
            self._idle, self._renew_at = False, self._clock.monotonic()
        try:
            while True:
                self._woken.clear()
                await self.look()
                end_if_cancelled()
                await sleep_unless(self._clock, self._woken, period)
        finally:
            listening.cancel()

    async def look(self) -> None:
        """Look who is alive, and renew the lease when it is time."""
        async with self._turn:
            await self._look()

    async def announce(self) -> None:
        """Have the others look at what has changed, at once, if Redis answers."""
        try:
            await self._roster.tell()
        except Unavailable:
            return  # they look every second

    async def leave(self) -> None:
        """Stop being a member, and tell the others. Whatever Redis says, it is so for us."""
        again, self._leaving = self._leaving, True
        async with self._turn:
            try:
                seen, known = await self._roster.leave(self.me), True
            except Unavailable as error:
                if not again:
                    log.warning("left the cluster without a word", reason=str(error))
                seen, known = self._seen, False
            self._note(seen, known=known)

    async def _look(self) -> None:
        begin = self._clock.monotonic()
        was_member = self.is_member
        try:
            due = begin >= self._renew_at or not was_member
            seen = await (self._renew(begin) if due else self._roster.look())
            # Redis has lost us, or was away: others may not have come back to it yet.
            forgotten = was_member and not seen.taken_for and not seen.holds(self.me)
            if not self._known or forgotten:
                self._known_since = begin
            if forgotten:
                seen = await self._renew(begin)
        except Unavailable:
            self._note(self._seen, known=False)
        else:
            self._note(seen, known=True)

    async def _renew(self, begin: float) -> Seen:
        if self._leaving:
            return await self._roster.look()
        me = self._me
        shown = replace(me, roles=frozenset()) if self._idle else me
        seen = await self._roster.renew(shown, self._options.lease, self._outwaited)
        if seen.taken_for:
            self._member_until = begin
        else:
            self._member_until = begin + self._options.lease / 1000
            # One that has become something else meanwhile says so at the next look.
            self._renew_at = begin + (self._options.renew / 1000 if me is self._me else 0)
        return seen

    def _hear(self) -> None:
        self._heard = True
        self._woken.set()

    def _note(self, seen: Seen, *, known: bool) -> None:
        """Keep what was seen, and tell those who want to know that it differs."""
        self._seen, self._known = seen, known
        member = self.is_member
        self._metrics.members.set(len(seen.members))
        self._metrics.member.set(member)
        self._chronicle.note(seen, settled=self.settled, joining=self._joining)
        standing = (seen.members, known, member)
        if standing != self._standing or self._heard:
            self._standing, self._heard = standing, False
            for changed in self._changed:
                changed()
