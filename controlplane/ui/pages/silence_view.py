"""A silence made ready to be shown: its matchers and its hours as texts, what it hides."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.api.alertmanager.answers import unhurried
from controlplane.api.surface import Surface
from controlplane.api.v1.intervals import Interval
from controlplane.clock import Timestamp
from controlplane.model.alert import AlertStatus
from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.time_interval import TimeInterval
from controlplane.mute.silence import Silence, SilenceState


@dataclass(frozen=True, slots=True)
class SilenceView:
    """One silence as it stands now; `hidden` alerts are not told because of it."""

    silence: Silence
    state: SilenceState
    matchers: Sequence[str]
    hours: Sequence[str]
    in_hours: bool
    hidden: int = 0

    @property
    def over(self) -> bool:
        return self.state is SilenceState.EXPIRED

    @property
    def again(self) -> dict[str, Sequence[str]]:
        """The fields of a form for one like it."""
        comment = [self.silence.comment]
        return {"match": [format_matchers(self.silence.matchers)], "comment": comment}


def view(silence: Silence, now: Timestamp, hidden: Mapping[str, int]) -> SilenceView:
    """Return a silence with how many alerts each hides, by id."""
    return SilenceView(
        silence=silence,
        state=silence.state(now),
        matchers=[format_matchers((matcher,))[1:-1] for matcher in silence.matchers],
        hours=[hours(interval) for interval in silence.times],
        in_hours=silence.in_hours(now),
        hidden=hidden.get(silence.id, 0),
    )


def hours(interval: TimeInterval) -> str:
    """Return the hours of an interval in a line: `monday:friday 22:00-24:00 Europe/Berlin`."""
    shown = Interval.of(interval)
    times = [f"{each.start_time}-{each.end_time}" for each in shown.times or ()]
    days = [*(shown.weekdays or ()), *(shown.days_of_month or ())]
    rest = [*(shown.months or ()), *(shown.years or ())]
    parts = [", ".join(part) for part in (days, times, rest) if part]
    return " ".join([*parts, interval.location])


def said(view: SilenceView) -> str:
    """Return all texts of a silence, in small letters, to look for a word in."""
    silence = view.silence
    return "\n".join([*view.matchers, silence.created_by, silence.comment, silence.id]).lower()


async def hidden_by(on: Surface, now: Timestamp) -> Counter[str]:
    """Return how many alerts that fire each silence hides now, by its id."""
    found: Counter[str] = Counter()
    async for alert in unhurried(on.alerts.list(AlertStatus.FIRING), on.clock):
        found.update(on.silences.muting(alert.labels, now))
    return found
