"""The engine: text in, values out, at one instant or over a range.

Safe to use from any thread. Plans are compiled once for each text and kept, the
least recently used going first.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import Clock, Duration, SystemClock, Timestamp
from controlplane.errors import ControlPlaneError, InvalidInput
from controlplane.model.samples import Times
from controlplane.promql import answers
from controlplane.promql.annotations import Annotations
from controlplane.promql.ast import Expr, ValueType
from controlplane.promql.frame import Frame, MatrixNode, Run, ScalarNode, VectorNode
from controlplane.promql.metrics import EngineMetrics
from controlplane.promql.naming import finish
from controlplane.promql.options import EngineOptions
from controlplane.promql.parser import parse
from controlplane.promql.plan import Plan, compile_plan
from controlplane.promql.results import Results
from controlplane.promql.selecting import guard_cells
from controlplane.promql.selections import Choices
from controlplane.promql.values import Result, Scalar, String, Value
from controlplane.telemetry.traces import exemplar
from controlplane.tsdb.ports import Querier, Queryable

Canceled = Callable[[], bool]


class Engine:
    """Evaluates PromQL over a store's snapshots."""

    def __init__(
        self,
        queryable: Queryable,
        options: EngineOptions | None = None,
        registry: CollectorRegistry | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._queryable = queryable
        self.options = options or EngineOptions()
        self._clock = clock or SystemClock()
        self._metrics = EngineMetrics(registry or CollectorRegistry())
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._choices = Choices()
        self._results = Results(self.options.shared_bytes, self._metrics)
        self._lock = threading.Lock()

    def parse(self, text: str) -> Expr:
        """Return the checked tree of an expression. Raises ParseError."""
        return parse(text, experimental=self.options.experimental)

    def prepare(self, text: str) -> Plan:
        """Return the plan of an expression, compiled at the first asking.

        Raises ParseError, or EvaluationError for what can never be evaluated.
        """
        with self._lock:
            plan = self._plans.get(text)
            if plan is not None:
                self._plans.move_to_end(text)
                return plan
        late = self.options.delayed_name_removal
        plan = compile_plan(text, self.parse(text), late=late, choices=self._choices)
        self._metrics.compiled.inc()
        with self._lock:
            plan = self._plans.setdefault(text, plan)
            self._make_room()
            self._metrics.plans.set(len(self._plans))
        return plan

    def _make_room(self) -> None:
        """Forget the plans least recently used while there are too many, or of too many series."""
        plans, options = self._plans, self.options
        while len(plans) > options.plan_cache_size or (
            len(plans) > 1 and self._remembered() > options.plan_cache_series
        ):
            plans.popitem(last=False)

    def _remembered(self) -> int:
        """Return how many series the cached plans remember; equal matchers share theirs."""
        selectors = [each for plan in self._plans.values() for each in plan.selectors]
        return sum(choice.rows for choice in {selector.choice for selector in selectors})

    def instant(
        self,
        query: str | Plan,
        time: Timestamp,
        *,
        timeout: Duration | None = None,
        lookback: Duration | None = None,
        limit: int = 0,
        querier: Querier | None = None,
        canceled: Canceled | None = None,
    ) -> Result:
        """Evaluate at one instant.

        `limit` is the greatest number of series in the answer (0: no limit),
        `querier` a snapshot to read from instead of a fresh one. Raises
        ParseError, EvaluationError, DeadlineExceeded, QueryCanceled.
        """
        with self._measured("instant"):
            plan = self.prepare(query) if isinstance(query, str) else query
            run = self._run(plan, timeout, lookback, querier, canceled)
            frame = Frame(run, np.array([time], dtype=np.int64), time, time, 0)
            value = _instant_value(plan, frame, time)
            return answers.limited(value, run.annotations, limit)

    def range(
        self,
        query: str | Plan,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
        *,
        timeout: Duration | None = None,
        lookback: Duration | None = None,
        limit: int = 0,
        querier: Querier | None = None,
        canceled: Canceled | None = None,
    ) -> Result:
        """Evaluate at `start`, `start + step`, ... up to `end`; the value is a Matrix.

        Raises as `instant` does, and InvalidInput for a range that is none or
        an expression that gives neither number nor instant vector.
        """
        if step <= 0:
            raise InvalidInput("zero or negative query resolution step widths are not accepted")
        if end < start:
            raise InvalidInput("end timestamp must not be before start time")
        with self._measured("range"):
            plan = self.prepare(query) if isinstance(query, str) else query
            if plan.type not in (ValueType.SCALAR, ValueType.VECTOR):
                raise InvalidInput(
                    f'invalid expression type "{plan.type}" for range query, '
                    "must be Scalar or instant Vector"
                )
            run = self._run(plan, timeout, lookback, querier, canceled)
            guard_cells(run, (end - start) // step + 1, 1)
            times = np.arange(start, end + 1, step, dtype=np.int64)
            frame = Frame(run, times, start, end, step)
            value = _range_value(plan, frame, times)
            return answers.limited(value, run.annotations, limit)

    def _run(
        self,
        plan: Plan,
        timeout: Duration | None,
        lookback: Duration | None,
        querier: Querier | None,
        canceled: Canceled | None,
    ) -> Run:
        allowed = self.options.timeout if timeout is None else timeout
        return Run(
            querier if querier is not None else self._queryable.querier(),
            self.options,
            self._results,
            self.options.lookback if lookback is None else lookback,
            Annotations(plan.text),
            self._clock.monotonic,
            self._clock.monotonic() + allowed / 1000,
            canceled,
        )

    @contextmanager
    def _measured(self, kind: str) -> Iterator[None]:
        began = self._clock.monotonic()
        try:
            with np.errstate(all="ignore"):
                yield
        except ControlPlaneError as error:
            self._metrics.failures.labels(type(error).__name__).inc()
            raise
        finally:
            self._metrics.seconds[kind].observe(self._clock.monotonic() - began, exemplar())


def _instant_value(plan: Plan, frame: Frame, time: Timestamp) -> Value:
    match plan.type:
        case ValueType.STRING:
            return String(time, cast(str, plan.root))
        case ValueType.SCALAR:
            return Scalar(time, float(cast(ScalarNode, plan.root).scalar(frame)[0]))
        case ValueType.MATRIX:
            return answers.range_vector(cast(MatrixNode, plan.root).windows(frame))
        case ValueType.VECTOR:
            block = finish(cast(VectorNode, plan.root).evaluate(frame))
            return answers.vector(block, time)


def _range_value(plan: Plan, frame: Frame, times: Times) -> Value:
    if plan.type is ValueType.SCALAR:
        return answers.number(cast(ScalarNode, plan.root).scalar(frame), times)
    return answers.matrix(finish(cast(VectorNode, plan.root).evaluate(frame)), times)
