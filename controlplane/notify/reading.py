"""How bad it is: what an alert's expression gives, and from where on it alerts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controlplane.model.labels import Labels
from controlplane.templating.functions import four_digits, humanize


@dataclass(frozen=True, slots=True)
class Reading:
    """A value, and what it is compared with; the alert fires where that holds."""

    value: float
    comparison: str = ""
    threshold: float | None = None

    def __str__(self) -> str:
        """Return `0.124, limit > 0.05`; where no limit is known the value alone."""
        if self.threshold is None:
            return _words(self.value)
        return f"{_words(self.value)}, limit {self.comparison} {_words(self.threshold)}"


# The readings of the alerts with a name, by their labels: those that rules of ours raised.
Readings = Callable[[str], Mapping[Labels, Reading]]


def no_readings(_name: str) -> Mapping[Labels, Reading]:
    """Know of no value."""
    return {}


def _words(value: float) -> str:
    return humanize(value) if abs(value) >= 1_000 else four_digits(value)
