"""A silence: for a time, alerts with certain labels are not told of."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import DAY
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.matchers import Matcher, MatchOp, matches_all
from controlplane.model.time_interval import TimeInterval
from controlplane.mute.options import SilenceOptions

# An acknowledgement whose alert never ends ends after this long, unless told otherwise.
LONGEST_ACKNOWLEDGED: Final[Duration] = 7 * DAY
# Values that nobody gives a label: a matcher that lets all of them pass narrows nothing down.
_IMPROBABLE: Final = ("zq7-0f", "Xk_9.w:~", "\u6f22 4")


class SilenceState(StrEnum):
    """Where a silence stands, as Alertmanager's API says it."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class Action(StrEnum):
    """What was done to a silence."""

    CREATED = "created"
    CHANGED = "changed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence. `times` narrow it to recurring hours; none means always.

    `until_resolved` ends it with the last alert that it matches: an
    acknowledgement.
    """

    matchers: tuple[Matcher, ...]
    starts_at: Timestamp
    ends_at: Timestamp
    created_by: str
    comment: str
    id: str = ""
    updated_at: Timestamp = 0
    annotations: Labels = EMPTY
    times: tuple[TimeInterval, ...] = ()
    until_resolved: bool = False

    def state(self, now: Timestamp) -> SilenceState:
        """Return pending before the start, expired from the very instant of the end."""
        if self.ends_at <= now:
            return SilenceState.EXPIRED
        return SilenceState.PENDING if now < self.starts_at else SilenceState.ACTIVE

    def mutes_at(self, now: Timestamp) -> bool:
        """Tell whether what it matches is muted now: active, and within its hours."""
        return self.state(now) is SilenceState.ACTIVE and self.in_hours(now)

    def in_hours(self, now: Timestamp) -> bool:
        """Tell whether an instant lies in its recurring hours, if it has any."""
        return not self.times or any(times.contains(now) for times in self.times)

    def matches(self, labels: Labels) -> bool:
        return matches_all(self.matchers, labels)

    def says_what(self, other: "Silence", now: Timestamp) -> bool:
        """Tell whether it stands for what another one asks for, but for its end."""
        if self.state(now) is SilenceState.EXPIRED:
            return False
        begun = max(self.starts_at, other.starts_at) <= now
        return (begun or self.starts_at == other.starts_at) and _wording(self) == _wording(other)

    def expired(self, now: Timestamp) -> "Silence":
        """Return it ended now; one that has not begun never will."""
        return replace(self, starts_at=min(self.starts_at, now), ends_at=now, updated_at=now)


@dataclass(frozen=True, slots=True)
class SilenceChange:
    """A silence as it stood after somebody did something to it."""

    silence: Silence
    action: Action
    at: Timestamp
    by: str


def check(silence: Silence, options: SilenceOptions) -> None:
    """Raise InvalidInput for a silence that Alertmanager would refuse too, or that is too large."""
    if not silence.matchers:
        raise InvalidInput("invalid silence: at least one matcher required", pointer="/matchers")
    if len(silence.matchers) > options.max_matchers:
        raise InvalidInput(
            f"invalid silence: more than {options.max_matchers} matchers", pointer="/matchers"
        )
    for place, matcher in enumerate(silence.matchers):
        if not matcher.name:
            raise InvalidInput(
                f'invalid silence: invalid label matcher {place}: invalid label name ""',
                pointer=f"/matchers/{place}/name",
            )
    if all(_takes_absent(matcher) for matcher in silence.matchers):
        raise InvalidInput(
            "invalid silence: at least one matcher must not match the empty string",
            pointer="/matchers",
        )
    if silence.ends_at < silence.starts_at:
        raise InvalidInput(
            "invalid silence: end time must not be before start time", pointer="/ends_at"
        )
    if _size(silence) > options.max_size:
        raise InvalidInput(f"invalid silence: more than {options.max_size} bytes")
    annotations = sum(len(name) + len(value) for name, value in silence.annotations.pairs)
    if max(len(silence.comment), annotations) > options.max_text:
        raise InvalidInput(
            f"invalid silence: more than {options.max_text} characters of text", pointer="/comment"
        )


def silences_nearly_all(silence: Silence) -> bool:
    """Tell whether no matcher narrows it down, as `alertname=~".+"` or `team!="x"` do not."""
    return all(all(matcher.matches(value) for value in _IMPROBABLE) for matcher in silence.matchers)


def can_become(old: Silence, new: Silence, now: Timestamp) -> bool:
    """Tell whether a change leaves what was silenced in the past as it was.

    Where it does not, the old silence ends and the new one gets an id of its
    own (Alertmanager, canUpdate).
    """
    if old.matchers != new.matchers or old.times != new.times:
        return False
    match old.state(now):
        case SilenceState.ACTIVE:
            return old.starts_at // 1000 == new.starts_at // 1000 and new.ends_at >= now
        case SilenceState.PENDING:
            return new.starts_at >= now
        case SilenceState.EXPIRED:
            return False


def _wording(silence: Silence) -> tuple[object, ...]:
    return (
        silence.matchers,
        silence.created_by,
        silence.comment,
        silence.annotations,
        silence.times,
        silence.until_resolved,
    )


def _size(silence: Silence) -> int:
    texts = [silence.created_by, silence.comment, *map(str, silence.matchers)]
    texts += [text for pair in silence.annotations.pairs for text in pair]
    return sum(len(text.encode()) for text in texts)


def _takes_absent(matcher: Matcher) -> bool:
    """Tell whether a matcher asks for nothing; a negative one does ask, for Alertmanager."""
    return matcher.op in (MatchOp.EQUAL, MatchOp.REGEX) and matcher.matches("")
