"""Test files to values, with everything that is wrong with them by file and line."""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import MINUTE, SECOND, parse_time
from controlplane.model.labels import Labels
from controlplane.model.marked_yaml import Mapping, Node, is_null, read_marked
from controlplane.promql.testing.notation import SeriesLine, parse_labels, parse_series
from controlplane.rules.fields import Fields

_FILE_KEYS: Final = frozenset(
    {"rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests"}
)
_TEST_KEYS: Final = frozenset(
    {
        "name",
        "interval",
        "input_series",
        "start_timestamp",
        "external_labels",
        "external_url",
        "alert_rule_test",
        "promql_expr_test",
    }
)
_SERIES_KEYS: Final = frozenset({"series", "values"})
_ALERT_KEYS: Final = frozenset({"eval_time", "alertname", "exp_alerts"})
_EXPECTED_ALERT_KEYS: Final = frozenset({"exp_labels", "exp_annotations"})
_EXPR_KEYS: Final = frozenset({"expr", "eval_time", "exp_samples"})
_SAMPLE_KEYS: Final = frozenset({"labels", "value", "histogram"})
_UNIX_SECONDS: Final = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """A firing alert; `alertname` has been added to the labels."""

    labels: Labels
    annotations: Labels


@dataclass(frozen=True, slots=True)
class AlertCase:
    """Which alerts of a name fire at a time after the start."""

    eval_time: Duration
    alertname: str
    expected: Sequence[ExpectedAlert]


@dataclass(frozen=True, slots=True)
class ExpectedSample:
    """A sample; a native histogram is kept as it is written."""

    labels: Labels
    value: float
    histogram: str = ""


@dataclass(frozen=True, slots=True)
class ExprCase:
    """What an expression gives at a time after the start."""

    eval_time: Duration
    expr: str
    expected: Sequence[ExpectedSample]


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One entry of `tests`: input, and what it must lead to."""

    name: str
    interval: Duration
    start: Timestamp
    series: Sequence[SeriesLine]
    external_labels: Labels
    external_url: str
    alerts: Sequence[AlertCase]
    exprs: Sequence[ExprCase]

    @property
    def duration(self) -> Duration:
        """How long after the start the last thing is looked at."""
        times = [case.eval_time for case in self.alerts]
        return max([*times, *(case.eval_time for case in self.exprs)], default=0)


@dataclass(frozen=True, slots=True)
class TestFile:
    """One test file; `unmatched` are patterns of rule files that match nothing."""

    __test__ = False  # pytest: no test of ours

    rule_files: Sequence[Path]
    unmatched: Sequence[str]
    evaluation_interval: Duration
    group_order: Sequence[str]
    fuzzy: bool
    tests: Sequence[RuleTest]


def load_tests(path: Path) -> TestFile:
    """Read a test file. Raises ConfigError with all its problems."""
    return _Reader(str(path)).file(read_marked(path), path.parent)


class _Reader(Fields):
    def file(self, root: Node, directory: Path) -> TestFile:
        top = Mapping("", 1, {}, {})
        if not is_null(root):
            top = self.mapping(root, "a test file", _FILE_KEYS)
        interval = self.duration(top, "evaluation_interval") or MINUTE
        files, unmatched = self._rule_files(top, directory)
        order = self._texts(top, "group_eval_order")
        for name in {name for name in order if order.count(name) > 1}:
            self.add(top.key_lines["group_eval_order"], f"the group {name!r} stands twice here")
        tests = tuple(
            self._test(node, number, interval)
            for number, node in enumerate(self.items(top, "tests"))
        )
        fuzzy = self.boolean(top, "fuzzy_compare")
        self.problems.raise_any()
        return TestFile(files, unmatched, interval, order, fuzzy, tests)

    def _rule_files(self, top: Mapping, directory: Path) -> tuple[list[Path], list[str]]:
        found: list[Path] = []
        unmatched: list[str] = []
        for pattern in self._texts(top, "rule_files"):
            matches = sorted(glob.glob(str(directory / pattern)))  # noqa: PTH207 - may be absolute
            found += [Path(match) for match in matches]
            if not matches:
                unmatched.append(pattern)
        return found, unmatched

    def _texts(self, node: Mapping, key: str) -> list[str]:
        return [
            self.text(Mapping(item.file, item.line, {key: item}, {key: item.line}), key)
            for item in self.items(node, key)
        ]

    def _test(self, node: Node, number: int, interval: Duration) -> RuleTest:
        test = self.mapping(node, "a test", _TEST_KEYS)
        return RuleTest(
            name=self.text(test, "name") or f"unnamed#{number}",
            interval=self.duration(test, "interval") or interval,
            start=self._start(test),
            series=[self._series(item) for item in self.items(test, "input_series")],
            external_labels=Labels(self.string_map(test, "external_labels")),
            external_url=self.text(test, "external_url"),
            alerts=[self._alert_case(item) for item in self.items(test, "alert_rule_test")],
            exprs=[self._expr_case(item) for item in self.items(test, "promql_expr_test")],
        )

    def _start(self, test: Mapping) -> Timestamp:
        text = self.text(test, "start_timestamp")
        if not text:
            return 0
        if _UNIX_SECONDS.fullmatch(text):
            return round(float(text) * SECOND)
        try:
            return parse_time(text)
        except InvalidInput as error:
            self.add(test.key_lines["start_timestamp"], error.reason)
            return 0

    def _series(self, node: Node) -> SeriesLine:
        entry = self.mapping(node, "an input series", _SERIES_KEYS)
        try:
            return parse_series(f"{self.text(entry, 'series')} {self.text(entry, 'values')}")
        except InvalidInput as error:
            self.add(node.line, error.reason)
            return SeriesLine(Labels(), ())

    def _alert_case(self, node: Node) -> AlertCase:
        case = self.mapping(node, "an alert test", _ALERT_KEYS)
        name = self.text(case, "alertname")
        if not name:
            self.add(node.line, "an alert test needs an alertname")
        expected = []
        for item in self.items(case, "exp_alerts"):
            # `- {}` and `-` are an alert with no label but its name.
            alert = (
                Mapping(item.file, item.line, {}, {})
                if is_null(item)
                else self.mapping(item, "an expected alert", _EXPECTED_ALERT_KEYS)
            )
            labels = Labels({**self.string_map(alert, "exp_labels"), "alertname": name})
            annotations = Labels(self.string_map(alert, "exp_annotations"))
            expected.append(ExpectedAlert(labels, annotations))
        return AlertCase(self.duration(case, "eval_time"), name, expected)

    def _expr_case(self, node: Node) -> ExprCase:
        case = self.mapping(node, "an expression test", _EXPR_KEYS)
        return ExprCase(
            eval_time=self.duration(case, "eval_time"),
            expr=self.text(case, "expr"),
            expected=[self._sample(item) for item in self.items(case, "exp_samples")],
        )

    def _sample(self, node: Node) -> ExpectedSample:
        sample = self.mapping(node, "an expected sample", _SAMPLE_KEYS)
        try:
            labels = parse_labels(self.text(sample, "labels").strip())
        except InvalidInput as error:
            self.add(node.line, error.reason)
            labels = Labels()
        return ExpectedSample(labels, self.number(sample, "value"), self.text(sample, "histogram"))
