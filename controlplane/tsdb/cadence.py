"""At what interval does a series come? Learnt from its samples, one number a series."""

from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Mask, Refs, Times

# Intervals that people configure; a mean within 3 % of one is taken for it.
_USUAL: Final[Times] = np.array(
    [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600], dtype=np.int64
) * np.int64(1000)
_SECOND: Final = 1000
_GRAIN: Final = 50
_NEAR: Final = 0.03
# Even steps in a row until a series counts as regular, and at most so many
# for one that had to leave its slab before: each time twice as many.
_PATIENCE: Final = 4
_LONGEST_PATIENCE: Final = 1024


class Cadence:
    """What is known of the rhythm of series that are not in a slab."""

    def __init__(self) -> None:
        self._since: Times = np.zeros(0, dtype=np.int64)
        self._step: Times = np.zeros(0, dtype=np.int64)
        self._even: npt.NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._patience: npt.NDArray[np.int32] = np.zeros(0, dtype=np.int32)

    def grow(self, room: int) -> None:
        """Make room for `room` series."""
        self._since = np.resize(self._since, room)
        self._step = np.concatenate((self._step, np.zeros(room - len(self._step), np.int64)))
        self._even = np.concatenate((self._even, np.zeros(room - len(self._even), np.int32)))
        more = np.full(room - len(self._patience), _PATIENCE, np.int32)
        self._patience = np.concatenate((self._patience, more))

    def observe(self, refs: Refs, before: Times, times: Times, ended: Mask) -> tuple[Refs, Times]:
        """Note the newest step of series (from `before` to `times`; `ended` by a marker).

        Returns the series that now count as regular, and their intervals.
        """
        steps = times - before
        even = (np.abs(steps - self._step[refs]) <= self._step[refs] // 4) & ~ended
        run = np.where(even, self._even[refs] + 1, 0)
        self._even[refs] = run
        fresh = refs[~even]
        self._since[fresh] = times[~even]
        self._step[fresh] = np.where(ended, 0, steps)[~even]
        ready = run >= self._patience[refs]
        if not ready.any():
            return refs[:0], times[:0]
        refs = refs[ready]
        intervals = nominal((times[ready] - self._since[refs]) / run[ready])
        self._even[refs] = 0
        known = intervals > 0
        return refs[known], intervals[known]

    def disappointed(self, refs: Refs) -> None:
        """Be slower to call these regular again."""
        self._patience[refs] = np.minimum(2 * self._patience[refs], _LONGEST_PATIENCE)
        self._step[refs] = 0
        self._even[refs] = 0


def nominal(means: npt.NDArray[np.float64]) -> Times:
    """Return the intervals (ms) that mean distances between samples stand for, 0: none."""
    usual = _USUAL[np.abs(means[:, None] - _USUAL[None, :]).argmin(axis=1)]
    whole = np.maximum(np.rint(means / _SECOND), 1).astype(np.int64) * _SECOND
    grain = np.maximum(np.rint(means / _GRAIN), 1).astype(np.int64) * _GRAIN
    near = means * _NEAR
    found: Times = np.select(
        [np.abs(guess - means) <= near for guess in (usual, whole, grain)], [usual, whole, grain], 0
    )
    return found
