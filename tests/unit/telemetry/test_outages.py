"""Lines about outages: few, and with all that counts."""

from structlog.testing import capture_logs

from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage
from tests.support.clock import ManualClock


async def test_an_outage_is_told_at_both_ends_and_each_minute() -> None:
    """Two minutes of four failures a second are four lines, and every failure is counted."""
    clock = ManualClock()
    outage = Outage(get_logger(__name__), clock.monotonic)
    with capture_logs() as told:
        for _ in range(485):
            outage.fails("no answer", reason="gone")
            await clock.advance(0.25)
        outage.works("answers again")
    failures = [line for line in told if line["event"] == "no answer"]
    assert [line["times"] for line in failures] == [1, 240, 240]
    assert {(line["log_level"], line["reason"]) for line in failures} == {("warning", "gone")}
    assert told[-1]["event"] == "answers again"
    assert (told[-1]["log_level"], told[-1]["seconds"]) == ("info", 121.2)


def test_nothing_is_told_of_what_works() -> None:
    """Without a failure before there is no end of one; the next outage begins anew."""
    clock = ManualClock()
    outage = Outage(get_logger(__name__), clock.monotonic)
    with capture_logs() as told:
        outage.works("answers again")
        assert told == []
        for _ in range(2):
            outage.fails("no answer")
            outage.works("answers again")
            outage.works("answers again")
    assert [line["event"] for line in told] == ["no answer", "answers again"] * 2
