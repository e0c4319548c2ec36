"""JSON in columns: quickly where that can be, and otherwise as the standard library writes it.

orjson takes neither half a surrogate pair nor an integer of more than 64 bits;
the standard library's JSON does, and both are found in what clients send.
"""

import json

import orjson


def write(value: object) -> str:
    """Return a value as JSON."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)


def read(text: str | bytes) -> object:
    """Return the value of what `write`, or the standard library, wrote."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
