"""The store as a dictionary of lists: slow, and right by being simple."""

import math
import struct
from dataclasses import dataclass, field
from itertools import pairwise

from controlplane.model.samples import STALE_BITS


def bits(value: float) -> int:
    """Return the bits of a float, so that NaNs can be told apart."""
    number: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return number


@dataclass(slots=True)
class NaiveStore:
    """Samples by series; `rejected` counts by reason."""

    samples: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)

    def append(self, ref: int, time: int, value: float) -> None:
        series = self.samples.setdefault(ref, [])
        if series and time < series[-1][0]:
            self._reject("out_of_order")
        elif series and time == series[-1][0]:
            if bits(series[-1][1]) != bits(value):
                self._reject("duplicate")
        else:
            series.append((time, value))

    def window(self, ref: int, start: int, end: int) -> list[tuple[int, float]]:
        return [
            (time, value)
            for time, value in self.samples.get(ref, [])
            if start < time <= end and bits(value) != STALE_BITS
        ]

    def instant(self, ref: int, time: int, lookback: int) -> tuple[int, float] | None:
        seen = [s for s in self.samples.get(ref, []) if time - lookback < s[0] <= time]
        if not seen or bits(seen[-1][1]) == STALE_BITS:
            return None
        return seen[-1]

    def resets(self, ref: int, start: int, end: int) -> float:
        values = [value for _, value in self.window(ref, start, end)]
        return math.fsum(before for before, after in pairwise(values) if after < before)

    def _reject(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
