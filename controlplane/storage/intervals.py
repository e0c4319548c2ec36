"""Time intervals as the documents in the database have them."""

from collections.abc import Mapping
from typing import Any, Final

from controlplane.model.time_interval import Span, TimeInterval

_PARTS: Final = ("times", "weekdays", "days_of_month", "months", "years")


def interval_document(interval: TimeInterval) -> dict[str, Any]:
    """Return an interval as JSON can hold it."""
    spans = {part: getattr(interval, part) for part in _PARTS}
    document: dict[str, Any] = {
        part: None if ranges is None else [[span.begin, span.end] for span in ranges]
        for part, ranges in spans.items()
    }
    return document | {"location": interval.location}


def interval_of(document: Mapping[str, Any]) -> TimeInterval:
    """Return the interval of a document."""
    spans: dict[str, tuple[Span, ...] | None] = {
        part: None if document[part] is None else tuple(Span(*pair) for pair in document[part])
        for part in _PARTS
    }
    return TimeInterval(**spans, location=document["location"])
