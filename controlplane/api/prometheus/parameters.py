"""Parameters as Prometheus takes them: in the address or, for a POST, as a form."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import parse_duration, parse_time

_FORM: Final = "application/x-www-form-urlencoded"
_FURTHEST: Final = 9_223_372_036_854_775
# How Go writes the bounds of upstream's time, whose years no other parser takes.
_BOUNDS: Final = {
    "-292273086-05-16T16:47:06Z": -_FURTHEST * 1000,
    "292277025-08-18T07:12:54.999999999Z": _FURTHEST * 1000,
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of a request, in order; a name may come more than once."""

    pairs: Sequence[tuple[str, str]]

    def text(self, name: str, default: str = "") -> str:
        """Return the first value, or the default."""
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return every value of a name."""
        return [value for key, value in self.pairs if key == name]

    def time(self, name: str, default: Timestamp | None = None) -> Timestamp:
        """Return an instant given as Unix seconds or RFC 3339. Raises InvalidInput."""
        text = self.text(name)
        if not text and default is not None:
            return default
        if text in _BOUNDS:
            return _BOUNDS[text]
        try:
            return _milliseconds(float(text))
        except ValueError:
            pass
        try:
            return parse_time(text)
        except InvalidInput:
            raise _invalid(name, f"cannot parse {text!r} to a valid timestamp") from None

    def duration(self, name: str) -> Duration:
        """Return a duration given as seconds or Prometheus text. Raises InvalidInput."""
        text = self.text(name)
        try:
            return _milliseconds(float(text))
        except ValueError:
            pass
        try:
            return parse_duration(text)
        except InvalidInput:
            raise _invalid(name, f"cannot parse {text!r} to a valid duration") from None

    def count(self, name: str) -> int:
        """Return a number that is not negative; 0 when it is not given. Raises InvalidInput."""
        text = self.text(name, "0")
        if not text.isdecimal():
            raise _invalid(name, "must be a non-negative number")
        return int(text)


async def read_parameters(request: Request) -> Parameters:
    """Return the parameters of the address and, for a POST, those of the form before them."""
    pairs: list[tuple[str, str]] = []
    if request.method == "POST":
        kind = request.headers.get("content-type", "").split(";")[0].strip()
        body = await request.body()
        if kind == _FORM:
            try:
                pairs += parse_qsl(body.decode(), keep_blank_values=True)
            except UnicodeDecodeError:
                raise InvalidInput("the form is not valid UTF-8") from None
        elif body:
            raise InvalidInput(f"send the parameters as {_FORM}, not {kind or 'untyped'}")
    pairs += request.query_params.multi_items()
    return Parameters(tuple(pairs))


# What a route takes whose parameters may stand in the address or in a form.
Given = Annotated[Parameters, Depends(read_parameters)]


def _milliseconds(seconds: float) -> int:
    if not math.isfinite(seconds) or abs(seconds) > _FURTHEST:
        raise InvalidInput(f"{seconds} is out of range")
    return round(seconds * 1000)


def _invalid(name: str, reason: str) -> InvalidInput:
    return InvalidInput(f'invalid parameter "{name}": {reason}', pointer=f"?{name}")
