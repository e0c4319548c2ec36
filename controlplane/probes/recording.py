"""From outcomes to writes: a steady probe costs no work on labels, and no array of its own."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import STALE_BITS, Refs, Values
from controlplane.probes.outcome import EMPTY_LAYOUT, Layout, Outcome, Reason, SeriesKey
from controlplane.tsdb.ports import Appender, Write

# The series that every probe has, before those of its prober.
COMMON: Final[tuple[SeriesKey, ...]] = (
    ("probe_success", ()),
    ("probe_duration_seconds", ()),
    ("probe_timeout_seconds", ()),
)
# Kinds of outcome whose series numbers a target keeps at hand.
_REMEMBERED: Final = 8

_Kind = tuple[Layout, Reason | None]
# A write whose values are not an array yet: `Write`'s fields in their order.
Row = tuple[str, Timestamp, Refs, tuple[float, ...], str]


class Recorder:
    """The series of one target, and which of them its last probe wrote."""

    __slots__ = ("_appender", "_epoch", "_known", "_last", "_origin", "_steady", "_time", "labels")

    def __init__(self, appender: Appender, origin: str, labels: Labels) -> None:
        """`labels` are those of the target, which all its series carry."""
        self._appender = appender
        self._origin = origin
        self.labels = labels
        self._epoch = appender.epoch
        self._known: dict[_Kind, Refs] = {}
        self._last: _Kind | None = None
        self._steady: Refs | None = None  # of successes like the last one
        self._time: Timestamp = 0

    def record(
        self, outcome: Outcome, time: Timestamp, timeout: float, correlation_id: str
    ) -> Row | Write:
        """Return what one outcome writes; series that it no longer has end in it."""
        last = self._last
        if (
            self._steady is not None
            and last is not None
            and outcome.reason is None
            and outcome.layout is last[0]
            and self._appender.epoch == self._epoch
        ):
            self._time = time
            numbers = (1.0, outcome.duration, timeout, *outcome.values)
            return self._origin, time, self._steady, numbers, correlation_id
        kind = (outcome.layout, outcome.reason)
        refs = self._refs(kind)
        self._steady = refs if outcome.reason is None else None
        head = (float(outcome.success), outcome.duration, timeout)
        if outcome.reason is None:
            values = np.array(head + outcome.values, dtype=np.float64)
        else:
            values = np.array((*head, *outcome.values, 1.0), dtype=np.float64)
        if self._last is not None and kind != self._last:
            ended = _missing(self._refs(self._last), refs)
            refs = np.concatenate((refs, ended))
            values = np.concatenate((values, _markers(len(ended))))
        self._last, self._time = kind, time
        return Write(self._origin, time, refs, values, correlation_id)

    def inherit(self, reason: Reason | None) -> None:
        """Go on after another process, whose last probe failed for a reason, or did not.

        So the series of that reason ends with the first outcome that is another.
        """
        self._last = (EMPTY_LAYOUT, reason)

    def end(self, now: Timestamp, correlation_id: str = "") -> Write | None:
        """Return the write that ends all series, None when none was ever written."""
        if self._last is None:
            return None
        refs = self._refs(self._last)
        self._last = self._steady = None
        time = max(now, self._time + 1)
        return Write(self._origin, time, refs, _markers(len(refs)), correlation_id)

    def _refs(self, kind: _Kind) -> Refs:
        if self._appender.epoch != self._epoch:
            self._known.clear()
            self._epoch = self._appender.epoch
        refs = self._known.get(kind)
        if refs is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            refs = self._known[kind] = self._resolve(_series(kind))
        return refs

    def _resolve(self, series: tuple[SeriesKey, ...]) -> Refs:
        """Return the numbers of the series. What another kind of outcome has is known.

        So when all targets fail at once, each has one new series, not twenty.
        """
        numbers: dict[SeriesKey, int] = {}
        for kind, refs in self._known.items():
            numbers.update(zip(_series(kind), refs.tolist(), strict=True))
        new = [key for key in series if numbers.get(key, -1) < 0]
        if new:
            labels = [series_labels(self.labels, name, own) for name, own in new]
            numbers.update(zip(new, self._appender.refs(labels).tolist(), strict=True))
        return np.array([numbers[key] for key in series], dtype=np.int64)


def _series(kind: _Kind) -> tuple[SeriesKey, ...]:
    """Return the series of a kind of outcome, in the order of its values."""
    layout, reason = kind
    if reason is None:
        return (*COMMON, *layout.series)
    return (*COMMON, *layout.series, ("probe_failure_info", (("reason", reason.value),)))


def _missing(before: Refs, now: Refs) -> Refs:
    """Return what is in `before` and not in `now`; both are short."""
    there = set(now.tolist())
    return np.array([ref for ref in before.tolist() if ref not in there], dtype=np.int64)


def writes_of(rows: Iterable[Row | Write]) -> list[Write]:
    """Return the writes, in their order, with the values of all rows in one array."""
    rows = list(rows)
    numbers: list[float] = []
    for row in rows:
        if not isinstance(row, Write):
            numbers += row[3]
    values = np.array(numbers, dtype=np.float64)
    writes, begin = [], 0
    for row in rows:
        if isinstance(row, Write):
            writes.append(row)
            continue
        origin, time, refs, own, correlation_id = row
        end = begin + len(own)
        writes.append(Write(origin, time, refs, values[begin:end], correlation_id))
        begin = end
    return writes


def series_labels(target: Labels, name: str, own: tuple[tuple[str, str], ...]) -> Labels:
    """Return the labels of a series: where both name a label, the target's stands.

    The sample's is kept as `exported_<label>`, as with `honor_labels: false`.
    """
    pairs = dict(target.pairs)
    for label, value in own:
        if not value:
            continue
        while label in target:
            label = f"exported_{label}"  # noqa: PLW2901 - the name that is free
        pairs[label] = value
    pairs[METRIC_NAME] = name
    return Labels(pairs)


def _markers(count: int) -> Values:
    return np.full(count, STALE_BITS, dtype=np.uint64).view(np.float64)
