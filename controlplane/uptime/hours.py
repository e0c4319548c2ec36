"""The minutes of the hours that are under way: in memory, all subjects of an hour in one array."""

from collections.abc import Container, Iterator, Sequence
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.duration import MINUTE, SECOND
from controlplane.uptime.cells import (
    FIELDS,
    LATENCY_MAX,
    MAINTENANCE,
    Cells,
    Level,
    average,
    unpack,
)
from controlplane.uptime.ports import PackedRow

_FIRST_CAPACITY: Final = 64
_MINUTE_SECONDS: Final = MINUTE // SECOND


class Hour:
    """Sixty cells for each subject seen in it, and which rows the database does not have yet."""

    __slots__ = ("_cells", "_free", "_rows", "dirty", "start")

    def __init__(self, start: Timestamp) -> None:
        self.start = start
        self.dirty: set[str] = set()
        self._rows: dict[str, int] = {}
        self._free: list[int] = []  # rows of subjects that were dropped
        self._cells: Cells = np.zeros(
            (_FIRST_CAPACITY, Level.MINUTE.size, FIELDS), dtype=np.float32
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, subject: str) -> bool:
        return subject in self._rows

    def drop(self, subject: str) -> None:
        """Forget what was seen of a subject."""
        row = self._rows.pop(subject)
        self._cells[row] = 0.0
        self._free.append(row)
        self.dirty.discard(subject)

    def load(self, rows: Sequence[PackedRow]) -> None:
        """Add what was kept of the hour before a restart: other seconds than those seen since."""
        for subject, packed in rows:
            row, kept = self._row(subject), unpack(packed, Level.MINUTE)
            largest = np.maximum(self._cells[row, :, LATENCY_MAX], kept[:, LATENCY_MAX])
            self._cells[row] += kept
            self._cells[row, :, LATENCY_MAX] = largest

    def add(
        self,
        subject: str,
        time: Timestamp,
        up: float,
        down: float,
        latency_sum: float,
        latency_max: float,
    ) -> None:
        """Add seconds to the minute that an instant lies in."""
        cell = self._cell(subject, time)
        cell += (up, down, 0.0, latency_sum, 0.0)
        cell[LATENCY_MAX] = max(cell[LATENCY_MAX], latency_max)
        self.dirty.add(subject)

    def maintain(self, subject: str, minute: Timestamp) -> None:
        """Make a whole minute planned maintenance, whatever was seen in it."""
        cell = self._cell(subject, minute)
        cell[:] = 0.0
        cell[MAINTENANCE] = _MINUTE_SECONDS
        self.dirty.add(subject)

    def gather(self, group: str, members: Sequence[str], minute: Timestamp) -> None:
        """Make a minute of a group the average of its members'; of some nothing may be known."""
        rows = [self._rows[member] for member in members if member in self._rows]
        if not rows:
            return
        place = Level.MINUTE.place_of(minute)
        known = average(self._cells[rows, place][:, None])[0]
        known[:LATENCY_MAX] *= len(rows) / len(members)
        self._cell(group, minute)[:] = known
        self.dirty.add(group)

    def take(self, without: Container[str] = ()) -> tuple[Sequence[str], Cells]:
        """Return the subjects that changed, with a copy of their rows, and forget that they did.

        Those `without` stay as they are.
        """
        subjects = sorted(subject for subject in self.dirty if subject not in without)
        self.dirty.difference_update(subjects)
        return subjects, self._cells[[self._rows[subject] for subject in subjects]]

    def _cell(self, subject: str, time: Timestamp) -> Cells:
        """Return the cell of a minute, to be written to."""
        row = self._row(subject)  # first: it may put a larger array in place
        cell: Cells = self._cells[row, Level.MINUTE.place_of(time)]
        return cell

    def _row(self, subject: str) -> int:
        row = self._rows.get(subject)
        if row is None:
            row = self._rows[subject] = self._free.pop() if self._free else len(self._rows)
            if row >= len(self._cells):
                self._cells = np.concatenate((self._cells, np.zeros_like(self._cells)))
        return row


class Hours:
    """The hours that are not wholly written, by where they begin."""

    def __init__(self) -> None:
        self._hours: dict[Timestamp, Hour] = {}

    def at(self, time: Timestamp) -> Hour:
        """Return the hour that an instant lies in."""
        start = Level.MINUTE.row_of(time)
        hour = self._hours.get(start)
        if hour is None:
            hour = self._hours[start] = Hour(start)
        return hour

    def __iter__(self) -> Iterator[Hour]:
        return iter(tuple(self._hours.values()))

    def before(self, time: Timestamp) -> Iterator[Hour]:
        """Yield the hours that end at an instant or before, the oldest first."""
        for start in sorted(self._hours):
            if start + Level.MINUTE.span <= time:
                yield self._hours[start]

    def dirty(self) -> Iterator[Hour]:
        """Yield the hours with rows that are to be written, the oldest first."""
        for start in sorted(self._hours):
            if self._hours[start].dirty:
                yield self._hours[start]

    def drop(self, hour: Hour) -> None:
        """Forget an hour."""
        self._hours.pop(hour.start, None)
