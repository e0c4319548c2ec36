"""The id that follows one request, tick or evaluation through every component."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("correlation_id", default="")
_cause: ContextVar[str] = ContextVar("triggered_by", default="")


def new_correlation_id() -> str:
    """Return a fresh id: 16 hex digits."""
    return secrets.token_hex(8)


def correlation_id() -> str:
    """Return the id in force here, or an empty string."""
    return _current.get()


def triggered_by() -> str:
    """Return the id of what made the work here begin, or an empty string.

    So one leads to the other where the work of many is done as one: an
    evaluation has an id of its own and names the tick that set it off.
    """
    return _cause.get()


@contextmanager
def correlated(identifier: str, *, cause: str = "") -> Iterator[str]:
    """Put `identifier` in force for the block, for logs and whatever it calls."""
    token, before = _current.set(identifier), _cause.set(cause)
    try:
        yield identifier
    finally:
        _cause.reset(before)
        _current.reset(token)
