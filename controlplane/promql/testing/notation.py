"""Series notation: `metric{label="value"} 0+10x5 _ stale`, as tests of rules write it too."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import STALE_NAN
from controlplane.promql.histograms.arithmetic import (
    Combined,
    IncompatibleBuckets,
    add,
    subtract,
)
from controlplane.promql.histograms.text import parse_histogram
from controlplane.promql.numbers import parse_number
from controlplane.promql.quoting import unquote

_STRING: Final = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`'
_NAME: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL: Final = re.compile(
    rf"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<quoted>{_STRING}))"
    rf"(?:\s*=\s*(?P<value>{_STRING}))?\s*(?P<after>[,}}])"
)
_NUMBER: Final = r"(?:(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?|[Ii][Nn][Ff]|[Nn][Aa][Nn])"
_ITEM: Final = re.compile(
    rf"(?:(?P<blank>_)|(?P<stale>stale)|(?P<first>[+-]?{_NUMBER})(?P<step>[+-]{_NUMBER})?)"
    r"(?:x(?P<times>\d+))?\Z"
)
_HISTOGRAM: Final = r"\{\{[^{}]*\}\}"
_HISTOGRAM_ITEM: Final = re.compile(
    rf"(?P<first>{_HISTOGRAM})(?:(?P<sign>[+-])(?P<step>{_HISTOGRAM}))?(?:x(?P<times>\d+))?\Z"
)
_ITEMS: Final = re.compile(rf"(?:{_HISTOGRAM}|[^\s{{])+")
# No script needs more; a slip of the pen shall not fill the memory.
_MOST_VALUES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class WrittenHistogram:
    """A native histogram, and whether its hint about resets was written."""

    histogram: FloatHistogram
    hinted: bool = False


# A sample, a histogram, or nothing at that instant.
SeriesValue = float | WrittenHistogram | None


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """A series with its values, one a step from the first instant on."""

    labels: Labels
    values: Sequence[SeriesValue]


def parse_series(text: str) -> SeriesLine:
    """Read `metric{...} values`. Raises InvalidInput."""
    labels, end = _labels(text)
    return SeriesLine(labels, parse_values(text[end:]))


def parse_labels(text: str) -> Labels:
    """Read `metric{...}` alone. Raises InvalidInput."""
    labels, end = _labels(text)
    if text[end:].strip():
        raise InvalidInput(f"unexpected text after the series: {text[end:].strip()!r}")
    return labels


def parse_values(text: str) -> Sequence[SeriesValue]:
    """Read a sequence of values such as `1 2 _ 3+1x4`. Raises InvalidInput."""
    values: list[SeriesValue] = []
    end = 0
    for match in _ITEMS.finditer(text):
        if text[end : match.start()].strip():
            break
        values += _item(match.group())
        end = match.end()
        if len(values) > _MOST_VALUES:
            raise InvalidInput(f"more than {_MOST_VALUES} values in one series")
    if text[end:].strip():
        raise InvalidInput(f"not a sequence of values: {text[end:].strip()!r}")
    return values


def _labels(text: str) -> tuple[Labels, int]:
    found: dict[str, str] = {}
    name = _NAME.match(text)
    end = 0
    if name is not None:
        found[METRIC_NAME] = name.group()
        end = name.end()
    if text[end : end + 1] != "{" or text[end : end + 2] == "{{":
        if name is None and text[end:].strip() and text[end] not in " \t":
            raise InvalidInput(f"not a series: {text!r}")
        return Labels(found), end
    return _inside_braces(text, end + 1, found)


def _inside_braces(text: str, at: int, found: dict[str, str]) -> tuple[Labels, int]:
    empty = re.compile(r"\s*\}").match(text, at)
    while empty is None:
        match = _LABEL.match(text, at)
        if match is None:
            raise InvalidInput(f"not a label set: {text!r}")
        label = match["name"] or _unquoted(match["quoted"])
        if match["value"] is None:
            if match["name"]:
                raise InvalidInput(f"label {label} has no value: {text!r}")
            found[METRIC_NAME] = label
        else:
            found[label] = _unquoted(match["value"])
        at = match.end()
        if match["after"] == "}":
            return Labels(found), at
        empty = re.compile(r"\s*\}").match(text, at)
    return Labels(found), empty.end()


def _unquoted(literal: str) -> str:
    try:
        return unquote(literal)
    except ValueError as error:
        raise InvalidInput(f"{literal}: {error}") from None


def _item(text: str) -> list[SeriesValue]:
    if text.startswith("{{"):
        return _histogram_item(text)
    match = _ITEM.match(text)
    if match is None:
        raise InvalidInput(f"not a value of a series: {text!r}")
    times = _times(match["times"])
    if match["blank"]:
        return [None] * (1 if times is None else times)
    # `axN` are N + 1 values: the first one stands before the steps.
    count = 1 if times is None else times + 1
    if match["stale"]:
        return [float(STALE_NAN)] * count
    value = _signed(match["first"])
    if match["step"] is None:
        return [value] * count
    if times is None:
        raise InvalidInput(f"a step needs a number of times: {text!r}")
    step, values = _signed(match["step"]), list[SeriesValue]()
    for _ in range(count):
        values.append(value)
        value += step
    return values


def _histogram_item(text: str) -> list[SeriesValue]:
    match = _HISTOGRAM_ITEM.match(text)
    if match is None:
        raise InvalidInput(f"not a histogram: {text!r}")
    times = _times(match["times"])
    histogram, hinted = parse_histogram(match["first"])
    count = 1 if times is None else times + 1
    if match["step"] is None:
        return [WrittenHistogram(histogram, hinted)] * count
    if times is None:
        raise InvalidInput(f"a step needs a number of times: {text!r}")
    step, hinted = parse_histogram(match["step"])
    combine = add if match["sign"] == "+" else subtract
    values: list[SeriesValue] = []
    for _ in range(count):
        values.append(WrittenHistogram(histogram, hinted))
        if len(values) < count:
            histogram = _next(histogram, step, combine)
    return values


def _next(
    histogram: FloatHistogram,
    step: FloatHistogram,
    combine: Callable[[FloatHistogram, FloatHistogram], Combined],
) -> FloatHistogram:
    if histogram.schema > step.schema:
        raise InvalidInput(
            "error combining histograms: "
            f"cannot merge from schema {step.schema} to {histogram.schema}"
        )
    try:
        return combine(histogram, step).histogram
    except IncompatibleBuckets as error:
        raise InvalidInput(str(error)) from None


def _times(text: str | None) -> int | None:
    if text is None:
        return None
    times = int(text)
    if times > _MOST_VALUES:
        raise InvalidInput(f"more than {_MOST_VALUES} values in one series")
    return times


def _signed(text: str) -> float:
    try:
        magnitude = parse_number(text.lstrip("+-"))
    except ValueError:
        raise InvalidInput(f"not a number: {text!r}") from None
    return -magnitude if text.startswith("-") else magnitude
