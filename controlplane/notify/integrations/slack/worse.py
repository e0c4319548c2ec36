"""How bad a group is, and whether that is worse than its channel was ever told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.notify.incident import Told
from controlplane.notify.message import Notification

# The words that people give the label `severity`; others weigh nothing.
_WEIGHTS: Final[Mapping[str, int]] = {
    "info": 1,
    "information": 1,
    "low": 1,
    "warning": 2,
    "warn": 2,
    "minor": 2,
    "medium": 2,
    "error": 3,
    "major": 3,
    "high": 3,
    "critical": 4,
    "fatal": 4,
    "emergency": 4,
    "page": 4,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How many alerts fire, and the weight of the most severe of them."""

    firing: int
    severity: int

    @classmethod
    def kept(cls, external: Mapping[str, str], delivered: Told | None) -> "Standing":
        """Return the worst that was told; of a message without it, what was delivered last."""
        firing = len(delivered.firing) if delivered is not None else 0
        return cls(
            _number(external.get("most_firing"), firing), _number(external.get("severity"), 0)
        )

    def keep(self) -> dict[str, str]:
        """Return what `kept` reads."""
        return {"most_firing": str(self.firing), "severity": str(self.severity)}

    def worse_than(self, other: "Standing") -> bool:
        """Tell whether more fire, or something more severe."""
        return self.firing > other.firing or self.severity > other.severity

    def worst(self, other: "Standing") -> "Standing":
        """Return the worse of two in each respect."""
        return Standing(max(self.firing, other.firing), max(self.severity, other.severity))


def standing(notification: Notification) -> Standing:
    """Return how bad a group is now."""
    weights = (
        _WEIGHTS.get(alert.labels.value("severity").lower(), 0) for alert in notification.firing
    )
    return Standing(len(notification.firing), max(weights, default=0))


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else otherwise
