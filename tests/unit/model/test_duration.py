"""Durations and instants as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.duration import format_duration, format_time, parse_duration, parse_time


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("0", 0), ("0s", 0), ("1m30s", 90_000), ("1h", 3_600_000), ("2w", 1_209_600_000), ("5ms", 5)],
)
def test_durations(text: str, milliseconds: int) -> None:
    """Prometheus' durations are read as milliseconds."""
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "1.5s", "-1s", "1s1m", "1m1m", "s", " 1s", "9" * 400])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is refused with words that say how to write one."""
    with pytest.raises(InvalidInput, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0s"), (90_000, "1m30s"), (604_800_000, "1w"), (691_200_000, "8d"), (-1_500, "-1s500ms")],
)
def test_durations_as_text(milliseconds: int, text: str) -> None:
    """Weeks and years are used only where they divide exactly."""
    assert format_duration(milliseconds) == text


@given(st.integers(min_value=0, max_value=9_223_372_036_854))
def test_a_duration_reads_back(milliseconds: int) -> None:
    """What is printed reads back as the same number."""
    assert parse_duration(format_duration(milliseconds)) == milliseconds


def test_times() -> None:
    """An RFC 3339 time needs a zone, and is printed in UTC."""
    assert format_time(parse_time("2026-01-01T01:00:00+01:00")) == "2026-01-01T00:00:00.000Z"
    for text in ("2026-01-01T00:00:00", "yesterday"):
        with pytest.raises(InvalidInput):
            parse_time(text)
