"""How each branch of the error tree is answered, in both shapes."""

import json
from collections.abc import Iterator

import pytest

from controlplane import errors
from controlplane.api.problems import MEDIA_TYPE, answer, internal_error
from controlplane.errors import ControlPlaneError
from controlplane.promql.errors import EvaluationError, QueryCanceled

_OURS = "/api/v1/targets"
_PROMETHEUS = "/prometheus/api/v1/query"
_FILE = errors.Problem("a.yml", 3, "unknown key")

# Error, status and slug of ours, status and errorType of Prometheus'.
TABLE: list[tuple[ControlPlaneError, int, str, int, str]] = [
    (errors.ConfigError([_FILE]), 422, "invalid-config", 400, "bad_data"),
    (errors.ParseError("no", line=1, column=2), 422, "parse-error", 400, "bad_data"),
    (errors.InvalidInput("no", pointer="/a"), 422, "invalid-input", 400, "bad_data"),
    (errors.InvalidFields([errors.Place("/a", "no")]), 422, "invalid-input", 400, "bad_data"),
    (errors.NotFound("no"), 404, "not-found", 404, "not_found"),
    (errors.Conflict("no"), 409, "conflict", 409, "execution"),
    (errors.Fenced("no"), 409, "conflict", 409, "execution"),
    (errors.Outdated("no", ["a"]), 409, "conflict", 409, "execution"),
    (errors.Unauthorized("no"), 401, "unauthorized", 401, "unauthorized"),
    (errors.Forbidden("no"), 403, "forbidden", 403, "forbidden"),
    (errors.TooLarge("no"), 413, "too-large", 413, "bad_data"),
    (errors.Overloaded("no", retry_after=2.4), 503, "overloaded", 503, "unavailable"),
    (errors.Throttled("no", retry_after=2.4), 429, "too-many-requests", 429, "unavailable"),
    (errors.Unavailable("db.internal is away"), 503, "unavailable", 503, "unavailable"),
    (errors.DeadlineExceeded("no"), 503, "timeout", 503, "timeout"),
    (QueryCanceled(), 499, "canceled", 499, "canceled"),
    (EvaluationError("no"), 422, "failed", 422, "execution"),
    (ControlPlaneError("no"), 422, "failed", 422, "execution"),
]


def _tree(root: type[ControlPlaneError]) -> Iterator[type[ControlPlaneError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: type(row[0]).__name__)
def test_each_error_has_its_answer(row: tuple[ControlPlaneError, int, str, int, str]) -> None:
    """Ours is a problem with a stable type; below /prometheus it is upstream's envelope."""
    error, status, slug, upstream_status, upstream = row
    ours = answer(_OURS, error)
    problem = json.loads(bytes(ours.body))
    assert (ours.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:controlplane:problem:{slug}"
    assert ours.headers["content-type"] == MEDIA_TYPE
    assert set(problem) == {"type", "title", "status", "detail", "correlation_id", "errors"}
    theirs = answer(_PROMETHEUS, error)
    assert theirs.status_code == upstream_status
    envelope = json.loads(bytes(theirs.body))
    assert (envelope["status"], envelope["errorType"]) == ("error", upstream)
    assert set(envelope) == {"status", "errorType", "error"}


def test_no_error_is_left_out() -> None:
    """The table above has every class of the tree."""
    assert {type(row[0]) for row in TABLE} >= set(_tree(ControlPlaneError))


def test_places_are_named() -> None:
    """A file's problems have file and line, input has its pointer."""
    problem = json.loads(bytes(answer(_OURS, errors.ConfigError([_FILE])).body))
    assert problem["errors"] == [{"pointer": "a.yml:3", "detail": "unknown key"}]
    places = [errors.Place("/a", "no"), errors.Place("/b/0", "never")]
    several = json.loads(bytes(answer(_OURS, errors.InvalidFields(places)).body))
    assert several["errors"] == [
        {"pointer": "/a", "detail": "no"},
        {"pointer": "/b/0", "detail": "never"},
    ]
    given = errors.InvalidInput("no", pointer="/labels/a")
    problem = json.loads(bytes(answer(_OURS, given).body))
    assert problem["errors"] == [{"pointer": "/labels/a", "detail": "no"}]


def test_headers_that_clients_obey() -> None:
    """Busy says when to come back, a missing token which scheme is wanted."""
    assert answer(_OURS, errors.Overloaded("no", retry_after=2.4)).headers["retry-after"] == "2"
    assert answer(_OURS, errors.Overloaded("no", retry_after=0)).headers["retry-after"] == "1"
    assert answer(_OURS, errors.Unauthorized("no")).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [_OURS, _PROMETHEUS])
def test_nothing_internal_is_told(path: str) -> None:
    """Neither the words of a fault of ours, nor where our database is."""
    assert b"secret" not in bytes(internal_error(path, RuntimeError("secret")).body)
    away = errors.Unavailable("postgresql://db.internal/cp does not answer")
    assert b"db.internal" not in bytes(answer(path, away).body)


def test_what_utf8_cannot_say_is_replaced() -> None:
    """A lone surrogate in what is quoted makes no second error."""
    problem = json.loads(bytes(answer(_OURS, errors.NotFound("no \ud800")).body))
    assert problem["detail"] == "no ?"


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (errors.InvalidInput("no", pointer="/a"), 400, "no"),
        (errors.Overloaded("no"), 503, "no"),
        (
            errors.Unavailable("db.internal"),
            503,
            "a dependency does not answer; the log says which",
        ),
        (errors.NotFound("no"), 404, {"code": 404, "message": "no"}),
        (errors.Unauthorized("no"), 401, {"code": 401, "message": "no"}),
        (errors.TooLarge("no"), 413, {"code": 413, "message": "no"}),
    ],
)
def test_alertmanagers_clients_get_its_shapes(
    error: ControlPlaneError, status: int, body: object
) -> None:
    """A bare text for what is wrong with the request or with us, else a code and a message."""
    response = answer("/alertmanager/api/v2/alerts", error)
    assert (response.status_code, json.loads(bytes(response.body))) == (status, body)
    assert response.media_type == "application/json"
