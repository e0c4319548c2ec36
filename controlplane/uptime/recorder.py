"""From results of probes to minutes, as they come; from minutes to the database, as they end.

A result holds until the next one, or until that is overdue: what then follows
is unknown. Nothing is ever counted for time in which this process did not run.

Where several replicas probe, each counts the targets of its share. What the
one before wrote of the hour under way is read before the first row of a target
is written, and rows are merged in the database, minute by minute.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from controlplane.clock import Clock, Timestamp
from controlplane.errors import InvalidInput, Unavailable
from controlplane.model.duration import HOUR, MINUTE
from controlplane.model.share import WHOLE, Share
from controlplane.telemetry.logs import get_logger
from controlplane.uptime.cells import Cells, Level, pack
from controlplane.uptime.folding import Folder
from controlplane.uptime.gathering import Gatherer
from controlplane.uptime.hours import Hour, Hours
from controlplane.uptime.metrics import UptimeMetrics
from controlplane.uptime.ports import Maintained, PackedRow, RollupRepository

log = get_logger(__name__)

# A minute is closed so long after its end.
_AFTER_MINUTE: Final = 1_000
# While the database is away minutes wait, for so long at most.
_LONGEST_WAIT: Final = 6 * HOUR
# Whose work it is to add up, where there are several; and how long rows have to arrive.
_FOLD: Final = "uptime/fold"
_FOLD_AFTER: Final = 5 * MINUTE
# Targets looked at before others get their turn on the event loop.
_AT_ONCE: Final = 500


class _Track:
    """One target: what its last result said, and the sums of the minute under way."""

    __slots__ = (
        "down",
        "largest",
        "latencies",
        "latency",
        "minute",
        "results",
        "since",
        "target_id",
        "until",
        "up",
        "well",
    )  # fmt: skip

    def __init__(self, target_id: str, now: Timestamp) -> None:
        self.target_id = target_id
        self.since = self.until = now  # nothing is known before the first result
        self.well = False
        self.latency = 0.0
        self.begin(now)

    def begin(self, time: Timestamp) -> None:
        """Begin the minute that an instant lies in; sums are milliseconds and seconds."""
        self.minute = time - time % MINUTE
        self.up = self.down = 0
        self.latencies, self.results, self.largest = 0.0, 0, 0.0


class Recorder:
    """Counts how long each target was up. Belongs to one event loop.

    `observe` never waits. Minutes are written once each, all targets in one
    transaction; a minute that is written again replaces itself. What was not
    written when the process is killed, a minute at most, is unknown.
    """

    def __init__(
        self,
        repository: RollupRepository,
        *,
        clock: Clock,
        metrics: UptimeMetrics,
        maintained: Maintained,
        share: Share = WHOLE,
    ) -> None:
        self._share = share
        self._alone = share is WHOLE
        self._repository = repository
        self._put = repository.put if self._alone else repository.merge
        self._clock = clock
        self._metrics = metrics
        self._maintained = maintained
        self._folder = Folder(repository, metrics, alone=self._alone)
        self._gatherer = Gatherer(repository, share)
        self._tracks: dict[str, _Track] = {}
        self._groups: Mapping[str, Sequence[str]] = {}
        self._hours = Hours()
        self._begun = self._closed = clock.now() // MINUTE * MINUTE
        # What an earlier process wrote of the hour in which this one began is taken over.
        self._loaded = not self._alone
        # Of targets that another replica had, by the start of the hour: what it wrote of that.
        self._gained: dict[str, Timestamp] = {}
        self._lost: set[str] = set()  # and not dropped yet
        self._exchange = asyncio.Lock()  # one at a time reads or writes rows
        metrics.targets.set_function(lambda: len(self._tracks))

    def observe(
        self,
        target_id: str,
        now: Timestamp,
        well: bool,  # noqa: FBT001 - a state
        latency: float,
        until: Timestamp,
    ) -> None:
        """Take the result of a probe that ended now; it holds `until` an instant at most.

        `latency` is in seconds, and counts when the result is good.
        """
        track = self._tracks.get(target_id)
        if track is None:
            if not self._share.owns(target_id):
                return  # it came after all
            track = self._tracks[target_id] = _Track(target_id, now)
            if not self._alone and target_id not in self._hours.at(now):
                self._gained[target_id] = Level.MINUTE.row_of(now)
        else:
            self._settle(track, now)
            if now - track.minute >= MINUTE:
                self._end_minute(track)
                track.begin(now)
        track.well, track.until = well, until
        if well:
            track.latency = latency
            track.latencies += latency
            track.results += 1
            track.largest = max(track.largest, latency)

    def forget(self, target_id: str) -> None:
        """Count no more of a target: it is paused or gone."""
        track = self._tracks.pop(target_id, None)
        if track is not None:
            self._settle(track, self._clock.now())
            self._end_minute(track)

    def counts(self, target_id: str) -> bool:
        """Tell whether a target's results come to this replica."""
        return target_id in self._tracks

    async def quiet(self) -> None:
        """Write what is known of targets that are another replica's now, as far as it is taken."""
        for target_id in list(self._tracks):
            if not self._share.owns(target_id):
                self.forget(target_id)
                self._lost.add(target_id)
        await self._load()
        await self._write()

    def well(self, target_id: str, now: Timestamp) -> bool | None:
        """Tell whether a target is up; None when no result holds."""
        track = self._tracks.get(target_id)
        return None if track is None or track.until < now else track.well

    def group(self, groups: Mapping[str, Sequence[str]]) -> None:
        """Keep the average of these members from now on, under the names of the groups."""
        self._groups = groups

    async def run(self) -> None:
        """Close and write each minute, until cancelled."""
        while True:
            await self._load()
            now = self._clock.now()
            due = now // MINUTE * MINUTE + MINUTE + _AFTER_MINUTE
            await self._clock.sleep((due - now) / 1000)
            await self.turn()

    async def drain(self) -> None:
        """Write what is known of the minute under way too; what is not taken is lost."""
        now = self._clock.now()
        await self._close(now)
        for track in self._tracks.values():
            self._end_minute(track)
        await self._close_minute(now // MINUTE * MINUTE)
        await self._write()

    async def turn(self) -> None:
        """Close the minutes that have ended, write them, add up the hours that are over."""
        await self._load()
        await self._close(self._clock.now() // MINUTE * MINUTE)
        with self._metrics.flush.time():
            written = await self._write()
        if not written:
            return
        for hour in list(self._hours.before(self._closed)):
            self._hours.drop(hour)
        try:
            await self._add_up()
        except Unavailable as error:
            self._metrics.failures.inc()
            log.warning("rollups cannot be added up", reason=str(error))

    async def _add_up(self) -> None:
        if self._alone:
            await self._folder.fold(self._closed)
            return
        await self._gatherer.gather(self._groups, self._closed)
        if self._share.owns(_FOLD):
            await self._folder.fold(self._closed - _FOLD_AFTER)

    async def _load(self) -> None:
        """Take over what an earlier process, or another replica, wrote of the hour under way."""
        async with self._exchange:
            try:
                if not self._loaded:
                    hour = self._hours.at(self._begun)
                    self._take_over(hour, await self._repository.block(Level.MINUTE, hour.start))
                    self._loaded = True
                for start in set(self._gained.values()):
                    await self._load_gained(start)
            except Unavailable as error:
                log.warning("rollups cannot be read", reason=str(error))

    async def _load_gained(self, start: Timestamp) -> None:
        subjects = [each for each, begin in self._gained.items() if begin == start]
        rows = await self._repository.rows(Level.MINUTE, subjects, [start])
        for place, (subject, _, cells) in enumerate(rows):
            self._take_over(self._hours.at(start), [(subject, cells)])
            self._gained.pop(subject, None)  # at once: what is added twice would be counted twice
            if place % _AT_ONCE == _AT_ONCE - 1:
                await self._clock.sleep(0)
        for subject in subjects:
            if self._gained.get(subject) == start:
                del self._gained[subject]

    def _take_over(self, hour: Hour, rows: Sequence[PackedRow]) -> None:
        for row in rows:
            try:
                hour.load([row])
            except InvalidInput as error:
                log.error("rollups of this hour are lost", subject=row[0], reason=error.reason)

    async def _close(self, until: Timestamp) -> None:
        """Account for all time before an instant, and close the minutes that ended by then."""
        for place, track in enumerate(list(self._tracks.values())):
            self._settle(track, until)
            if until - track.minute >= MINUTE:
                self._end_minute(track)
                track.begin(until)
            if place % _AT_ONCE == _AT_ONCE - 1:
                await self._clock.sleep(0)
        # After a long standstill nothing is known of the minutes in between.
        self._closed = max(self._closed, until - HOUR) // MINUTE * MINUTE
        while self._closed + MINUTE <= until:
            await self._close_minute(self._closed)
            self._closed += MINUTE

    async def _close_minute(self, minute: Timestamp) -> None:
        """Put maintenance over what was seen, then make the groups' averages."""
        hour = self._hours.at(minute)
        for target_id in self._maintained(minute):
            if self._share.owns(target_id):
                hour.maintain(target_id, minute)
        for place, (group, members) in enumerate(self._groups.items() if self._alone else ()):
            hour.gather(group, members, minute)
            if place % _AT_ONCE == _AT_ONCE - 1:
                await self._clock.sleep(0)

    def _settle(self, track: _Track, now: Timestamp) -> None:
        """Count the time since the last look, minute by minute, as long as the result held."""
        at, end = track.since, min(now, track.until)
        while at < end:
            if at - track.minute >= MINUTE:
                self._end_minute(track)
                track.begin(at)
            stop = min(end, track.minute + MINUTE)
            if track.well:
                track.up += stop - at
            else:
                track.down += stop - at
            at = stop
        track.since = max(track.since, now)

    def _end_minute(self, track: _Track) -> None:
        if not (track.up or track.down):
            return
        up = track.up / 1000
        mean = track.latencies / track.results if track.results else track.latency
        largest = track.largest or (track.latency if up else 0.0)
        self._hours.at(track.minute).add(
            track.target_id, track.minute, up, track.down / 1000, mean * up, largest
        )
        track.up = track.down = 0

    async def _write(self) -> bool:
        """Write every row that changed; return whether the database took all of them."""
        if not self._loaded:
            return False  # what is there would be overwritten
        async with self._exchange:
            for hour in list(self._hours.dirty()):
                if not await self._write_hour(hour):
                    return False
            self._drop_lost()
        return True

    async def _write_hour(self, hour: Hour) -> bool:
        """Write the rows of an hour that changed, but for those whose past is not read yet."""
        subjects, cells = hour.take(without=self._gained)
        try:
            rows = await asyncio.to_thread(_packed, subjects, cells)
            await self._put(Level.MINUTE, hour.start, rows)
        except Unavailable as error:
            self._wait(hour, subjects, error)
            return False
        except asyncio.CancelledError:
            hour.dirty.update(subjects)
            raise
        self._metrics.rows.labels(Level.MINUTE.name.lower()).inc(len(rows))
        self._metrics.last_flush.set(self._clock.now() / 1000)
        return True

    def _drop_lost(self) -> None:
        """Forget what is written of targets that are another replica's now.

        When they come back, what both have seen is read from the database.
        """
        for subject in self._lost.difference(self._tracks):
            for hour in self._hours:
                if subject in hour and subject not in hour.dirty:
                    hour.drop(subject)
        self._lost.clear()

    def _wait(self, hour: Hour, subjects: Sequence[str], error: Unavailable) -> None:
        """Keep rows for the next attempt, unless they have waited too long."""
        hour.dirty.update(subjects)
        self._metrics.failures.inc()
        log.warning("rollups wait for the database", reason=str(error))
        for old in list(self._hours.before(self._closed - _LONGEST_WAIT)):
            self._metrics.lost.inc(len(old.dirty))
            self._hours.drop(old)


def _packed(subjects: Sequence[str], cells: Cells) -> list[PackedRow]:
    return [(subject, pack(row)) for subject, row in zip(subjects, cells, strict=True)]
