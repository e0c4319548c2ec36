"""Bodies of ours are JSON, and say so."""

import json
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from controlplane.errors import InvalidInput

_JSON: Final = frozenset({"application/json", "application/merge-patch+json"})


async def takes_json(request: Request) -> None:
    """Refuse a body of another type with 415: nothing is guessed."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in _JSON and await request.body():
        raise HTTPException(415, f"send {' or '.join(sorted(_JSON))}, not {given or 'no type'}")


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a body is. Raises InvalidInput."""
    try:
        body = json.loads(await request.body())
    except RecursionError:
        raise InvalidInput("the body is nested too deeply") from None
    except ValueError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidInput("the body is not a JSON object")
    return body


def refused(error: ValidationError) -> RequestValidationError:
    """Return what a body that does not fit its schema is answered with, every place named."""
    return RequestValidationError(
        [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
    )
