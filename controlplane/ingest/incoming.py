"""What any protocol comes to: series, samples in columns, what was left out."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, Times, Values


@dataclass(slots=True)
class Rejections:
    """How many samples are not taken in, by reason, with the first case of each in words."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, number: int = 1, example: str = "") -> None:
        """Count samples under a reason."""
        if number:
            self.counts[reason] = self.counts.get(reason, 0) + number
            self.examples.setdefault(reason, example)

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __str__(self) -> str:
        parts = []
        for reason, number in self.counts.items():
            example = self.examples[reason]
            words = f"{reason.replace('_', ' ')}: {number}"
            parts.append(f"{words} (first: {example})" if example else words)
        return "; ".join(parts)

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request.

    `keys` names m series in their protocol's own encoding, which `labels_of`
    decodes (it raises InvalidInput). Sample i, of n, belongs to series
    `owners[i]`; `owners`, `times` and `values` have the shape (n,). `exemplars`
    came along and are not kept; samples among `histograms`, by
    their place, are native histograms; `sender` is who sent it, where that is known.
    """

    protocol: str
    keys: Sequence[Hashable]
    labels_of: Callable[[Hashable], Labels]
    owners: Refs
    times: Times
    values: Values
    rejections: Rejections = field(default_factory=Rejections)
    exemplars: int = 0
    histograms: Mapping[int, FloatHistogram] = field(default_factory=dict)
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many samples were taken in, how many of them histograms, and what was not."""

    written: int
    rejections: Rejections
    histograms: int = 0
