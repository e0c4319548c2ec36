"""Instants and durations as people read them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from babel.core import Locale
from babel.dates import format_datetime, format_timedelta
from markupsafe import Markup, escape

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import format_time

_MINUTE: Final = 60_000
_SHORT: Final = (
    (86_400_000, "d"),
    (3_600_000, "h"),
    (60_000, "m"),
    (1_000, "s"),
)


def compact(duration: Duration) -> str:
    """Return a duration in its two largest units: `3d 4h`, `2m 5s`, `40 ms`."""
    left = abs(duration)
    if left < 1_000:
        return f"{left} ms"
    parts = []
    for size, unit in _SHORT:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def in_words(duration: Duration, locale: Locale) -> str:
    """Return a duration in words, rounded to one unit: `3 hours`."""
    return format_timedelta(timedelta(milliseconds=duration), locale=locale, threshold=1.2)


def since(time: Timestamp, now: Timestamp, locale: Locale) -> str:
    """Return how long ago an instant is, or how far ahead, in words."""
    return format_timedelta(
        timedelta(milliseconds=time - now), locale=locale, add_direction=True, threshold=1.2
    )


def moment(time: Timestamp, locale: Locale) -> str:
    """Return an instant as plain text, in UTC."""
    return format_datetime(
        datetime.fromtimestamp(time / 1000, UTC), "yyyy-MM-dd HH:mm:ss 'UTC'", locale=locale
    )


def time_tag(time: Timestamp, now: Timestamp, locale: Locale, *, exact: bool = False) -> Markup:
    """Return a `<time>` element: relative, or the instant itself, which is its title in any case.

    The instant is in UTC; in the browser a script puts it into the reader's zone.
    """
    absolute = moment(time, locale)
    shown = absolute if exact else since(time, now, locale)
    how = "exact" if exact else "relative"
    return Markup('<time datetime="{}" title="{}" data-show="{}">{}</time>').format(
        format_time(time), absolute, how, escape(shown)
    )
