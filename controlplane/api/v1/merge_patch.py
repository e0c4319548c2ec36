"""JSON merge patch."""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

# How the document describes a route whose body is a patch.
MERGE_PATCH: Final[Json] = {
    "requestBody": {
        "required": True,
        "content": {"application/merge-patch+json": {"schema": {"type": "object"}}},
    }
}


def merge_patch(document: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """Return `document` with `patch` applied: null removes, objects merge (RFC 7396)."""
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            below = merged.get(name)
            merged[name] = merge_patch(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged
