"""Cursors: opaque to the client, the last key shown to us."""

import base64
from typing import Final

from controlplane.errors import InvalidInput

# Of a number that the database counts: more would not fit into a column.
_MOST_DIGITS: Final = 18
_NO_CURSOR: Final = "not a cursor of this list: begin again without one"


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
        raise InvalidInput(_NO_CURSOR, pointer="?cursor") from None


def decode_row_id(cursor: str | None) -> int | None:
    """Return the number of the row to go on after, as `decode_cursor` does. Raises InvalidInput."""
    key = decode_cursor(cursor)
    if key is None:
        return None
    if not is_row_id(key):
        raise InvalidInput(_NO_CURSOR, pointer="?cursor")
    return int(key)


def is_row_id(text: str) -> bool:
    """Tell whether a text may be the number of a row."""
    return text.isdecimal() and len(text) <= _MOST_DIGITS
