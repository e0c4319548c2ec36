"""Our own scripts, run as `controlplane test promql` runs them."""

from pathlib import Path

import pytest

from controlplane.promql.aggregations.reducing import REDUCTIONS
from controlplane.promql.ast import (
    COMPARISONS,
    PARAMETER_AGGREGATIONS,
    SET_OPERATORS,
    AggregateExpr,
    BinaryExpr,
    Call,
    walk,
)
from controlplane.promql.binary.arithmetic import CALCULATE, COMPARE
from controlplane.promql.binary.mixed import TRIMS
from controlplane.promql.functions.signatures import SIGNATURES
from controlplane.promql.functions.table import FUNCTIONS
from controlplane.promql.parser import parse
from controlplane.promql.testing.running import run_script
from controlplane.promql.testing.script import Eval, parse_script

SCRIPTS = sorted(Path(__file__).parent.glob("*.test"))


def _cases() -> list[Eval]:
    texts = [path.read_text(encoding="utf-8") for path in SCRIPTS]
    commands = [command for text in texts for command in parse_script(text)]
    return [command for command in commands if isinstance(command, Eval)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_passes(path: Path) -> None:
    """Every case of a script passes, and every `eval` line is a case."""
    text = path.read_text(encoding="utf-8")
    outcomes = list(run_script(text))
    assert [f"{o.line}: {o.expr}: {o.reason}" for o in outcomes if o.reason] == []
    assert len(outcomes) == sum(line.startswith("eval") for line in text.splitlines())


def test_every_function_and_operator_is_exercised() -> None:
    """No function, aggregation or operator is without a case."""
    nodes = [n for case in _cases() for n in walk(parse(case.expr, experimental=True))]
    functions = {node.function for node in nodes if isinstance(node, Call)}
    aggregations = {node.op for node in nodes if isinstance(node, AggregateExpr)}
    operators = {node.op for node in nodes if isinstance(node, BinaryExpr)}
    assert set(SIGNATURES) - functions == set()
    assert set(REDUCTIONS) | PARAMETER_AGGREGATIONS == aggregations
    assert set(CALCULATE) | COMPARISONS | SET_OPERATORS | TRIMS == operators


def test_tables_agree() -> None:
    """What the parser lets through is what the plan can compute."""
    assert set(FUNCTIONS) == set(SIGNATURES)
    assert set(COMPARE) == COMPARISONS
