"""What the API shows of rules: frozen values, safe to read from any thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from controlplane.clock import Duration, Timestamp
from controlplane.rules.options import Rule, Texts
from controlplane.rules.state import WELL, RuleAlert, Verdict


class Health(StrEnum):
    """How the last evaluation of a rule went; unknown also when it could not tell."""

    UNKNOWN = "unknown"
    OK = "ok"
    ERROR = "err"


@dataclass(slots=True)
class Shown:
    """The alerts of a rule as others may see them: those whose state is saved."""

    alerts: tuple[RuleAlert, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of a rule: when, how long in seconds, what came of it."""

    ts: Timestamp
    seconds: float
    samples: int
    error: str = ""
    reactive: bool = False
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A rule and how it fares. `labels` include the group's; `history` ends with the newest."""

    rule_id: str
    rule: Rule
    labels: Texts
    health: Health
    last_error: str
    last_evaluation: Timestamp
    evaluation_seconds: float
    alerts: Sequence[RuleAlert]
    history: Sequence[Evaluation]
    reactive: bool
    verdict: Verdict = WELL


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A group and its rules, in their order. `last_evaluation` is 0 before the first."""

    name: str
    file: str
    interval: Duration
    limit: int
    query_offset: Duration
    last_evaluation: Timestamp
    evaluation_seconds: float
    rules: Sequence[RuleStatus]

    @property
    def key(self) -> str:
        return f"{self.file};{self.name}"
