"""Time intervals in bodies: the keys, and the texts, of the configuration file."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from controlplane.api.fields import Text
from controlplane.config.muting import TIME_INTERVAL
from controlplane.errors import InvalidInput
from controlplane.model.time_interval import (
    Span,
    TimeInterval,
    parse_days_of_month,
    parse_months,
    parse_times,
    parse_weekdays,
    parse_years,
    time_zone,
)


def _number(value: object) -> object:
    return str(value) if type(value) is int else value


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    def checked(value: str) -> str:
        try:
            parse(value)
        except InvalidInput as error:
            raise ValueError(error.reason) from None
        return value

    return AfterValidator(checked)


_RANGE: Final = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
_FEW: Final = Field(min_length=1, max_length=100)
_Weekdays = Annotated[Text, _read_by(parse_weekdays), Field(examples=["monday:friday"])]
_Days = Annotated[Text, BeforeValidator(_number), _read_by(parse_days_of_month), _RANGE]
_Months = Annotated[Text, BeforeValidator(_number), _read_by(parse_months), _RANGE]
_Years = Annotated[Text, BeforeValidator(_number), _read_by(parse_years), _RANGE]


class Times(BaseModel):
    """From a minute of the day to, and without, another."""

    model_config = ConfigDict(extra="forbid")

    start_time: Annotated[Text, Field(examples=["22:00"])]
    end_time: Annotated[Text, Field(examples=["24:00"])]

    def to_span(self) -> Span:
        """Return the minutes. Raises InvalidInput."""
        return parse_times(self.start_time, self.end_time)


def _in_order(times: Times) -> Times:
    try:
        times.to_span()
    except InvalidInput as error:
        raise ValueError(error.reason) from None
    return times


class Interval(BaseModel):
    """When all parts that are given hold; a part that is not given always does."""

    model_config = ConfigDict(extra="forbid")

    times: Annotated[list[Annotated[Times, AfterValidator(_in_order)]], _FEW] | None = None
    weekdays: Annotated[list[_Weekdays], _FEW] | None = None
    days_of_month: Annotated[list[_Days], _FEW] | None = None
    months: Annotated[list[_Months], _FEW] | None = None
    years: Annotated[list[_Years], _FEW] | None = None
    location: Annotated[Text, _read_by(time_zone)] = "UTC"

    @classmethod
    def of(cls, interval: TimeInterval) -> "Interval":
        """Return the texts of an interval."""
        return cls.model_validate(TIME_INTERVAL.show(interval))

    def to_interval(self) -> TimeInterval:
        """Return what the texts say. Raises InvalidInput."""
        return TimeInterval(
            times=None if self.times is None else tuple(each.to_span() for each in self.times),
            weekdays=_spans(self.weekdays, parse_weekdays),
            days_of_month=_spans(self.days_of_month, parse_days_of_month),
            months=_spans(self.months, parse_months),
            years=_spans(self.years, parse_years),
            location=self.location or "UTC",
        )


def _spans(texts: Sequence[str] | None, parse: Callable[[str], Span]) -> tuple[Span, ...] | None:
    return None if texts is None else tuple(parse(text) for text in texts)
