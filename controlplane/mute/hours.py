"""Time intervals of a route: hours in which its groups are not told, or only told in."""

from collections.abc import Iterable, Mapping
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.time_interval import TimeInterval
from controlplane.mute.ports import Moment


class Hours:
    """A Muter: the route of a group decides, whatever the labels of its alerts."""

    kind: Final = "time_interval"

    def __init__(self, intervals: Mapping[str, tuple[TimeInterval, ...]]) -> None:
        self._intervals = intervals

    def reload(self, intervals: Mapping[str, tuple[TimeInterval, ...]]) -> None:
        """Change to other intervals. A group under way may still name one that is gone."""
        self._intervals = intervals

    def muted_by(self, _labels: Labels, moment: Moment) -> tuple[str, ...]:
        """Return the names of the intervals that mute a group, none when it is told."""
        return self.muting(moment)

    def muting(self, moment: Moment) -> tuple[str, ...]:
        """Return the mute intervals that hold, else all active ones if none of them holds."""
        muting = self._holding(moment.mute_time_intervals, moment.at)
        if muting or not moment.active_time_intervals:
            return muting
        active = self._holding(moment.active_time_intervals, moment.at)
        return () if active else moment.active_time_intervals

    def _holding(self, names: Iterable[str], now: Timestamp) -> tuple[str, ...]:
        return tuple(
            name for name in names if any(i.contains(now) for i in self._intervals.get(name, ()))
        )
