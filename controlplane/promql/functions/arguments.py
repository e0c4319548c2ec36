"""The arguments of a call, as the builders of functions ask for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from controlplane.promql.ast import Call, Expr, Span, StringLiteral, unwrap
from controlplane.promql.cells import FloatsOnly
from controlplane.promql.extended import refuse_function
from controlplane.promql.frame import MatrixNode, ScalarNode, VectorNode
from controlplane.promql.selecting import RangeSelection, Selector, Subquery

Node = VectorNode | ScalarNode


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call, compiled on asking for them by type."""

    call: Call
    late: bool
    selectors: list[Selector]
    vector_of: Callable[[Expr], VectorNode]
    scalar_of: Callable[[Expr], ScalarNode]
    matrix_of: Callable[[Expr], RangeSelection | Subquery]

    def __len__(self) -> int:
        return len(self.call.args)

    def vector(self, index: int) -> VectorNode:
        return self.vector_of(self.call.args[index])

    def floats(self, index: int) -> VectorNode:
        """Return the node of a vector whose histograms are passed over."""
        return FloatsOnly(self.vector(index))

    def scalar(self, index: int) -> ScalarNode:
        return self.scalar_of(self.call.args[index])

    def scalars(self, first: int) -> Sequence[ScalarNode]:
        return [self.scalar_of(arg) for arg in self.call.args[first:]]

    def matrix(self, index: int) -> MatrixNode:
        node = self.matrix_of(self.call.args[index])
        if isinstance(node, RangeSelection) and node.extended:
            refuse_function(node, self.call.function)
        return node

    def string(self, index: int) -> str:
        return cast(StringLiteral, unwrap(self.call.args[index])).value

    def strings(self, first: int) -> Sequence[str]:
        return [self.string(index) for index in range(first, len(self))]

    def span(self, index: int) -> Span:
        return self.call.args[index].span


Builder = Callable[[Arguments], Node]
