"""The id that follows one request, tick or evaluation through every component."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("correlation_id", default="")


def new_correlation_id() -> str:
    """Return a fresh id: 16 hex digits."""
    return secrets.token_hex(8)


def correlation_id() -> str:
    """Return the id in force here, or an empty string."""
    return _current.get()


@contextmanager
def correlated(identifier: str) -> Iterator[str]:
    """Put `identifier` in force for the block, for logs and whatever it calls."""
    token = _current.set(identifier)
    try:
        yield identifier
    finally:
        _current.reset(token)
