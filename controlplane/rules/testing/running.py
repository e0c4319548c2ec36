"""Run the tests of a file: the real groups, evaluated step by step over a store in memory."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock, Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model.duration import format_duration
from controlplane.model.labels import Labels
from controlplane.promql.engine import Engine
from controlplane.promql.histograms.text import parse_histogram, written
from controlplane.promql.numbers import format_value
from controlplane.promql.options import EngineOptions
from controlplane.promql.testing.notation import WrittenHistogram
from controlplane.promql.values import Scalar, Vector
from controlplane.rules.alerting import AlertingRule
from controlplane.rules.group import Group
from controlplane.rules.load import load_file
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.options import RuleGroup, RulesOptions
from controlplane.rules.query import EngineQueries
from controlplane.rules.state import AlertState
from controlplane.rules.templates import elements
from controlplane.rules.testing.files import (
    AlertCase,
    ExpectedAlert,
    ExpectedSample,
    ExprCase,
    RuleTest,
    TestFile,
)
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """A test by its name, and every sentence that says what is wrong (none: it passed)."""

    __test__ = False  # pytest: no test of ours

    name: str
    failures: Sequence[str]


def run_file(
    file: TestFile, wanted: Callable[[str], bool] = lambda _name: True
) -> Iterator[TestOutcome]:
    """Yield the outcome of each test whose name is wanted.

    Raises ConfigError when a rule file cannot be used.
    """
    groups = _ordered([group for path in file.rule_files for group in load_file(path)], file)
    for test in file.tests:
        if not wanted(test.name):
            continue
        try:
            failures = _Run(file, test, groups).run()
        except ControlPlaneError as error:
            failures = [str(error)]
        yield TestOutcome(test.name, failures)


def _ordered(groups: Sequence[RuleGroup], file: TestFile) -> list[RuleGroup]:
    """Return the groups as `group_eval_order` wants them; others come with the first."""
    place = {name: number for number, name in enumerate(file.group_order)}
    return sorted(groups, key=lambda group: place.get(group.name, 0))


class _Run:
    def __init__(self, file: TestFile, test: RuleTest, groups: Sequence[RuleGroup]) -> None:
        self._file = file
        self._test = test
        self._store = Store.in_memory()
        options = EngineOptions(default_step=file.evaluation_interval)
        self._query = EngineQueries(Engine(self._store, options))
        self._waiting = _by_time(test)
        self._groups = self._make(groups)

    def run(self) -> list[str]:
        failures: list[str] = []
        cases = sorted(self._test.alerts, key=lambda case: case.eval_time)
        step = self._file.evaluation_interval
        for since in range(0, self._test.duration + 1, step):
            broken = self._evaluate(self._test.start + since)
            if broken:
                return failures + broken
            # An alert is looked at as the last evaluation up to its time left it.
            for case in cases:
                if since <= case.eval_time < since + step:
                    failures += self._alert_failures(case)
        self._load(None)
        for expr_case in self._test.exprs:
            failures += self._expr_failures(expr_case)
        return failures

    def _make(self, groups: Sequence[RuleGroup]) -> list[Group]:
        test = self._test
        options = RulesOptions(
            groups=groups,
            evaluation_interval=test.interval,
            external_labels=test.external_labels,
            external_url=test.external_url,
        )
        metrics = RuleMetrics(CollectorRegistry())
        return [
            Group(
                group,
                options,
                query=self._query,
                store=self._store,
                metrics=metrics,
                clock=SystemClock(),
            )
            for group in groups
        ]

    def _evaluate(self, ts: Timestamp) -> list[str]:
        """Evaluate every group at `ts`; return the errors of rules."""
        self._load(ts)
        broken = []
        for group in self._groups:
            group.evaluate(ts, "")
            broken += [
                f"rule: {member.rule.rule.name}, "
                f"time: {format_duration(ts - self._test.start)}, err: {member.last_error}"
                for member in group.members
                if member.last_error
            ]
        return broken

    def _load(self, until: Timestamp | None) -> None:
        """Let the samples up to an instant arrive, or all that are left."""
        times = sorted(time for time in self._waiting if until is None or time <= until)
        for time in times:
            found = self._waiting.pop(time)
            refs = self._store.refs(list(found))
            histograms = [
                value.histogram if isinstance(value, WrittenHistogram) else None
                for value in found.values()
            ]
            values = np.array([v if isinstance(v, float) else 0.0 for v in found.values()])
            self._store.append([Write("test", time, refs, values, histograms=histograms)])

    def _alert_failures(self, case: AlertCase) -> list[str]:
        rules = [
            rule
            for group in self._groups
            for rule in group.alerting
            if rule.rule.alert == case.alertname
        ]
        got = sorted(_firing(rules), key=_alert_order)
        expected = sorted(case.expected, key=_alert_order)
        if got == expected:
            return []
        return [
            f"alertname: {case.alertname}, time: {format_duration(case.eval_time)},\n"
            f"    exp: {_show_alerts(expected)}\n    got: {_show_alerts(got)}"
        ]

    def _expr_failures(self, case: ExprCase) -> list[str]:
        where = f"expr: {case.expr!r}, time: {format_duration(case.eval_time)}"
        try:
            result = self._query(case.expr, self._test.start + case.eval_time)
        except ControlPlaneError as error:
            return [f"{where}, err: {error}"]
        got = sorted(_samples(result), key=lambda sample: sample.labels)
        expected = sorted(map(_normal, case.expected), key=lambda sample: sample.labels)
        if len(got) == len(expected) and all(map(self._same, expected, got)):
            return []
        return [f"{where},\n    exp: {_show_samples(expected)}\n    got: {_show_samples(got)}"]

    def _same(self, expected: ExpectedSample, got: ExpectedSample) -> bool:
        if expected.labels != got.labels or expected.histogram != got.histogram:
            return False
        one, other = expected.value, got.value
        if one == other or (math.isnan(one) and math.isnan(other)):
            return True
        near = (math.nextafter(one, -math.inf), math.nextafter(one, math.inf))
        return self._file.fuzzy and other in near


def _by_time(test: RuleTest) -> dict[Timestamp, dict[Labels, float | WrittenHistogram]]:
    """Return the samples of the input at each instant."""
    found: dict[Timestamp, dict[Labels, float | WrittenHistogram]] = {}
    for line in test.series:
        for place, value in enumerate(line.values):
            if value is not None:
                found.setdefault(test.start + place * test.interval, {})[line.labels] = value
    return found


def _samples(result: Vector | Scalar) -> list[ExpectedSample]:
    """Return what was found in the form in which it is expected."""
    found = [ExpectedSample(labels, value) for labels, value in elements(result)]
    if isinstance(result, Scalar) or result.histograms is None:
        return found
    return [
        sample if histogram is None else ExpectedSample(sample.labels, 0.0, written(histogram))
        for sample, histogram in zip(found, result.histograms.tolist(), strict=True)
    ]


def _normal(sample: ExpectedSample) -> ExpectedSample:
    """Return an expected sample, its histogram written as ours are."""
    if not sample.histogram:
        return sample
    return ExpectedSample(sample.labels, 0.0, written(parse_histogram(sample.histogram)[0]))


def _firing(rules: Sequence[AlertingRule]) -> list[ExpectedAlert]:
    return [
        ExpectedAlert(alert.labels, alert.annotations)
        for rule in rules
        for alert in rule.alerts
        if alert.state is AlertState.FIRING
    ]


def _alert_order(alert: ExpectedAlert) -> tuple[object, object]:
    return (alert.labels.pairs, alert.annotations.pairs)


def _show_alerts(alerts: Sequence[ExpectedAlert]) -> str:
    if not alerts:
        return "[]"
    lines = [
        f"\n      {number}: Labels:{alert.labels}\n         Annotations:{alert.annotations}"
        for number, alert in enumerate(alerts)
    ]
    return "".join(lines)


def _show_samples(samples: Sequence[ExpectedSample]) -> str:
    shown = [f"{s.labels} {s.histogram or format_value(s.value)}" for s in samples]
    return ", ".join(shown) or "nil"
