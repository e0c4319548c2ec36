"""A decision and its trace: what each metric said, what was done to it, and what came out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from controlplane.autoscale.options import Mode
from controlplane.autoscale.sentence import Said
from controlplane.clock import Timestamp


class Outcome(StrEnum):
    """What came of an evaluation."""

    SCALED = "scaled"  # it was carried out
    RECOMMENDED = "recommended"  # another number would be right; nothing was done
    UNCHANGED = "unchanged"  # the number there is is right
    HELD = "held"  # nobody can tell: what was decided last stands
    DISABLED = "disabled"  # somebody scaled to zero; that is left alone, as the HPA does
    FAILED = "failed"  # it could not be carried out


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one metric says.

    `value` is None when it is missing; `proposal` is None when the metric has
    no say. `because` tells it in words, `verdict` in one word.
    """

    metric: str
    value: float | None
    proposal: int | None
    verdict: str
    because: Said

    @property
    def missing(self) -> bool:
        return self.value is None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy decided at an instant.

    `current` is the number there was, `desired` the one that should be; None
    is not known. `steps` tell in order what was done to the proposals.
    """

    policy: str
    at: Timestamp
    mode: Mode
    outcome: Outcome
    current: int | None
    desired: int | None
    verdicts: Sequence[Verdict] = ()
    steps: Sequence[Said] = ()
    limited_by_max: bool = False
    correlation_id: str = ""

    @property
    def direction(self) -> str:
        """`up`, `down`, or nothing."""
        if self.current is None or self.desired is None or self.current == self.desired:
            return ""
        return "up" if self.desired > self.current else "down"

    def repeats(self, other: "Decision | None") -> bool:
        """Tell whether it says nothing that the other did not, values aside."""
        return other is not None and self._gist() == other._gist()

    def _gist(self) -> tuple[object, ...]:
        return (
            self.policy,
            self.mode,
            self.outcome,
            self.current,
            self.desired,
            tuple((each.metric, each.verdict) for each in self.verdicts),
        )
