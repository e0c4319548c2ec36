"""Types: which expressions may stand where. Raises SyntaxProblem in upstream's words."""

from typing import Final

from controlplane.promql.ast import (
    COMPARISONS,
    SET_OPERATORS,
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorSelector,
)
from controlplane.promql.building_durations import SyntaxProblem
from controlplane.promql.functions.signatures import SIGNATURES
from controlplane.promql.quoting import quote

_OPERANDS: Final = (ValueType.SCALAR, ValueType.VECTOR)


def check(expr: Expr) -> ValueType:  # noqa: PLR0911 - a line a node
    """Return the type of a tree after checking all of it."""
    match expr:
        case NumberLiteral():
            return ValueType.SCALAR
        case StringLiteral():
            return ValueType.STRING
        case VectorSelector():
            _check_selector(expr)
            return ValueType.VECTOR
        case MatrixSelector():
            _check_selector(expr.selector)
            return ValueType.MATRIX
        case ParenExpr():
            return check(expr.expr)
        case UnaryExpr():
            return _check_unary(expr)
        case SubqueryExpr():
            return _check_subquery(expr)
        case AggregateExpr():
            return _check_aggregation(expr)
        case BinaryExpr():
            return _check_binary(expr)
        case Call():
            return _check_call(expr)


def _expect(expr: Expr, wanted: ValueType, where: str) -> None:
    got = check(expr)
    if got is not wanted:
        raise SyntaxProblem(f"expected type {wanted} in {where}, got {got}", expr.span.start)


def _check_selector(selector: VectorSelector) -> None:
    if not selector.name and all(matcher.matches("") for matcher in selector.matchers):
        reason = "vector selector must contain at least one non-empty matcher"
        raise SyntaxProblem(reason, selector.span.start)


def _check_unary(expr: UnaryExpr) -> ValueType:
    got = check(expr.expr)
    if got not in _OPERANDS:
        reason = (
            "unary expression only allowed on expressions of type scalar or instant vector, "
            f"got {quote(got)}"
        )
        raise SyntaxProblem(reason, expr.span.start)
    return got


def _check_subquery(expr: SubqueryExpr) -> ValueType:
    got = check(expr.expr)
    if got is not ValueType.VECTOR:
        short = {ValueType.MATRIX: "matrix", ValueType.VECTOR: "vector"}.get(got, str(got))
        reason = f"subquery is only allowed on instant vector, got {short} instead"
        raise SyntaxProblem(reason, expr.span.start)
    return ValueType.MATRIX


def _check_aggregation(expr: AggregateExpr) -> ValueType:
    _expect(expr.expr, ValueType.VECTOR, "aggregation expression")
    if expr.param is not None:
        wanted = ValueType.STRING if expr.op == "count_values" else ValueType.SCALAR
        _expect(expr.param, wanted, "aggregation parameter")
    return ValueType.VECTOR


def _check_binary(expr: BinaryExpr) -> ValueType:
    left, right = check(expr.left), check(expr.right)
    # Upstream points at the operator; it stands somewhere after the left side.
    at = expr.left.span.end + 1
    if expr.return_bool and expr.op not in COMPARISONS:
        raise SyntaxProblem("bool modifier can only be used on comparison operators", at)
    scalars = left is ValueType.SCALAR and right is ValueType.SCALAR
    if expr.op in COMPARISONS and not expr.return_bool and scalars:
        raise SyntaxProblem("comparisons between scalars must use BOOL modifier", at)
    if expr.matching.on:
        for label in expr.matching.labels:
            if label in expr.matching.include:
                reason = f"label {quote(label)} must not occur in ON and GROUP clause at once"
                raise SyntaxProblem(reason, at)
    for side, got in ((expr.left, left), (expr.right, right)):
        if got not in _OPERANDS:
            reason = "binary expression must contain only scalar and instant vector types"
            raise SyntaxProblem(reason, side.span.start)
    if left is ValueType.VECTOR and right is ValueType.VECTOR:
        _check_set_operator(expr)
    else:
        _check_scalar_operand(expr)
    return ValueType.SCALAR if scalars else ValueType.VECTOR


def _check_set_operator(expr: BinaryExpr) -> None:
    if expr.op not in SET_OPERATORS:
        return
    if expr.matching.cardinality is not Cardinality.MANY_TO_MANY:
        reason = f"no grouping allowed for {quote(expr.op)} operation"
        raise SyntaxProblem(reason, expr.span.start)
    if expr.matching.fill_left is not None or expr.matching.fill_right is not None:
        reason = "filling in missing series not allowed for set operators"
        raise SyntaxProblem(reason, expr.span.start)


def _check_scalar_operand(expr: BinaryExpr) -> None:
    if expr.matching.labels:
        reason = "vector matching only allowed between instant vectors"
        raise SyntaxProblem(reason, expr.span.start)
    if expr.matching.fill_left is not None or expr.matching.fill_right is not None:
        reason = "filling in missing series only allowed between instant vectors"
        raise SyntaxProblem(reason, expr.span.start)
    if expr.op in SET_OPERATORS:
        reason = f"set operator {quote(expr.op)} not allowed in binary scalar expression"
        raise SyntaxProblem(reason, expr.span.start)


def _check_call(call: Call) -> ValueType:
    signature = SIGNATURES[call.function]
    _check_count(call)
    for index, arg in enumerate(call.args):
        wanted = signature.args[min(index, len(signature.args) - 1)]
        if call.function == "info" and index == 1:
            _check_info_selector(arg)
        else:
            _expect(arg, wanted, f"call to function {quote(call.function)}")
    return signature.returns


def _check_count(call: Call) -> None:
    signature, given = SIGNATURES[call.function], len(call.args)
    wanted, name = len(signature.args), quote(call.function)
    reason = ""
    if signature.variadic == 0 and given != wanted:
        reason = f"expected {wanted} argument(s) in call to {name}, got {given}"
    elif signature.variadic != 0 and given < wanted - 1:
        reason = f"expected at least {wanted - 1} argument(s) in call to {name}, got {given}"
    elif signature.variadic > 0 and given > wanted - 1 + signature.variadic:
        most = wanted - 1 + signature.variadic
        reason = f"expected at most {most} argument(s) in call to {name}, got {given}"
    if reason:
        raise SyntaxProblem(reason, call.span.start)


def _check_info_selector(arg: Expr) -> None:
    if isinstance(arg, VectorSelector):
        if arg.name:
            reason = "expected label selectors only, got vector selector instead"
            raise SyntaxProblem(reason, arg.span.start)
        return
    _expect(arg, ValueType.VECTOR, 'call to function "info"')
    raise SyntaxProblem("expected label selectors only", arg.span.start)
