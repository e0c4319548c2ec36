"""Queries that another engine answers: asked and handed on as they are."""

from typing import Final

from fastapi import Response

from controlplane.api.prometheus.parameters import Parameters
from controlplane.errors import Unavailable
from controlplane.tsdb.remote.engines import Engine

_JSON: Final = "application/json"
# What the engine says of our credentials is no business of who asks us.
_OF_OURS: Final = frozenset((401, 403, 407))


async def forwarded(engine: Engine, path: str, given: Parameters, *, form: bool = True) -> Response:
    """Return what the engine answers to the same question. Raises ControlPlaneError.

    Without `form` the question is a GET: some paths know nothing else.
    """
    asked: dict[str, list[str]] = {}
    for name, value in given.pairs:
        asked.setdefault(name, []).append(value)
    answer = await (engine.post if form else engine.get)(path, asked)
    kind = answer.content_type.partition(";")[0].strip()
    if answer.status in _OF_OURS or kind != _JSON:
        raise Unavailable(f"the datasource answers with HTTP status {answer.status}")
    return Response(answer.body, answer.status, media_type=_JSON)
