"""The Redis stream that carries events: its commands, and what an entry looks like in it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import orjson
from redis.asyncio import Redis

from controlplane.events.event import Event, Kind

# The id before the first entry of any stream.
START: Final = "0-0"
# A read waits so long for an entry (milliseconds): less than the client waits for an answer.
_BLOCK: Final = 500
_READ: Final = 1_000
# No command takes longer, whatever the client's own time-outs are (seconds).
_PATIENCE: Final = 2.0


class Entry(NamedTuple):
    """An event, and the how-manieth it is of the run of a replica that told it.

    In the stream the event has its id; before it is there it has none.
    """

    event: Event
    origin: str
    number: int


class EventStream:
    """A stream of about the last `kept` entries. Every method raises what the client raises."""

    def __init__(self, redis: Redis, key: str, kept: int) -> None:
        self._redis = redis
        self._key = key
        self._kept = kept

    async def append(self, entries: Sequence[Entry]) -> None:
        """Add entries in their order, in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for entry in entries:
            pipeline.xadd(self._key, _fields(entry), maxlen=self._kept, approximate=True)
        async with asyncio.timeout(_PATIENCE):
            await pipeline.execute()

    async def read(self, after: str) -> tuple[str, Sequence[Entry]]:
        """Wait half a second for entries after an id; return them, and the id to go on after."""
        async with asyncio.timeout(_PATIENCE):
            found: Any = await self._redis.xread({self._key: after}, count=_READ, block=_BLOCK)
        pairs = [pair for _, pairs in found for pair in pairs]
        return (_text(pairs[-1][0]) if pairs else after), _entries(pairs)

    async def newest(self, count: int) -> tuple[str, Sequence[Entry]]:
        """Return the id of the newest entry, and the newest entries, the oldest first."""
        async with asyncio.timeout(_PATIENCE):
            pairs: Any = await self._redis.xrevrange(self._key, count=count)
        last = _text(pairs[0][0]) if pairs else START
        return last, _entries(list(reversed(pairs)))

    async def goes_on_after(self, identifier: str) -> bool:
        """Tell whether everything that came after an id is still there."""
        async with asyncio.timeout(_PATIENCE):
            if identifier == START:
                return await self._redis.xlen(self._key) < self._kept
            return bool(await self._redis.xrange(self._key, identifier, identifier))


def _fields(entry: Entry) -> dict[Any, Any]:
    event = entry.event
    return {
        "kind": event.kind.value,
        "subject": event.subject,
        "time": event.time,
        "data": orjson.dumps(dict(event.data)),
        "origin": entry.origin,
        "number": entry.number,
    }


def _entries(pairs: Sequence[tuple[bytes | str, Mapping[bytes | str, bytes | str]]]) -> list[Entry]:
    found = ((_text(identifier), _entry(fields)) for identifier, fields in pairs)
    return [
        entry._replace(event=replace(entry.event, id=identifier))
        for identifier, entry in found
        if entry is not None
    ]


def _entry(fields: Mapping[bytes | str, bytes | str]) -> Entry | None:
    """Return what an entry holds; None for one of another version, of which we know nothing."""
    found = {_text(name): _text(value) for name, value in fields.items()}
    try:
        data, time = orjson.loads(found["data"]), int(found["time"])
        event = Event(Kind(found["kind"]), found["subject"], time, data)
        return Entry(event, found["origin"], int(found["number"]))
    except (KeyError, ValueError):
        return None


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
