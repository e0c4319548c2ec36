"""Numbers as Go prints and reads them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.promql.numbers import format_general, format_plain, format_value, parse_number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-6, "0.000001"),
        (9.9e-7, "9.9e-7"),
        (1e-7, "1e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (-2.5e-10, "-2.5e-10"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (123456789.123, "123456789.123"),
        (5e-324, "5e-324"),
    ],
)
def test_sample_values(value: float, text: str) -> None:
    """Sample values look as in Prometheus' answers."""
    assert format_value(value) == text


def test_plain_numbers_have_no_exponent() -> None:
    """Labels of count_values are written out."""
    assert format_plain(1e22) == "10000000000000000000000"
    assert format_plain(1.25e-7) == "0.000000125"


def test_general_numbers_use_two_digits_of_exponent() -> None:
    """Messages print numbers as Go's %g does."""
    assert format_general(1e-5) == "1e-05"
    assert format_general(2.5) == "2.5"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_all_forms_read_back(value: float) -> None:
    """The shortest digits are enough digits."""
    for text in (format_value(value), format_plain(value), format_general(value)):
        assert float(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0755", 493.0),
        ("0x_1f", 31.0),
        ("1_0", 10.0),
        ("089", 89.0),
        (".5", 0.5),
        ("INF", math.inf),
    ],
)
def test_literals(text: str, value: float) -> None:
    """Octal, hexadecimal and underscores are read as Go reads them."""
    assert parse_number(text) == value
