"""What clients post, read as Alertmanager reads it: by Go's JSON and go-openapi's checks."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar

from fastapi import Request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from controlplane.api.alertmanager.answers import INVALID_TYPE, REQUIRED, TOO_FEW, Malformed
from controlplane.clock import Timestamp

T = TypeVar("T")

_JSON: Final = "application/json"
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?\Z"
)
# What Go writes for a time that was never set.
_UNSET: Final = -62_135_596_800_000
# The year 10000, which no time is written in.
_BEYOND: Final = 253_402_300_800_000
# What Go's url.ParseRequestURI takes: a path, or a scheme with anything after it.
_URI: Final = re.compile(r"(?:\*\Z|/|[A-Za-z][A-Za-z0-9+.\-]*:)[^\x00-\x1f\x7f]*\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_URI_ERROR: Final = "not_a_uri"
# The findings of go-openapi; all others are Go's, which could not read the JSON.
_FINDINGS: Final[Mapping[str, tuple[int, str]]] = {
    "missing": (REQUIRED, "{place} in body is required"),
    "too_short": (TOO_FEW, "{place} in body should have at least 1 items"),
    _URI_ERROR: (INVALID_TYPE, '{place} in body must be of type uri: "{given}"'),
}


def _whole(text: str) -> str:
    """Return a text without what cannot be UTF-8, as Go reads it."""
    return _SURROGATE.sub("\ufffd", text)


def _named(labels: Any) -> Any:
    return _without_nulls(labels, "")


def _clean(labels: dict[str, str]) -> dict[str, str]:
    return {_whole(name): _whole(value) for name, value in labels.items()}


def _instant(given: Any) -> Timestamp | None:
    """Return an instant; none for Go's zero time, and 1970 for an empty text, as upstream does."""
    if given is None:
        return None
    if not isinstance(given, str):
        raise ValueError(f"a time is a text, not {json.dumps(given)}")  # noqa: TRY004 - for pydantic
    if not given:
        return 0
    try:
        moment = datetime.fromisoformat(given.upper()) if _TIME.match(given) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError(f'parsing time "{given}": not an RFC 3339 time')
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    milliseconds = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    if not _UNSET <= milliseconds < _BEYOND:
        raise ValueError(f'parsing time "{given}": year outside of range [1,9999]')
    return None if milliseconds == _UNSET else milliseconds


def _uri(given: str) -> str:
    if given and _URI.match(given) is None:
        raise PydanticCustomError(_URI_ERROR, "not a URI")
    return _whole(given)


def _without_nulls(given: Any, instead: Any = None) -> Any:
    if not isinstance(given, dict):
        return given
    return {
        name: instead if value is None else value
        for name, value in given.items()
        if instead is not None or value is not None
    }


_MOMENT_SCHEMA: Final = WithJsonSchema({"type": "string", "format": "date-time"})

Text = Annotated[str, AfterValidator(_whole)]
LabelSet = Annotated[dict[str, str], BeforeValidator(_named), AfterValidator(_clean)]
Moment = Annotated[Timestamp | None, BeforeValidator(_instant), _MOMENT_SCHEMA]
Uri = Annotated[str, AfterValidator(_uri)]


class Body(BaseModel):
    """A posted object: null is "not given", what is not known is passed over."""

    model_config = ConfigDict(strict=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _as_go_reads_it(cls, given: Any) -> Any:
        """Take names in any case, the last of several counting."""
        if not isinstance(given, dict):
            return {} if given is None else given
        names = _names(cls)
        return _without_nulls({names.get(name.lower(), name): held for name, held in given.items()})


@lru_cache(maxsize=16)
def _names(body: type[BaseModel]) -> Mapping[str, str]:
    """Return the names of a body's fields by what they are in small letters."""
    names = (field.alias or name for name, field in body.model_fields.items())
    return {name.lower(): name for name in names}


class PostableAlert(Body):
    """An alert as a client posts it."""

    annotations: LabelSet = Field(default_factory=dict)
    ends_at: Moment = Field(None, alias="endsAt")
    starts_at: Moment = Field(None, alias="startsAt")
    generator_url: Uri = Field("", alias="generatorURL")
    labels: LabelSet


class PostableMatcher(Body):
    """A matcher of a silence."""

    is_equal: bool = Field(default=True, alias="isEqual")
    is_regex: bool = Field(alias="isRegex")
    name: Text
    value: Text


class PostableSilence(Body):
    """A silence as a client posts it; with an id, it changes the one that has it."""

    id: Text = ""
    annotations: LabelSet = Field(default_factory=dict)
    comment: Text
    created_by: Text = Field(alias="createdBy")
    ends_at: Moment = Field(alias="endsAt")
    matchers: Annotated[list[PostableMatcher], Field(min_length=1)]
    starts_at: Moment = Field(alias="startsAt")


_ALERTS: Final = TypeAdapter(list[PostableAlert])
_SILENCE: Final = TypeAdapter(PostableSilence)


def _described(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": schema}}}}


def _silence_schema() -> dict[str, Any]:
    schema = PostableSilence.model_json_schema()
    parts = schema.pop("$defs")
    schema["properties"]["matchers"]["items"] = parts[PostableMatcher.__name__]
    return schema


# What the OpenAPI document tells of the bodies.
ALERTS_BODY: Final = _described({"type": "array", "items": PostableAlert.model_json_schema()})
SILENCE_BODY: Final = _described(_silence_schema())


async def read_alerts(request: Request) -> list[PostableAlert]:
    """Return the alerts of a body. Raises Malformed."""
    given = await _read(request, "alerts")
    return _checked(_ALERTS, "alerts", [] if given is None else given)


async def read_silence(request: Request) -> PostableSilence:
    """Return the silence of a body. Raises Malformed."""
    return _checked(_SILENCE, "silence", await _read(request, "silence"))


async def _read(request: Request, name: str) -> Any:
    body = await request.body()
    if not body:
        raise Malformed(REQUIRED, f"{name} in body is required")
    kind = request.headers.get("content-type", "application/octet-stream")
    kind = kind.partition(";")[0].strip().lower()
    if kind != _JSON:
        raise Malformed(415, f'unsupported media type "{kind}", only [{_JSON}] are allowed')
    try:
        return json.loads(body)
    except RecursionError:
        raise Malformed(400, _unread(name, "it is nested too deeply")) from None
    except ValueError as error:
        raise Malformed(400, _unread(name, str(error))) from None


def _checked(adapter: TypeAdapter[T], name: str, given: Any) -> T:
    try:
        return adapter.validate_python(given)
    except ValidationError as error:
        raise _malformed(name, error.errors()) from None


def _malformed(name: str, errors: Sequence[ErrorDetails]) -> Malformed:
    """Return the first finding; what Go could not read comes before what was missing."""
    unread = next((each for each in errors if each["type"] not in _FINDINGS), None)
    if unread is not None:
        where = ".".join(map(str, unread["loc"]))
        reason = unread["msg"].removeprefix("Value error, ")
        return Malformed(400, _unread(name, f"{where}: {reason}" if where else reason))
    first = errors[0]
    code, words = _FINDINGS[first["type"]]
    place = ".".join(map(str, first["loc"]))
    return Malformed(code, words.format(place=place, given=first["input"]))


def _unread(name: str, reason: str) -> str:
    return f'parsing {name} body from "" failed, because {reason}'
