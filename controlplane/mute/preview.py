"""What a silence would hide now, and what it would have hidden in the past."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert
from controlplane.mute.ports import Past
from controlplane.mute.silence import Silence, silences_nearly_all

# Alerts read at once, so that nobody else waits long, and in all.
_PAGE: Final = 500
_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence hides. `complete` is false when there were too many alerts to look at all.

    `alerts` counts how often an alert began since an instant that it would
    have hidden, `notifications` those that arrived about none but such alerts.
    """

    hidden: tuple[Alert, ...]
    nearly_all: bool
    since: Timestamp
    alerts: int
    notifications: int
    complete: bool


async def preview(
    silence: Silence,
    past: Past,
    firing: Iterable[Alert],
    *,
    since: Timestamp,
    now: Timestamp,
) -> Preview:
    """Ask what a silence that is in force now, and was from `since` on, hides. Raises Unavailable.

    Of the past only its hours count, not its start and end.
    """
    matched, complete = await _matched(silence, past, since)
    began = await past.began(matched, since)
    told = await past.told(matched, since)
    hidden = [alert for alert in firing if silence.in_hours(now) and silence.matches(alert.labels)]
    return Preview(
        hidden=tuple(hidden),
        nearly_all=silences_nearly_all(silence),
        since=since,
        alerts=sum(map(silence.in_hours, began)),
        notifications=sum(map(silence.in_hours, told)),
        complete=complete,
    )


async def _matched(silence: Silence, past: Past, since: Timestamp) -> tuple[list[str], bool]:
    """Return the alerts of the past that it matches, and whether all were looked at."""
    found: list[str] = []
    after = ""
    for _ in range(_MOST // _PAGE):
        page = await past.alerts(since, after=after, limit=_PAGE)
        found += [fingerprint for fingerprint, labels in page if silence.matches(labels)]
        if len(page) < _PAGE:
            return found, True
        after = page[-1][0]
    return found, False
