"""A request that is divided, because some samples of it come too late for the receiver.

Prometheus undoes a whole request of version 1 for one sample that is out of
order, so what else is in it has to come again without that sample. Which one it
was is found by halving.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.model.samples import Refs
from controlplane.tsdb.sift import Batch

_NONE: Final = np.zeros(0, dtype=np.int64)

# So many requests may come of one that was refused. Of 2,000 samples of a hundred
# targets this finds ten that are late, and loses nothing of the others; of
# twenty-five it loses one in a hundred. A backlog that is late as a whole costs
# no more than this either: below half a second a request, and six times its bytes.
MOST_REQUESTS: Final = 128
# Where all is late for long, each request in vain halves what the next may take:
# two senders of the same series shall not keep the receiver busy.
FEWEST_REQUESTS: Final = 16


class Parts:
    """What of a request is not done with: all of it at first, then what it was divided into.

    Parts are cut between targets as long as they hold several, then between
    series, so they may be sent in any order, and the largest goes first: when the
    bound is reached, only small ones are given up. One series alone is cut by
    time, and its parts are sent in that order.
    """

    def __init__(self, batch: Batch, places: Refs, bound: int = MOST_REQUESTS) -> None:
        """`batch` are all samples of the round, `places` those of the request among them.

        At most `bound` requests are made of it when it is refused.
        """
        self._batch = batch
        self._waiting: list[_Part] = [_Part(places, _NONE, 0)]
        self._at = 0
        self._bound = self._allowed = bound
        self._in_vain = True

    @property
    def left(self) -> int:
        """How many samples are not done with."""
        return sum(len(part.places) for part in self._waiting)

    @property
    def whole(self) -> bool:
        """Whether it was not divided yet."""
        return self._allowed == self._bound

    @property
    def next_bound(self) -> int:
        """How many requests may be made of the next one when this is done with."""
        if not self._in_vain:
            return MOST_REQUESTS
        return self._bound if self.whole else max(self._bound // 2, FEWEST_REQUESTS)

    def next(self) -> Refs | None:
        """Return what is to be sent now, None when all is done with."""
        ranks = [part.rank for part in self._waiting]
        if not ranks:
            return None
        self._at = ranks.index(max(ranks))
        return self._waiting[self._at].places

    def done(self, *, taken: bool) -> None:
        """Drop what `next` gave: it was taken, or given up."""
        del self._waiting[self._at]
        self._in_vain &= not taken

    def divisible(self, places: Refs) -> bool:
        """Tell whether these may be sent in two parts."""
        return len(places) > 1 and self._allowed > 1

    def divide(self, places: Refs) -> None:
        """Put two halves in the place of what `next` gave.

        `places` are those of it that were sent, sorted by series, then time.
        """
        self._allowed -= 2
        cut = self._part(places).middle
        self._waiting[self._at : self._at + 1] = [
            self._part(places[:cut]),
            self._part(places[cut:]),
        ]

    def _part(self, places: Refs) -> "_Part":
        """Find where these may be cut.

        The rows of a target were written at one instant, and its series have
        numbers that follow one another; the next target has another instant.
        """
        series = np.flatnonzero(np.diff(self._batch.refs[places])) + 1
        first = self._batch.times[places[np.concatenate(([0], series))]]
        targets = series[np.flatnonzero(np.diff(first))]
        if len(targets):
            return _Part(places, targets, 2)
        return _Part(places, series, 1 if len(series) else 0)


@dataclass(frozen=True, slots=True)
class _Part:
    """Samples to be sent together; `ends` is where it is best cut, `several` tells between what.

    2: targets, 1: series, 0: the samples of one series.
    """

    places: Refs
    ends: Refs
    several: int

    @property
    def rank(self) -> tuple[int, int]:
        """The part of the highest rank is sent first, and of several such the first."""
        return self.several, len(self.places) if self.several else 0

    @property
    def middle(self) -> int:
        half = len(self.places) // 2
        if not len(self.ends):
            return half
        return int(self.ends[np.argmin(np.abs(self.ends - half))])
