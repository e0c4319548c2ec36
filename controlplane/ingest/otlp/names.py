"""Names of OTLP as Prometheus': escaped by underscores, with units and kinds as suffixes.

Rules: opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics
and what Prometheus makes of them by default.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from controlplane.errors import InvalidInput

_UNITS: Final[Mapping[str, str]] = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",  # as Prometheus 3 spells it
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
_PER: Final[Mapping[str, str]] = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
_NOT_IN_METRICS: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9_]")


class Kind(StrEnum):
    """What a metric is; a sum that may fall is a gauge to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UP_DOWN = "up_down"
    HISTOGRAM = "histogram"
    EXPONENTIAL = "exponential_histogram"
    SUMMARY = "summary"

    @property
    def type(self) -> str:
        """Prometheus' type of metric."""
        others = {Kind.UP_DOWN: Kind.GAUGE, Kind.EXPONENTIAL: Kind.HISTOGRAM}
        return others.get(self, self).value


def metric_name(name: str, unit: str, kind: Kind) -> str:
    """Return the family's name. Raises InvalidInput where nothing is left of it."""
    tokens = [token for token in _NOT_IN_METRICS.split(name) if token]
    tokens += [token for token in _unit_tokens(unit) if token not in tokens]
    if kind is Kind.COUNTER:
        tokens = [token for token in tokens if token != "total"] + ["total"]  # noqa: S105
    if unit == "1" and kind is Kind.GAUGE:
        tokens = [token for token in tokens if token != "ratio"] + ["ratio"]  # noqa: S105
    text = "_".join(tokens)
    if not text:
        raise InvalidInput(f"nothing is left of the metric name {name!r}")
    return f"_{text}" if text[0].isdigit() else text


def unit_name(unit: str) -> str:
    """Return a unit as it stands in metadata."""
    return "_".join(_unit_tokens(unit))


def label_name(name: str) -> str:
    """Return an attribute's name as a label. Raises InvalidInput where nothing is left of it."""
    text = _NOT_IN_LABELS.sub("_", name)
    if not text.strip("_") and text != name:
        raise InvalidInput(f"nothing is left of the attribute name {name!r}")
    if text[:1].isdigit():
        return f"key_{text}"
    if text.startswith("_") and not text.startswith("__"):
        return f"key{text}"
    return text


def _unit_tokens(unit: str) -> Sequence[str]:
    """Return the suffixes of a unit such as `By/s`: `bytes`, `per_second`. Braces are comments."""
    main, _, per = (part.strip() for part in unit.partition("/"))
    tokens = []
    if main and not {"{", "}"} & set(main):
        tokens.append(_clean(_UNITS.get(main, main)))
    if per and not {"{", "}"} & set(per):
        spelled = _clean(_PER.get(per, per))
        tokens.append(f"per_{spelled}" if spelled else "")
    return [token for token in tokens if token]


def _clean(text: str) -> str:
    return _NOT_IN_METRICS.sub("_", text).strip("_")
