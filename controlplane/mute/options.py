"""`inhibit_rules:` and `time_intervals:` of alertmanager.yml, and what bounds silences."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.clock import Duration
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
class MuteOptions:
    """What a configuration says of muting; `time_intervals` by their names."""

    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, tuple[TimeInterval, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SilenceOptions:
    """Bounds of silences: how many, how large, and how long the expired ones stay."""

    max_silences: int = 20_000
    max_matchers: int = 100
    max_text: int = 4_096  # characters of the comment, and of the annotations together
    retention: Duration = 432_000_000  # 120 h, as Alertmanager's --data.retention
    gc_interval: Duration = 60_000
