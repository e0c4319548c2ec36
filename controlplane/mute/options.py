"""`inhibit_rules:` and `time_intervals:` of alertmanager.yml; dependencies, storms, silences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.dependency import Dependency
from controlplane.model.duration import MINUTE, format_duration
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.matchers import Matcher
from controlplane.model.time_interval import TimeInterval


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """An alert that `source` matches mutes those that `target` matches with equal labels.

    Each holds what `*_matchers`, `*_match` and `*_match_re` said together.
    """

    source: tuple[Matcher, ...] = ()
    target: tuple[Matcher, ...] = ()
    equal: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class NamedIntervals:
    """Intervals under the name by which routes keep them; none of them never holds."""

    name: str
    time_intervals: tuple[TimeInterval, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleDependency:
    """Alerts of one rule are not told while one fires that the rule depends on.

    An alert is the rule's when it has its name and the labels that the rule
    gives to all of its alerts. `on` finds alerts, by name or matchers.
    """

    alertname: str
    on: tuple[Dependency, ...]
    labels: Labels = EMPTY


@dataclass(frozen=True, slots=True)
class MuteOptions:
    """What a configuration says of muting; `time_intervals` by their names."""

    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, tuple[TimeInterval, ...]] = field(default_factory=dict)
    dependencies: tuple[RuleDependency, ...] = ()


# Longer than this nobody's page is held back, whatever a file says.
LONGEST_HOLD: Final[Duration] = 2 * MINUTE


@dataclass(frozen=True, slots=True)
class StormOptions:
    """When a mass failure looks like one of our own network, and what follows.

    That many `targets` in that many `networks` have to fail, and all canaries
    too; notifications about them are held for `hold` at most. Raises
    InvalidInput for a longer one.
    """

    targets: int = 20
    networks: int = 3
    hold: Duration = LONGEST_HOLD
    canary_interval: Duration = 5_000
    canary_timeout: Duration = 2_000

    def __post_init__(self) -> None:
        if self.hold > LONGEST_HOLD:
            raise InvalidInput(f"at most {format_duration(LONGEST_HOLD)}", pointer="/hold")
        for name in ("targets", "networks"):
            if getattr(self, name) < 1:
                raise InvalidInput("at least 1", pointer=f"/{name}")


@dataclass(frozen=True, slots=True)
class SilenceOptions:
    """Bounds of silences: how many, how large, and how long the expired ones stay."""

    max_silences: int = 20_000
    max_matchers: int = 100
    max_text: int = 4_096  # characters of the comment, and of the annotations together
    max_size: int = 262_144  # bytes of all that it says
    retention: Duration = 432_000_000  # 120 h, as Alertmanager's --data.retention
    gc_interval: Duration = 60_000
