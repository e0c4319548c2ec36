"""What the schedule keeps of a job: all that is needed at a tick is at hand."""

from controlplane.clock import Timestamp
from controlplane.probes.job import ProbeJob, effective_timeout
from controlplane.probes.outcome import Reason
from controlplane.probes.prober import Start
from controlplane.probes.recording import Recorder
from controlplane.probes.wheel import phase, slot_at


class Entry:
    """A job with what it needs at hand at a tick."""

    __slots__ = (
        "before",
        "gone",
        "interval",
        "job",
        "making_up",
        "offset",
        "reason",
        "recorder",
        "running_until",
        "start",
        "succeeded",
        "timeout",
    )

    def __init__(self, job: ProbeJob, start: Start, recorder: Recorder) -> None:
        self.job = job
        self.start = start
        self.recorder = recorder
        self.interval = job.interval
        self.offset = phase(job.key, job.interval)
        self.timeout = effective_timeout(job)
        self.running_until: Timestamp | None = None
        self.making_up = False  # the next probe, or the one under way, is for a slot that is over
        self.succeeded: bool | None = None
        self.reason: Reason | None = None
        self.before: bool | None = None  # what another replica last said
        self.gone = False

    def follow(self, old: "Entry") -> None:
        """Go on with what is known of the target that was another job until now."""
        self.succeeded, self.reason, self.before = old.succeeded, old.reason, old.before
        old.gone = True

    def next_slot(self, now: Timestamp) -> Timestamp:
        """Return the first slot after `now`, which all replicas reckon alike."""
        return slot_at(now, self.interval, self.offset) + self.interval
