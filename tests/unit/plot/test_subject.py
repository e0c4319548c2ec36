"""What of an expression is drawn."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.plot.subject import Subject, subject, threshold_of


@pytest.mark.parametrize(
    ("text", "expr", "comparison", "threshold"),
    [
        ("up == 0", "up", "==", 0.0),
        ("rate(errors[5m]) > 0.05", "rate(errors[5m])", ">", 0.05),
        ("((a / b) >= -(2 * 3))", "a / b", ">=", -6.0),
        ("5 > free", "free", "<", 5.0),
        ("a > 5 and b < 3", "a", ">", 5.0),
        ("(a != 1e3) unless on (job) b", "a", "!=", 1000.0),
        ("a < 10 / 4", "a", "<", 2.5),
        ("a > b", "a > b", "", None),
        ("a > bool 5", "a > bool 5", "", None),
        ("a > 1 / 0", "a > 1 / 0", "", None),
        ("a or b > 1", "a or b > 1", "", None),
        ("absent(up)", "absent(up)", "", None),
    ],
)
def test_the_measured_side_and_its_limit(
    text: str, expr: str, comparison: str, threshold: float | None
) -> None:
    """A comparison with a number is taken apart; all else is drawn as it is."""
    assert subject(text) == Subject(expr, comparison, threshold)


def test_what_is_no_expression_has_no_limit() -> None:
    """It cannot be drawn, but its text can be told."""
    with pytest.raises(InvalidInput):
        subject("up ==")
    assert threshold_of("up ==") == Subject("up ==")
