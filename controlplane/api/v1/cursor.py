"""Cursors: opaque to the client, the last key shown to us."""

import base64

from controlplane.errors import InvalidInput


def encode_cursor(key: str) -> str:
    """Return the cursor that goes on after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """Return the key to go on after, or None at the beginning. Raises InvalidInput."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError:  # not base64, not ASCII, not UTF-8
        reason = "not a cursor of this list: begin again without one"
        raise InvalidInput(reason, pointer="?cursor") from None
