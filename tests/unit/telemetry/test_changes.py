"""Lines about changes: bounded, and nothing is lost of the count."""

from structlog.testing import capture_logs

from controlplane.telemetry.changes import ChangeLines
from controlplane.telemetry.logs import get_logger


class Steady:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_storm_is_a_few_lines_and_a_number() -> None:
    """Ten thousand targets go down at once: each time the rest is counted, by event."""
    clock = Steady()
    lines = ChangeLines(get_logger(__name__), clock, most=3, seconds=10.0)
    with capture_logs() as told:
        for number in range(10_000):
            lines.tell("target down" if number % 2 else "target up", target=f"t{number}")
        assert [line["target"] for line in told] == ["t0", "t1", "t2"]
        clock.now += 9.9
        lines.settle()
        assert len(told) == 3
        clock.now += 0.1
        lines.settle()
        lines.settle()
    assert told[3] == {
        "event": "more changes",
        "log_level": "warning",
        "number": 9_997,
        "events": {"target down": 4_999, "target up": 4_998},
    }
    assert len(told) == 4


def test_the_next_while_has_lines_of_its_own() -> None:
    """The count of the one before comes first, also when nobody settled."""
    clock = Steady()
    lines = ChangeLines(get_logger(__name__), clock, most=1, seconds=10.0)
    with capture_logs() as told:
        for pause in (0.0, 1.0, 10.0, 1.0):
            clock.now += pause
            lines.tell("changed", at=clock.now)
    assert [line["event"] for line in told] == ["changed", "more changes", "changed"]
    assert told[1]["number"] == 1


def test_few_changes_are_all_told() -> None:
    """Without a storm nothing is left out, and nothing is said of it."""
    clock = Steady()
    lines = ChangeLines(get_logger(__name__), clock, most=2, seconds=10.0)
    with capture_logs() as told:
        for _ in range(5):
            lines.tell("changed")
            clock.now += 6.0
            lines.settle()
    assert [line["event"] for line in told] == ["changed"] * 5
