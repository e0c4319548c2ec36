"""A fire drill: a made-up alert that has to reach its receivers, and to end there, in time.

`judge` shows all that can become of a run:

    raised --told to every receiver in time--> delivered
    raised --not in time--> failed
    delivered --end told to all who want to hear of it, in time--> resolved
    delivered --not in time--> failed
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.alert import FIRE_DRILL, TEST_LABEL, Alert
from controlplane.model.cron import Cron, parse_cron
from controlplane.model.duration import MINUTE, format_duration, format_time
from controlplane.model.labels import EMPTY, Labels
from controlplane.notify.channels import Channel
from controlplane.notify.message import Message, MessageState

# A drill that comes more often than this is no drill but noise.
_SHORTEST: Final = MINUTE
# So long after its time an alert ends by itself, should nobody be there to end it.
_LEFT_ALONE: Final = MINUTE
_OURS: Final = ("drill", "receiver", "run", TEST_LABEL)


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """One entry of `drills`: for one `receiver`, or for whoever the `labels` are routed to.

    It is run by `schedule` (crontab(5), in the zone `location`) or each `interval`.
    """

    name: str
    receiver: str = ""
    labels: Labels = EMPTY
    schedule: str = ""
    location: str = "UTC"
    interval: Duration = 0
    deliver_within: Duration = 5 * MINUTE
    resolve_within: Duration = 15 * MINUTE

    def __post_init__(self) -> None:
        if bool(self.receiver) == bool(self.labels):
            raise InvalidInput("a drill has either a receiver or labels", pointer="/name")
        if bool(self.schedule) == bool(self.interval):
            raise InvalidInput("a drill has either a schedule or an interval", pointer="/name")
        if self.interval and self.interval < _SHORTEST:
            reason = f"interval must be at least {format_duration(_SHORTEST)}"
            raise InvalidInput(reason, pointer="/interval")
        for name in _OURS:
            if name in self.labels:
                raise InvalidInput(f"the label {name} is the drill's own", pointer="/labels")
        self.when()

    def when(self) -> Cron | Duration:
        """Return when it is run."""
        if self.interval:
            return self.interval
        try:
            return parse_cron(self.schedule, self.location)
        except InvalidInput as error:
            raise InvalidInput(error.reason, pointer="/schedule") from None

    def alert(self, now: Timestamp, correlation_id: str) -> Alert:
        """Return the alert of a run; each run has its own, with its own story."""
        own = {TEST_LABEL: "true", "drill": self.name, "run": format_time(now)}
        if self.receiver:
            own["receiver"] = self.receiver
        return Alert(
            labels=Labels({"alertname": FIRE_DRILL, **dict(self.labels), **own}),
            annotations=Labels(
                {
                    "summary": f"Fire drill {self.name}: nothing is broken",
                    "description": "This alert was made up to try whether you would be told. "
                    "It ends by itself; there is nothing to do.",
                }
            ),
            starts_at=now,
            ends_at=now + self.deliver_within + _LEFT_ALONE,
            updated_at=now,
            correlation_id=correlation_id,
        )


class Stage(StrEnum):
    """How far a run has come."""

    RAISED = "raised"
    DELIVERED = "delivered"
    RESOLVED = "resolved"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        return self in (Stage.RESOLVED, Stage.FAILED)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a drill. `channels` are told of it, those among `closing` also of its end.

    `delivered_at` is when the last of them was told; `missing` are the channels
    that were not, and `failure` says so in words.
    """

    drill: DrillOptions
    alert: Alert
    channels: tuple[Channel, ...]
    closing: frozenset[Channel]
    stage: Stage = Stage.RAISED
    delivered_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    missing: tuple[Channel, ...] = ()
    failure: str = ""

    @property
    def started_at(self) -> Timestamp:
        return self.alert.starts_at


def judge(run: Run, messages: Sequence[Message], now: Timestamp) -> Run:
    """Return what has become of a run, by the messages that told of its alert."""
    match run.stage:
        case Stage.RAISED:
            if not run.channels:
                return _failed(run, (), "nobody is told: its receivers have no integrations", now)
            within = run.drill.deliver_within
            firing = _about(run, messages, firing=True)
            told = _told(firing, run.started_at + within)
            missing = tuple(channel for channel in run.channels if channel not in told)
            if not missing:
                return replace(run, stage=Stage.DELIVERED, delivered_at=max(told.values()))
            if now < run.started_at + within:
                return run
            return _failed(run, missing, _words(missing, firing, "was not told", within), now)
        case Stage.DELIVERED:
            within = run.drill.resolve_within
            begun = run.delivered_at or run.started_at
            ends = _about(run, messages, firing=False)
            told = _told(ends, begun + within)
            missing = tuple(each for each in run.channels if each in run.closing - told.keys())
            if not missing:
                return replace(run, stage=Stage.RESOLVED, ended_at=now)
            if now < begun + within:
                return run
            said = _words(missing, ends, "was not told of its end", within)
            return _failed(run, missing, said, now)
        case Stage.RESOLVED | Stage.FAILED:
            return run


def _words(
    missing: Sequence[Channel], messages: Sequence[Message], what: str, within: Duration
) -> str:
    return "; ".join(
        f"{'/'.join(channel)} {what} within {format_duration(within)}: {_why(channel, messages)}"
        for channel in missing
    )


def _failed(run: Run, missing: tuple[Channel, ...], failure: str, now: Timestamp) -> Run:
    return replace(run, stage=Stage.FAILED, missing=missing, failure=failure, ended_at=now)


def _about(run: Run, messages: Sequence[Message], *, firing: bool) -> list[Message]:
    """Return the messages that told that the alert fires, or that it has ended."""
    name = run.alert.fingerprint
    return [
        message
        for message in messages
        if name in (message.told.firing if firing else message.told.resolved)
    ]


def _told(messages: Sequence[Message], deadline: Timestamp) -> Mapping[Channel, Timestamp]:
    """Return when each channel was first told, of those that were in time."""
    found: dict[Channel, Timestamp] = {}
    for message in messages:
        at = message.finished_at
        if message.state is MessageState.DELIVERED and at is not None and at <= deadline:
            found[message.channel] = min(at, found.get(message.channel, at))
    return found


def _why(channel: Channel, messages: Sequence[Message]) -> str:
    """Return what the last message to a channel has met."""
    mine = [message for message in messages if message.channel == channel]
    last = max(mine, key=lambda message: message.id, default=None)
    if last is None:
        return "there is no message for it"
    if last.state is MessageState.DELIVERED:
        return "its message came too late"
    return f"its message is {last.state.value}" + (f": {last.failure}" if last.failure else "")
