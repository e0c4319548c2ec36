"""This replica's part of the work: claimed, held, released, and never believed for too long.

What is held is good until a lease after the last turn: a process that stood
still for longer owns nothing, whatever it remembers, until it has looked again
at who owns what. Redis away or the database away, it goes on with what it has.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final

from controlplane.clock import Clock, Timestamp, sleep_unless
from controlplane.cluster.ending import end_if_cancelled
from controlplane.cluster.membership import Membership
from controlplane.cluster.metrics import ClusterMetrics
from controlplane.cluster.moves import Moves, Place, View, decide
from controlplane.cluster.options import ClusterOptions
from controlplane.cluster.ports import ShareStore
from controlplane.errors import Fenced, Unavailable
from controlplane.model.fence import Fence, Token
from controlplane.model.share import SHARDS, SHARED_ROLES, Role, shard_of
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Seconds between two looks at the shards, when nothing is heard.
_LOOK: Final = 1.0
# Seconds that the database may take for a step. With the time until work is quiet a turn
# stays below a lease: else a slow turn would look like a pause.
_PATIENCE: Final = 2.0
_QUIET: Final = 5.0

# Returns when what has been stopped no longer does anything: the instant until which all
# that was due was done, or None for that of its return.
Quiet = Callable[[], Awaitable[Timestamp | None]]


class RoleShare:
    """The Share of one role, as this replica holds it."""

    def __init__(self, role: Role, valid: Callable[[], bool]) -> None:
        self.role: Final = role
        self.tokens: dict[int, int] = {}
        self.since: dict[int, Timestamp | None] = {}
        self.changed: list[Callable[[], None]] = []
        self._valid = valid

    def owns(self, key: str) -> bool:
        return shard_of(key) in self.tokens and self._valid()

    def fence(self, keys: Iterable[str]) -> Fence:
        tokens = set()
        for key in keys:
            number = self.tokens.get(shard_of(key))
            if number is None or not self._valid():
                raise Fenced(f"{key} is not this replica's work as {self.role.value}")
            tokens.add(Token(self.role.value, shard_of(key), number))
        return Fence(frozenset(tokens))

    def subscribe(self, changed: Callable[[], None]) -> None:
        self.changed.append(changed)

    def gained_since(self, key: str) -> Timestamp | None:
        """Return until when another had the key, when it was taken over; None when nobody had."""
        return self.since.get(shard_of(key))


class Shares:
    """The shares of all roles. Runs from `run`; belongs to the event loop."""

    def __init__(
        self,
        membership: Membership,
        store: ShareStore,
        *,
        clock: Clock,
        options: ClusterOptions,
        metrics: ClusterMetrics,
    ) -> None:
        self._membership = membership
        self._store = store
        self._clock = clock
        self._options = options
        self._lease = options.lease / 1000
        self._metrics = metrics
        self._shares = {role: RoleShare(role, self._valid) for role in SHARED_ROLES}
        self._quiets: dict[Role, Quiet] = {}
        # Nothing is ours before the first look.
        self._valid_until = clock.monotonic()
        self._lapsed = True
        # The last instant at which a replica that stood still was known to be at work.
        self._worked_until: Timestamp | None = None
        self._woken = asyncio.Event()
        membership.subscribe(self._woken.set)

    def share(self, role: Role) -> RoleShare:
        """Return this replica's share of a role. Raises KeyError for one that is not shared out."""
        return self._shares[role]

    def when_quiet(self, role: Role, quiet: Quiet) -> None:
        """Have `quiet` awaited before shards of a role are let go that were to be stopped."""
        self._quiets[role] = quiet

    async def run(self) -> None:
        """Claim and release as replicas come and go, until cancelled."""
        while True:
            self._woken.clear()
            await self.turn()
            end_if_cancelled()
            await sleep_unless(self._clock, self._woken, _LOOK)

    async def turn(self) -> None:
        """Look once who owns what and who is alive, and do what follows."""
        begin = self._clock.monotonic()
        if not self._lapsed and begin >= self._valid_until:
            self._lapse()
        membership = self._membership
        if membership.known and not membership.is_member:
            self._drop()  # Redis has given our name, or our place, to others
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                rows = await self._store.held()
        except (Unavailable, TimeoutError):
            if not self._lapsed:
                self._stay(begin)
            return
        if not self._stay(begin):
            return
        members = membership.members() if membership.known else None
        view = View(membership.me, members, membership.settled, rows, self._held())
        try:
            await self._move(decide(view))
        except (Unavailable, TimeoutError) as error:
            log.warning("shards could not be moved", reason=str(error) or "time-out")

    async def drain(self) -> None:
        """Stop everything, then leave it to the others."""
        stopped = self._clock.now()
        self._drop()
        await self._membership.leave()
        try:
            await self._let_go(dict.fromkeys(SHARED_ROLES, range(SHARDS)), stopped)
        except (Unavailable, TimeoutError) as error:
            log.warning("shards were not released", reason=str(error) or "time-out")
        await self._membership.announce()

    def _valid(self) -> bool:
        return self._clock.monotonic() < self._valid_until

    def _stay(self, begin: float) -> bool:
        """Believe what is held for another lease from `begin`, unless that is over already."""
        if self._clock.monotonic() >= begin + self._lease:
            self._lapse()
            self._woken.set()
            return False
        self._valid_until = begin + self._lease
        self._lapsed = False
        return True

    def _lapse(self) -> None:
        self._metrics.lapses.inc()
        log.warning("stood still for longer than the lease")
        still = self._clock.monotonic() - (self._valid_until - self._lease)
        self._worked_until = self._clock.now() - round(still * 1000)
        self._lapsed = True
        self._drop()

    async def _move(self, moves: Moves) -> None:
        self._count("lost", moves.lost)
        self._give_up(moves.lost)
        # Ours by the table, and not known to be: claimed with an answer that was lost, or held
        # before a standstill. Nobody may have worked on them for a lease.
        since = self._clock.now() - self._options.lease
        if self._worked_until is not None:
            since, self._worked_until = min(since, self._worked_until), None
        self._take_up({place: (token, since) for place, token in moves.found.items()})
        if moves.release:
            await self._release(moves.release)
        else:
            await self._claim(moves.claim)

    async def _release(self, places: frozenset[Place]) -> None:
        """Stop work, wait until it has stopped, and let it go. All else is for the next turn."""
        stopped = self._clock.now()
        self._give_up(places)
        await self._let_go(_by_role(places), stopped)
        self._count("released", places)
        self._woken.set()

    async def _let_go(self, shards: Mapping[Role, Collection[int]], stopped: Timestamp) -> None:
        """Leave shards, whose work was told to stop, to the others.

        Each role goes as soon as its own work has stopped: a slot of a probe
        does not wait for a page that is on its way. Raises what the store does.
        """
        goes = (self._let_go_of(role, numbers, stopped) for role, numbers in shards.items())
        errors = await asyncio.gather(*goes, return_exceptions=True)
        for error in errors:
            if error is not None:
                raise error

    async def _let_go_of(self, role: Role, shards: Collection[int], stopped: Timestamp) -> None:
        until = await self._await_quiet(role, stopped)
        async with asyncio.timeout(_PATIENCE):
            await self._store.release(role, shards, self._membership.me.owner, until)
        await self._membership.announce()

    async def _claim(self, claims: Mapping[Role, frozenset[int]]) -> None:
        alive = [member.owner for member in self._membership.members()]
        me, lease = self._membership.me.owner, self._options.lease
        for role, shards in claims.items():
            async with asyncio.timeout(_PATIENCE):
                taken = await self._store.claim(role, shards, me, alive=alive, lease=lease)
            self._metrics.refused.labels(role.value).inc(len(shards) - len(taken))
            self._count("claimed", [(role, shard) for shard in taken])
            self._take_up(
                {(role, shard): (each.token, each.since) for shard, each in taken.items()}
            )

    async def _await_quiet(self, role: Role, stopped: Timestamp) -> Timestamp:
        """Return until when the work of a role was done that was told to stop at an instant."""
        quiet = self._quiets.get(role)
        if quiet is None:
            return self._clock.now()
        try:
            async with asyncio.timeout(_QUIET):
                return await quiet() or self._clock.now()
        except TimeoutError:  # the database refuses what comes too late
            log.warning("work went on after it was to stop", role=role.value, seconds=_QUIET)
        except Exception:  # one part's mistake must not keep the shards from all others
            log.exception("work may have gone on after it was to stop", role=role.value)
        return stopped

    def _held(self) -> dict[Place, int]:
        return {
            (role, shard): token
            for role, share in self._shares.items()
            for shard, token in share.tokens.items()
        }

    def _drop(self) -> None:
        self._give_up(self._held())

    def _give_up(self, places: Iterable[Place]) -> None:
        self._change(dict.fromkeys(places))

    def _take_up(self, places: Mapping[Place, tuple[int, Timestamp | None]]) -> None:
        self._change(places)

    def _change(self, places: Mapping[Place, tuple[int, Timestamp | None] | None]) -> None:
        """Hold shards with their tokens, or no longer, and tell the subscribers of their roles."""
        told = set()
        for (role, shard), held in places.items():
            share = self._shares[role]
            if held is None and shard not in share.tokens:
                continue
            told.add(role)
            if held is None:
                del share.tokens[shard]
                del share.since[shard]
            else:
                share.tokens[shard], share.since[shard] = held
        for role in told:
            self._metrics.hold(role, len(self._shares[role].tokens))
            for changed in self._shares[role].changed:
                _call(changed, role)

    def _count(self, move: str, places: Iterable[Place]) -> None:
        for role, shards in _by_role(places).items():
            self._metrics.moves.labels(role.value, move).inc(len(shards))
            log.info("shards moved", role=role.value, move=move, shards=len(shards))


def _by_role(places: Iterable[Place]) -> dict[Role, list[int]]:
    found: dict[Role, list[int]] = {}
    for role, shard in places:
        found.setdefault(role, []).append(shard)
    return found


def _call(changed: Callable[[], None], role: Role) -> None:
    try:
        changed()
    except Exception:  # one part's mistake must not stop the moves of all others
        log.exception("a subscriber of shards failed", role=role.value)
