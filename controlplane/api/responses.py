"""The problems of our API, as the OpenAPI document tells them."""

from typing import Any, Final

from pydantic import BaseModel

from controlplane.api.problems import MEDIA_TYPE, PROMETHEUS_PREFIX

_FRAMEWORKS: Final = {"$ref": "#/components/schemas/HTTPValidationError"}
_PROBLEM: Final = {"$ref": "#/components/schemas/ProblemOut"}


class PlaceOut(BaseModel):
    """One wrong place: a JSON pointer into the body, or `?name` for a parameter."""

    pointer: str
    detail: str


class ProblemOut(BaseModel):
    """RFC 9457. `type` is stable; `errors` names each place that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str
    errors: list[PlaceOut]


_EVERYWHERE: Final = (401, 403, 413, 422, 500, 503)
# What a route with a body may be answered besides.
BODY: Final = (408, 415)
_MEANING: Final = {
    401: "No token, or a wrong one",
    403: "Refused: not this machine, a foreign Host or Origin, a form without its token",
    404: "There is no such thing",
    408: "The body came too slowly",
    409: "A file owns it, or what happened since overtook it",
    413: "The body is over the limit",
    415: "The body is not JSON by its type",
    422: "The request cannot be used; `errors` says where",
    429: "Asked for too often; `Retry-After` says when it may be asked for again",
    500: "A fault of ours; the log has it under the correlation id",
    503: "Too busy, too late, or the database does not answer",
}


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the documented problems of a route: those of every route, and `codes`."""
    return {
        code: {"model": ProblemOut, "description": _MEANING[code]}
        for code in sorted({*_EVERYWHERE, *codes})
    }


def as_answered(document: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document that tells errors as they are answered, not the framework's."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            for code in [code for code, each in responses.items() if _schema(each) == _FRAMEWORKS]:
                del responses[code]
            for response in responses.values():
                if _schema(response) == _PROBLEM:
                    response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
            if path.startswith(PROMETHEUS_PREFIX):
                responses["default"] = {"description": "An error in Prometheus' envelope"}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document


def _schema(response: dict[str, Any]) -> dict[str, str] | None:
    found: dict[str, str] | None
    found = response.get("content", {}).get("application/json", {}).get("schema")
    return found
