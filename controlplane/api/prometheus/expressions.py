"""`format_query`, `parse_query` and `query_exemplars`: what is asked of expressions alone."""

from fastapi import APIRouter

from controlplane.api.prometheus.encode import Json, success
from controlplane.api.prometheus.parameters import Given, Parameters
from controlplane.api.prometheus.tree import tree
from controlplane.api.surface import On, Surface
from controlplane.errors import InvalidInput
from controlplane.promql.ast import Expr
from controlplane.promql.printer import format as format_expression

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])


@router.get("/format_query")
@router.post("/format_query")
async def format_query(given: Given, on: On) -> Json:
    """Return an expression in its canonical form."""
    return success(format_expression(_parsed(given, on)))


@router.get("/parse_query")
@router.post("/parse_query")
async def parse_query(given: Given, on: On) -> Json:
    """Return an expression's syntax tree."""
    return success(tree(_parsed(given, on)))


@router.get("/query_exemplars")
@router.post("/query_exemplars")
async def query_exemplars(given: Given, on: On) -> Json:
    """Return no exemplars: none are kept. What is asked is checked nevertheless."""
    if given.time("end") < given.time("start"):
        raise InvalidInput(
            'invalid parameter "end": end timestamp must not be before start timestamp',
            pointer="?end",
        )
    _parsed(given, on)
    return success([])


def _parsed(given: Parameters, on: Surface) -> Expr:
    return on.engine.parse(given.text("query"))
