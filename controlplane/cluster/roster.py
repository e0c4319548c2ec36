"""Who is alive, as it stands in Redis: leases by the clock of Redis alone.

A sorted set holds when each replica's lease ends, a hash what it says of
itself. Each step is one script, so that nobody sees half of it. Whatever
changes is told on a channel: who hears it looks at once, who does not looks a
second later.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from controlplane.clock import Duration
from controlplane.cluster.connection import Connection
from controlplane.cluster.member import read_member, write_member
from controlplane.model.member import Member

# Times in milliseconds. Who has lapsed is taken off before anything else.
_BEGIN: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lapsed = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
for _, name in ipairs(lapsed) do
  redis.call('ZREM', KEYS[1], name)
  redis.call('HDEL', KEYS[2], name)
end
local changed = #lapsed > 0
"""
_END: Final = """
if changed then redis.call('PUBLISH', ARGV[1], 'changed') end
return {taken, redis.call('HGETALL', KEYS[2])}
"""
_LOOK: Final = f"{_BEGIN} local taken = 0 {_END}"
_RENEW: Final = f"""{_BEGIN}
local taken = 0
local there = redis.call('HGET', KEYS[2], ARGV[2])
local other = there and cjson.decode(there).incarnation ~= ARGV[3]
if other then taken = redis.call('ZSCORE', KEYS[1], ARGV[2]) - now end
if taken <= tonumber(ARGV[6]) then
  taken = 0
  changed = changed or there ~= ARGV[5]
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[2])
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
end
{_END}"""
_LEAVE: Final = f"""{_BEGIN}
local taken = 0
local there = redis.call('HGET', KEYS[2], ARGV[2])
if there and cjson.decode(there).incarnation == ARGV[3] then
  redis.call('ZREM', KEYS[1], ARGV[2])
  redis.call('HDEL', KEYS[2], ARGV[2])
  changed = true
end
{_END}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Who is alive. `taken_for` is above 0 when another process has our name, for so long yet."""

    members: tuple[Member, ...]
    taken_for: Duration = 0

    def holds(self, member: Member) -> bool:
        """Tell whether this very process is among them."""
        return any(
            each.name == member.name and each.incarnation == member.incarnation
            for each in self.members
        )


class Roster:
    """The leases of one service. Every method raises Unavailable."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        # In braces: keys of one script must lie together in a Redis cluster.
        self._keys = (f"{{{prefix}}}:leases", f"{{{prefix}}}:members")
        self.channel: Final = f"{prefix}:membership"

    async def look(self) -> Seen:
        """Return who is alive."""
        return await self._run(_LOOK)

    async def renew(self, member: Member, lease: Duration, outwaited: Duration = 0) -> Seen:
        """Be alive for so long from now, unless another process has the name.

        One whose lease has no more than `outwaited` left loses the name: it
        would have renewed it were it alive.
        """
        return await self._run(
            _RENEW,
            member.name,
            member.incarnation,
            str(lease),
            write_member(member),
            str(outwaited),
        )

    async def leave(self, member: Member) -> Seen:
        """Be gone."""
        return await self._run(_LEAVE, member.name, member.incarnation)

    async def tell(self) -> None:
        """Have all others look at once."""
        await self._connection.ask(lambda redis: redis.publish(self.channel, "changed"))

    async def _run(self, script: str, *arguments: str | bytes) -> Seen:
        def command(redis: Redis) -> Awaitable[Any]:
            return redis.eval(script, len(self._keys), *self._keys, self.channel, *arguments)

        taken, found = await self._connection.ask(command)
        return Seen(_members(found), max(0, int(taken)))


def _members(found: Sequence[bytes] | dict[bytes, bytes]) -> tuple[Member, ...]:
    """Return the members of the fields and values of a hash, by name."""
    pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
    members = [read_member(name.decode(), written) for name, written in pairs]
    return tuple(sorted(members, key=lambda member: member.name))
