"""The schedule: starts each target's probe in its slot, and stores what comes of it.

No task a probe: a tick calls the prober's `Start`, the end comes as a callback,
and all writes of one turn of the event loop go to the store together.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp, sleep_unless
from controlplane.errors import ControlPlaneError
from controlplane.probes.entry import Entry
from controlplane.probes.job import ProbeJob, Taken
from controlplane.probes.metrics import ProbeMetrics
from controlplane.probes.outcome import Evidence, Outcome, Reason
from controlplane.probes.ports import EvidenceSink, ResultSink, StateSink
from controlplane.probes.prober import Prober, Start, Tools
from controlplane.probes.recording import Recorder, Row, writes_of
from controlplane.probes.wheel import GRAIN, Wheel, slot_at
from controlplane.telemetry.changes import ChangeLines
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Appender, Write

log = get_logger(__name__)

# The wall clock jumped when it and the steady one disagree by more than this (seconds).
_JUMP_SECONDS: Final = 0.5
_LONGEST_SLEEP: Final = 0.05
# A result holds so long beyond the time by which the next one must have come.
_LATE_AT_MOST: Final[Duration] = 1_000
# Who lets go of a target makes up for a slot that has begun, so long at most (milliseconds).
_MADE_UP: Final[Duration] = 5_000
# Who takes one over makes up for its newest slot, unless the next one is as near as this. A service
# that nobody ran for longer than the gap has not missed single slots.
_TOO_NEAR: Final[Duration] = 100
_LONGEST_GAP: Final[Duration] = 600_000
# A process that stood still for longer (seconds) may have lost targets meanwhile.
_STALLED: Final = 1.0
# A probe that is not heard of so long after its time-out is given up (milliseconds).
_LOST_AFTER: Final[Duration] = 30_000


class Schedule:
    """All probes of this process. `put`, `remove`, `release` at any time, on the event loop."""

    def __init__(
        self,
        tools: Tools,
        probers: Mapping[str, Prober],
        appender: Appender,
        metrics: ProbeMetrics,
        evidence: EvidenceSink,
        changed: StateSink | None = None,
        results: ResultSink | None = None,
        *,
        owns: Callable[[str], bool] = lambda _key: True,
    ) -> None:
        """`owns` is asked after a standstill, of each target before it is probed."""
        self._owns = owns
        self._tools = tools
        self._clock: Clock = tools.clock
        self._probers = probers
        self._appender = appender
        self._metrics = metrics
        self._evidence = evidence
        self._changed = changed
        self._results = results
        self._changes = ChangeLines(log, self._clock.monotonic)
        self._entries: dict[str, Entry] = {}
        self._leaving: dict[str, Entry] = {}  # released, with a probe under way
        # What was released, when it is due, and until when nobody else begins with it.
        self._let_go: dict[str, tuple[Entry, Timestamp, Timestamp]] = {}
        self._left = asyncio.Event()
        self._left.set()
        self._wheel: Wheel[str] = Wheel()
        self._rows: list[Row | Write] = []
        self._successes = 0  # not counted in the metrics yet
        self._running = 0
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._ticks = 0
        self._process = secrets.token_hex(4)
        self._wall, self._steady = self._clock.now(), self._clock.monotonic()
        metrics.targets.set_function(lambda: len(self._entries))
        metrics.running.set_function(lambda: self._running)

    def put(self, job: ProbeJob, taken: Taken | None = None) -> None:
        """Put a job on the schedule, in place of the one with its key.

        With `taken`, go on where another replica has left off.
        """
        self._let_go.pop(job.key, None)
        old = self._entries.get(job.key)
        if old is None and (old := self._back(job.key)) is not None and taken is not None:
            self._take_over(old, taken)
        if old is not None and old.job == job:
            return
        if old is not None and old.job.labels == job.labels:
            recorder = old.recorder
        else:
            self._end(old)
            recorder = Recorder(self._appender, job.key, job.labels)
        entry = Entry(job, self._starter(job), recorder)
        if old is not None:
            entry.follow(old)
        self._entries[job.key] = entry
        self._await_slot(entry)
        if old is None and taken is not None:
            self._take_over(entry, taken)

    def remove(self, key: str) -> None:
        """Take a job off the schedule: its series end."""
        self._let_go.pop(key, None)
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.gone = True
            self._wheel.remove(key)
            self._end(entry)

    def release(self, key: str) -> None:
        """Leave a job to another replica: no series ends, and the probe under way ends as ever."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        now, due = self._clock.now(), self._wheel.remove(key)
        # What is due, and only its tick is late, is not for others, who go on from now. Who stood
        # still may have been taken for dead.
        if due is None or now - due > _STALLED * 1000:
            due = entry.next_slot(now)
        self._let_go[key] = entry, due, now + _MADE_UP
        if entry.running_until is not None:
            self._leaving[key] = entry
            self._left.clear()

    async def quiet(self) -> None:
        """Return when no probe of a released job is under way, and its result is stored.

        The longest time-out bounds the wait.
        """
        now = self._clock.now()
        for key, entry in list(self._leaving.items()):
            if entry.running_until is None or now >= entry.running_until + _LOST_AFTER:
                del self._leaving[key]
        self._settle_leaving()
        await self._left.wait()
        self._flush()

    def make_up(self) -> Timestamp:
        """Probe once more what was released, where a slot has begun since; return until when.

        To be called right before others may begin with it, at the slots after that.
        """
        now, released = self._clock.now(), self._let_go
        self._let_go = {}
        for entry, due, until in released.values():
            if due <= now <= until and entry.running_until is None:
                self._start(entry, max(due, slot_at(now, entry.interval, entry.offset)))
        return now

    def succeeded(self, key: str) -> bool | None:
        """Tell whether a job's last probe was a success; None before its first."""
        entry = self._entries.get(key)
        return None if entry is None else entry.succeeded

    def jobs(self) -> list[ProbeJob]:
        """Return what is on the schedule."""
        return [entry.job for entry in self._entries.values()]

    def _back(self, key: str) -> Entry | None:
        """Return a job that was released a moment ago and comes back, on the schedule again."""
        entry = self._leaving.pop(key, None)
        if entry is not None:
            self._entries[key] = entry
            self._await_slot(entry)
            self._settle_leaving()
        return entry

    def _take_over(self, entry: Entry, taken: Taken) -> None:
        """Know what is no news, which series there are, and which slots had no probe.

        The newest slot is made up for: a target whose owner died misses none
        as long as it is taken over within its interval. Its samples have the
        time at which it is made up for, for the dead may have had the slot's.
        """
        entry.before = taken.well
        if taken.well is not None:
            entry.recorder.inherit(taken.reason)
        now = self._clock.now()
        if taken.since is None or now - taken.since > _LONGEST_GAP:
            return
        newest = slot_at(now, entry.interval, entry.offset)
        missed = (newest - slot_at(taken.since, entry.interval, entry.offset)) // entry.interval
        left = newest + entry.interval - now
        if missed > 0 and left >= min(_TOO_NEAR, entry.interval // 10):
            self._wheel.put(entry.job.key, now)
            entry.making_up = True
            missed -= 1
        self._metrics.missed_taken_over.inc(max(0, missed))

    def _await_slot(self, entry: Entry) -> None:
        """Have the job probed at its next slot."""
        self._wheel.put(entry.job.key, entry.next_slot(self._clock.now()))

    def _settle_leaving(self) -> None:
        if not self._leaving:
            self._left.set()

    async def run(self) -> None:
        """Probe until cancelled."""
        while not self._stopping:
            self.turn()
            await self._clock.sleep(self._patience())

    async def drain(self, seconds: float = 5.0) -> None:
        """Start no more probes, and wait for those under way, so long at most."""
        self._stopping = True
        await sleep_unless(self._clock, self._idle, seconds)
        self._flush()

    def turn(self) -> None:
        """Start what is due now."""
        now = self._clock.now()
        stalled = self._clock.monotonic() - self._steady > _STALLED
        self._notice_jumps(now)
        self._changes.settle()
        for key, due in self._wheel.take(now):
            if stalled and not self._owns(key):
                self.release(key)
            else:
                self._tick(key, due, now)

    def _patience(self) -> float:
        next_at = self._wheel.next_at()
        if next_at is None:
            return _LONGEST_SLEEP
        # At least a grain: what is due meanwhile goes out together.
        return min(max(next_at - self._clock.now(), GRAIN // 2) / 1000, _LONGEST_SLEEP)

    def _notice_jumps(self, now: Timestamp) -> None:
        """Set all ticks anew when the wall clock was moved: neither flood nor stand still."""
        steady = self._clock.monotonic()
        jump = (now - self._wall) / 1000 - (steady - self._steady)
        self._wall, self._steady = now, steady
        if abs(jump) < _JUMP_SECONDS:
            return
        log.warning("wall clock jumped", seconds=round(jump, 3))
        self._metrics.clock_jumps.inc()
        for key in self._wheel.clear():
            entry = self._entries[key]
            if entry.running_until is not None:
                entry.running_until += round(jump * 1000)
            self._await_slot(entry)

    def _tick(self, key: str, due: Timestamp, now: Timestamp) -> None:
        entry = self._entries[key]
        late = (now - due) // entry.interval
        if late:
            self._metrics.missed_late.inc(late)
        slot = due + late * entry.interval
        self._wheel.put(key, entry.next_slot(slot))
        if entry.running_until is not None and now < entry.running_until + _LOST_AFTER:
            if entry.making_up:  # it began between slots: this one waits for it
                self._wheel.put(key, now + GRAIN)
            else:
                self._metrics.missed_running.inc()
            return
        self._metrics.lateness.observe((now - slot) / 1000)
        self._start(entry, slot)

    def _start(self, entry: Entry, slot: Timestamp) -> None:
        self._ticks += 1
        correlation_id = f"{self._process}{self._ticks & 0xFFFFFFFF:08x}"
        entry.running_until = slot + entry.timeout
        self._running += 1
        self._idle.clear()
        ended = False

        def done(outcome: Outcome) -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._done(entry, slot, correlation_id, outcome)

        try:
            entry.start(entry.timeout / 1000, done)
        except Exception:
            log.exception("prober failed", target=entry.job.key, correlation_id=correlation_id)
            done(_internal("the prober failed"))

    def _done(self, entry: Entry, slot: Timestamp, correlation_id: str, outcome: Outcome) -> None:
        entry.running_until, entry.making_up = None, False
        self._running -= 1
        if not self._running:
            self._idle.set()
        if self._leaving.get(entry.job.key) is entry:
            del self._leaving[entry.job.key]
            self._settle_leaving()
        if entry.gone:
            return
        if outcome.success is not entry.succeeded or outcome.reason is not entry.reason:
            self._tell(entry, outcome, correlation_id)
        entry.succeeded, entry.reason = outcome.success, outcome.reason
        if self._results is not None:
            # The next result may take its whole time.
            until = slot + entry.interval + entry.timeout + _LATE_AT_MOST
            now = self._clock.now()
            self._results(entry.job.key, now, outcome.success, outcome.duration, until)
        if outcome.reason is None:
            self._successes += 1
        else:
            self._metrics.failed.inc()
            self._metrics.failures.labels(outcome.reason.value).inc()
            self._evidence(entry.job.key, slot, outcome)
        try:
            row = entry.recorder.record(outcome, slot, entry.timeout / 1000, correlation_id)
        except ControlPlaneError as error:
            self._drop(1, error)
            return
        self._write(row)

    def _tell(self, entry: Entry, outcome: Outcome, correlation_id: str) -> None:
        """Say that a target went down or came back.

        That it was well from the start is no news, nor what another replica has said.
        """
        reason = "" if outcome.reason is None else outcome.reason.value
        if self._changed is not None:
            self._changed(entry.job.key, outcome.success, reason)
        before = entry.before if entry.succeeded is None else entry.succeeded
        if outcome.success is before or (outcome.success and before is None):
            return
        self._changes.tell(
            "target up" if outcome.success else "target down",
            target=entry.job.labels.value("job"),
            instance=entry.job.labels.value("instance"),
            id=entry.job.key,
            reason=reason or None,
            correlation_id=correlation_id,
        )

    def _end(self, entry: Entry | None) -> None:
        if entry is not None:
            write = entry.recorder.end(self._clock.now())
            if write is not None:
                self._write(write)

    def _write(self, row: Row | Write) -> None:
        if not self._rows:
            asyncio.get_running_loop().call_soon(self._flush)
        self._rows.append(row)

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if self._successes:
            self._metrics.succeeded.inc(self._successes)
            self._successes = 0
        if not rows:
            return
        try:
            self._appender.append(writes_of(rows))
        except ControlPlaneError as error:
            self._drop(len(rows), error)

    def _drop(self, count: int, error: ControlPlaneError) -> None:
        self._metrics.dropped.inc(count)
        log.warning("results of probes dropped", count=count, error=str(error))

    def _starter(self, job: ProbeJob) -> Start:
        if job.module is None:
            return _never(f"there is no module {job.module_name!r}")
        prober = self._probers.get(job.module.prober)
        if prober is None:
            return _never(f"there is no prober {job.module.prober!r}")
        return prober(self._tools, job.target, job.module)


def _never(error: str) -> Start:
    """Return a probe that fails at once, for a job that cannot be probed."""
    outcome = Outcome(False, 0.0, reason=Reason.CONFIG, evidence=Evidence(error))  # noqa: FBT003
    return lambda _timeout, done: done(outcome)


def _internal(error: str) -> Outcome:
    return Outcome(False, 0.0, reason=Reason.INTERNAL, evidence=Evidence(error))  # noqa: FBT003
