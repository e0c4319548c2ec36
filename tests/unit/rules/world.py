"""Rules over a store in memory, with stand-ins for the sink and the state store."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.errors import Fenced, Unavailable
from controlplane.model.alert import Alert
from controlplane.model.fence import OPEN, Fence, Token
from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN
from controlplane.promql.engine import Engine
from controlplane.promql.values import Vector
from controlplane.rules.group import Group
from controlplane.rules.inputs import Inputs
from controlplane.rules.load import load_text
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.options import RulesOptions
from controlplane.rules.ports import StateChange
from controlplane.rules.query import EngineQueries
from controlplane.rules.state import RuleAlert
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock

T0 = 1_700_000_000_000
DEFAULTS = RulesOptions()


class World:
    """A store, an engine and a clock moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock(T0)
        self.store = Store.in_memory(clock=self.clock)
        self.query = EngineQueries(Engine(self.store, clock=self.clock))
        self.registry = CollectorRegistry()
        self.metrics = RuleMetrics(self.registry)

    def group(
        self,
        text: str,
        options: RulesOptions = DEFAULTS,
        *,
        plain: bool = True,
        inputs: Inputs | None = None,
    ) -> Group:
        """Return the one group of a rule file, under these options.

        One that is not `plain` looks whether what it reads could be read.
        """
        groups = load_text(text, "f.yml")
        return Group(
            groups[0],
            replace(options, groups=groups),
            query=self.query,
            store=self.store,
            metrics=self.metrics,
            clock=self.clock,
            inputs=inputs if plain else Inputs(self.store),
        )

    def put(self, ts: Timestamp, samples: Mapping[str, float | None], origin: str = "t") -> None:
        """Write `name{a="b"}` samples at one instant; None ends a series."""
        refs = self.store.refs([labels(series) for series in samples])
        values = [STALE_NAN if value is None else value for value in samples.values()]
        self.store.append([Write(origin, ts, refs, np.array(values, dtype=np.float64))])

    def ask(self, expr: str, ts: Timestamp) -> dict[str, float]:
        """Return an instant query's elements, by their label sets as text."""
        result = self.query(expr, ts)
        assert isinstance(result, Vector)
        return {str(each): value for each, value in zip(result.labels, result.values, strict=True)}


def labels(series: str) -> Labels:
    """Return the labels of `name{a="b",c="d"}`."""
    name, _, rest = series.partition("{")
    pairs = [pair.split("=", 1) for pair in rest.rstrip("}").split(",") if pair]
    return Labels({"__name__": name, **{key: value.strip('"') for key, value in pairs}})


class Sink:
    """Keeps the alerts it is given, unless it is told to refuse them."""

    def __init__(self) -> None:
        self.calls: list[Sequence[Alert]] = []
        self.refuse = False
        # What no longer holds: whatever comes under such a fence is refused for good.
        self.stale: set[Token] = set()

    async def __call__(self, alerts: Sequence[Alert], fence: Fence = OPEN) -> None:
        if self.refuse:
            raise Unavailable("the sink is down")
        check(fence, self.stale)
        self.calls.append(alerts)

    @property
    def alerts(self) -> list[Alert]:
        return [alert for call in self.calls for alert in call]


class States:
    """Keeps the state of alerts in memory, unless it is told to refuse."""

    def __init__(self, kept: Mapping[str, Sequence[RuleAlert]] | None = None) -> None:
        self.kept = {
            rule: {alert.labels: alert for alert in alerts} for rule, alerts in (kept or {}).items()
        }
        self.refuse = False
        self.stale: set[Token] = set()

    async def load(self, rule_ids: Collection[str]) -> Mapping[str, Sequence[RuleAlert]]:
        if self.refuse:
            raise Unavailable("the database is down")
        return {
            rule: list(alerts.values()) for rule, alerts in self.kept.items() if rule in rule_ids
        }

    async def rule_ids(self) -> Collection[str]:
        return [rule for rule, alerts in self.kept.items() if alerts]

    async def save(self, changes: Sequence[StateChange], fence: Fence = OPEN) -> None:
        if self.refuse:
            raise Unavailable("the database is down")
        check(fence, self.stale)
        for change in changes:
            rule = self.kept.setdefault(change.rule_id, {})
            for gone in change.forgotten:
                rule.pop(gone, None)
            rule.update({alert.labels: alert for alert in change.stored})

    async def forget(self, rule_ids: Collection[str], fence: Fence = OPEN) -> None:
        check(fence, self.stale)
        self.kept = {rule: kept for rule, kept in self.kept.items() if rule not in rule_ids}


def check(fence: Fence, stale: set[Token]) -> None:
    """Raise Fenced when a token of a fence is an old one."""
    if fence.tokens & stale:
        raise Fenced("another replica has it")
