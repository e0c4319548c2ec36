"""A compiled expression: what to read, how to compute, what it depends on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.model.samples import Refs
from controlplane.promql.ast import Call, Expr, StringLiteral, ValueType, unwrap, walk
from controlplane.promql.bucketless import statistics_only
from controlplane.promql.compiling import Compiler, type_of
from controlplane.promql.frame import MatrixNode, ScalarNode, VectorNode
from controlplane.promql.selecting import Selector
from controlplane.promql.selections import Choices
from controlplane.tsdb.ports import Querier

_ABSENT = frozenset({"absent", "absent_over_time"})


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One expression, compiled once and evaluated any number of times, by any thread.

    `root` is the node of the whole expression, or the text of a string.
    `selectors` are all its selectors with their matchers, in the text's order.
    """

    text: str
    expr: Expr
    type: ValueType
    root: VectorNode | ScalarNode | MatrixNode | str
    selectors: Sequence[Selector]

    def refs(self, querier: Querier) -> Sequence[Refs]:
        """Return the series that each selector reads in this snapshot."""
        return [selector.select(querier).refs for selector in self.selectors]

    @property
    def uses_absent(self) -> bool:
        """Tell whether the expression asks for what is not there."""
        return any(isinstance(n, Call) and n.function in _ABSENT for n in walk(self.expr))


def compile_plan(text: str, expr: Expr, *, late: bool, choices: Choices | None = None) -> Plan:
    """Compile a checked tree; `late` removes metric names at the end only.

    Plans that are given the same `choices` find their series together.

    Raises EvaluationError for calls that can never be evaluated.
    """
    compiler = Compiler(late, choices or Choices(), frozenset(statistics_only(expr)))
    kind = type_of(expr)
    builders: dict[ValueType, Callable[[Expr], VectorNode | ScalarNode | MatrixNode]] = {
        ValueType.VECTOR: compiler.vector,
        ValueType.SCALAR: compiler.scalar,
        ValueType.MATRIX: compiler.samples,
    }
    inner = unwrap(expr)
    root = inner.value if isinstance(inner, StringLiteral) else builders[kind](expr)
    return Plan(text, expr, kind, root, tuple(compiler.selectors))
