"""Native histograms as text, as upstream prints them and as tests write them."""

import re
from collections.abc import Sequence
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.histogram import (
    NO_BUCKETS,
    Buckets,
    CounterResetHint,
    FloatHistogram,
    buckets_at,
)
from controlplane.model.histogram_layout import Ranges, negative_ranges, positive_ranges
from controlplane.promql.numbers import format_general, parse_number

_HINTS: Final = {
    "unknown": CounterResetHint.UNKNOWN,
    "reset": CounterResetHint.RESET,
    "not_reset": CounterResetHint.NOT_RESET,
    "gauge": CounterResetHint.GAUGE,
}
_ITEM: Final = re.compile(r"(?P<key>[a-z_]+):(?:\[(?P<list>[^\[\]]*)\]|(?P<value>[^\s\[\]]+))\s*")
_NUMBERS: Final = frozenset(["sum", "count", "z_bucket", "z_bucket_w"])
_INTEGERS: Final = frozenset(["schema", "offset", "n_offset"])
_LISTS: Final = frozenset(["custom_values", "buckets", "n_buckets"])
_INTEGER: Final = re.compile(r"[+-]?\d+\Z")


def printed(histogram: FloatHistogram) -> str:
    """Return `{count:3, sum:6, (1,2]:3}`: the value of a label in `count_values`."""
    parts = [f"count:{format_general(histogram.count)}", f"sum:{format_general(histogram.sum)}"]
    if not histogram.is_custom:
        negative = negative_ranges(histogram)
        parts += reversed(_printed_ranges(negative, "[", ")"))
        if histogram.zero_count:
            edge = format_general(histogram.zero_threshold)
            low = format_general(-histogram.zero_threshold)
            parts.append(f"[{low},{edge}]:{format_general(histogram.zero_count)}")
    parts += _printed_ranges(positive_ranges(histogram), "(", "]")
    if histogram.is_custom and len(histogram.positive) and histogram.positive.indices[0] == 0:
        parts = [part.replace("(-Inf", "[-Inf") for part in parts]
    return "{" + ", ".join(parts) + "}"


def _printed_ranges(ranges: Ranges, opening: str, closing: str) -> list[str]:
    rows = zip(ranges.lower.tolist(), ranges.upper.tolist(), ranges.counts.tolist(), strict=True)
    return [
        f"{opening}{format_general(lower)},{format_general(upper)}{closing}:{format_general(count)}"
        for lower, upper, count in rows
        if count
    ]


def written(histogram: FloatHistogram) -> str:
    """Return `{{schema:1 count:3 ...}}`, as `parse_histogram` reads it."""
    parts = [
        f"{key}:{format_general(value)}"
        for key, value in (
            ("schema", histogram.schema),
            ("count", histogram.count),
            ("sum", histogram.sum),
            ("z_bucket", histogram.zero_count),
            ("z_bucket_w", histogram.zero_threshold),
        )
        if value
    ]
    if histogram.is_custom:
        parts.append(f"custom_values:{_list(histogram.custom_values)}")
    if histogram.hint is not CounterResetHint.UNKNOWN:
        parts.append(f"counter_reset_hint:{histogram.hint.name.lower()}")
    for prefix, side in (("", histogram.positive), ("n_", histogram.negative)):
        filled = side.compact()
        if len(filled):
            first, last = int(filled.indices[0]), int(filled.indices[-1])
            counts = dict(zip(filled.indices.tolist(), filled.counts.tolist(), strict=True))
            parts += [f"{prefix}offset:{first}"] if first else []
            whole = [counts.get(index, 0.0) for index in range(first, last + 1)]
            parts.append(f"{prefix}buckets:{_list(whole)}")
    return "{{" + " ".join(parts) + "}}"


def _list(numbers: Sequence[float]) -> str:
    return "[" + " ".join(format_general(number) for number in numbers) + "]"


def parse_histogram(text: str) -> tuple[FloatHistogram, bool]:
    """Read `{{schema:1 ...}}`; the flag tells whether a hint is written. Raises InvalidInput."""
    fields: dict[str, str] = {}
    lists: dict[str, list[float]] = {}
    inner, at = text.strip().removeprefix("{{").removesuffix("}}").strip(), 0
    while at < len(inner):
        match = _ITEM.match(inner, at)
        if match is None:
            raise InvalidInput(f"not a histogram: {text!r}")
        key = match["key"]
        if key in fields or key in lists:
            raise InvalidInput(f"duplicate key {key!r} in histogram {text!r}")
        if match["list"] is not None and key in _LISTS:
            lists[key] = [_number(part) for part in match["list"].split()]
        elif match["value"] is not None and key not in _LISTS:
            fields[key] = match["value"]
        else:
            raise InvalidInput(f"not a histogram: {text!r}")
        at = match.end()
    return _built(text, fields, lists), "counter_reset_hint" in fields


def _built(text: str, fields: dict[str, str], lists: dict[str, list[float]]) -> FloatHistogram:
    numbers: dict[str, float] = {}
    integers: dict[str, int] = {}
    hint = CounterResetHint.UNKNOWN
    for key, value in fields.items():
        if key in _NUMBERS:
            numbers[key] = _number(value)
        elif key in _INTEGERS and _INTEGER.match(value):
            integers[key] = int(value)
        elif key == "counter_reset_hint" and value in _HINTS:
            hint = _HINTS[value]
        else:
            raise InvalidInput(f"not a histogram: {text!r}: {key}:{value}")
    return FloatHistogram(
        schema=integers.get("schema", 0),
        count=numbers.get("count", 0.0),
        sum=numbers.get("sum", 0.0),
        zero_threshold=numbers.get("z_bucket_w", 0.0),
        zero_count=numbers.get("z_bucket", 0.0),
        positive=_buckets(lists.get("buckets", []), integers.get("offset", 0)),
        negative=_buckets(lists.get("n_buckets", []), integers.get("n_offset", 0)),
        custom_values=tuple(lists.get("custom_values", [])),
        hint=hint,
    )


def _buckets(counts: Sequence[float], offset: int) -> Buckets:
    if not counts:
        return NO_BUCKETS
    return buckets_at(range(offset, offset + len(counts)), counts)


def _number(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    try:
        return sign * parse_number(text.removeprefix("-").removeprefix("+"))
    except ValueError:
        raise InvalidInput(f"not a number: {text!r}") from None
