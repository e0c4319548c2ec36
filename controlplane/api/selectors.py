"""`match[]`: PromQL selectors as parameters, ours and Prometheus'."""

from collections.abc import Iterable, Sequence

from controlplane.errors import ParseError
from controlplane.model.matchers import Matcher
from controlplane.promql.parser import parse_selector

PARAMETER = "match[]"


def selectors(texts: Iterable[str]) -> Sequence[tuple[Matcher, ...]]:
    """Return the matchers of each selector. Raises ParseError that names the parameter."""
    try:
        return [tuple(parse_selector(text)) for text in texts]
    except ParseError as error:
        error.pointer = f"?{PARAMETER}"
        raise
