"""The texts of our JSON: durations as Prometheus writes them, times as RFC 3339."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.dependency import parse_dependency
from controlplane.model.duration import format_duration, format_time, parse_duration, parse_time
from controlplane.model.labels import is_utf8


def _duration(value: object) -> Duration:
    if not isinstance(value, str):
        raise ValueError("a duration is a text, such as 30s or 1m30s")  # noqa: TRY004 - for pydantic
    try:
        return parse_duration(value)
    except InvalidInput as error:
        raise ValueError(error.reason) from None


def _time(value: object) -> Timestamp:
    if not isinstance(value, str):
        raise ValueError("a time is a text, such as 2026-11-22T08:00:00Z")  # noqa: TRY004 - for pydantic
    try:
        return parse_time(value)
    except InvalidInput as error:
        raise ValueError(error.reason) from None


def _dependency(value: str) -> str:
    try:
        parse_dependency(value)
    except InvalidInput as error:
        raise ValueError(error.reason) from None
    return value


def _utf8(value: str) -> str:
    if not is_utf8(value):
        raise ValueError("not valid UTF-8: it holds a lone surrogate")
    return value


_DURATION_SCHEMA: Final = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^(0|(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?)$",
        "examples": ["30s", "1m30s"],
    }
)

# What is given: text only. What is shown: milliseconds inside, text outside.
DurationText = Annotated[
    Duration,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    _DURATION_SCHEMA,
]
DurationShown = Annotated[
    Duration, PlainSerializer(format_duration, return_type=str), _DURATION_SCHEMA
]

TimeText = Annotated[
    Timestamp,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

# The same, given.
TimeGiven = Annotated[
    Timestamp,
    BeforeValidator(_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

Text = Annotated[str, AfterValidator(_utf8)]

# A name, or matchers in braces.
DependencyText = Annotated[
    Text,
    AfterValidator(_dependency),
    WithJsonSchema({"type": "string", "examples": ["orders-db", '{job="gateway",zone="a"}']}),
]
