"""What a rule file holds, and what the configuration says about rules.

The values stand as they were written: expressions and templates are texts
that `load.py` has checked. `line` counts from 1 and takes no part in equality,
so a rule that only moved within its file is the same rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from controlplane.clock import Duration
from controlplane.model.dependency import Dependency
from controlplane.model.duration import MINUTE
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.matchers import compile_regex
from controlplane.rules.state import Policies, Policy
from controlplane.tsdb.remote.options import Datasource

# Texts by name, sorted: label or annotation templates. Other than in `Labels`
# an empty text counts: as a rule's label it removes the series' own.
Texts = tuple[tuple[str, str], ...]

REACTIVE_INTERVAL: Final = 5_000
LOCAL: Final = "local"


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule (`record` is set) or an alerting rule (`alert` is set)."""

    expr: str
    record: str = ""
    alert: str = ""
    for_: Duration = 0
    keep_firing_for: Duration = 0
    labels: Texts = ()
    annotations: Texts = ()
    line: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        return self.alert or self.record


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after the other, at one instant.

    `interval` 0 stands for the global one; `query_offset` None likewise.
    `limit` 0 is none. `labels` are put under those of each rule.
    """

    name: str
    file: str
    interval: Duration = 0
    limit: int = 0
    query_offset: Duration | None = None
    labels: Texts = ()
    rules: tuple[Rule, ...] = ()
    line: int = field(default=0, compare=False)

    @property
    def key(self) -> str:
        """How Prometheus names a group: names are unique only within a file."""
        return f"{self.file};{self.name}"


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """Which rules a setting is about: anchored RE2 patterns, empty for any."""

    file: str = ""
    group: str = ""
    alertname: str = ""

    def matches(self, group: RuleGroup, rule: Rule) -> bool:
        """Tell whether the setting is about this rule."""
        pairs = ((self.file, group.file), (self.group, group.name), (self.alertname, rule.alert))
        return all(
            not pattern or compile_regex(pattern).fullmatch(text) is not None
            for pattern, text in pairs
        )


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """One entry of `rule_settings`; the first that matches a rule and says something counts.

    `datasource` is LOCAL for rules that our own engine evaluates though the
    file names an engine for all.
    """

    match: RuleMatch
    reactive: bool | None = None
    datasource: Datasource | Literal["local"] | None = None
    no_data: Policy | None = None
    error: Policy | None = None
    depends_on: tuple[Dependency, ...] | None = None  # other alerts


@dataclass(frozen=True, slots=True)
class RulesOptions:
    """Everything that the rule manager is told; a reload brings a new one."""

    groups: Sequence[RuleGroup] = ()
    settings: Sequence[RuleSettings] = ()
    evaluation_interval: Duration = MINUTE
    rule_query_offset: Duration = 0
    external_labels: Labels = EMPTY
    external_url: str = ""
    resend_delay: Duration = MINUTE
    # The engine that evaluates rules for which nothing else is said; None for our own.
    datasource: Datasource | None = None

    def interval(self, group: RuleGroup) -> Duration:
        return group.interval or self.evaluation_interval

    def query_offset(self, group: RuleGroup) -> Duration:
        return self.rule_query_offset if group.query_offset is None else group.query_offset

    def reactive(self, group: RuleGroup, rule: Rule) -> bool:
        """Tell whether commits may trigger this rule, as far as its settings go."""
        if self.engine(group, rule) is not None:
            return False  # what is committed here is not there yet
        for setting in self.settings:
            if setting.reactive is not None and setting.match.matches(group, rule):
                return setting.reactive
        return self.interval(group) <= REACTIVE_INTERVAL

    def policies(self, group: RuleGroup, rule: Rule) -> Policies:
        """Return what follows when a rule cannot tell."""
        found = [setting for setting in self.settings if setting.match.matches(group, rule)]
        no_data = [setting.no_data for setting in found if setting.no_data is not None]
        error = [setting.error for setting in found if setting.error is not None]
        return Policies(
            no_data=no_data[0] if no_data else Policy.KEEP_LAST,
            error=error[0] if error else Policy.KEEP_LAST,
        )

    def engine(self, group: RuleGroup, rule: Rule) -> Datasource | None:
        """Return the engine that evaluates this rule, None for our own."""
        for setting in self.settings:
            if setting.datasource is not None and setting.match.matches(group, rule):
                return None if setting.datasource == LOCAL else setting.datasource
        return self.datasource
