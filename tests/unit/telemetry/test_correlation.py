"""Ids in force, and the traces that follow from them."""

import io
import json

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from controlplane.telemetry.correlation import correlated, correlation_id, triggered_by
from controlplane.telemetry.logs import configure_logs, get_logger
from controlplane.telemetry.traces import TRACING, answering, span, trace_id_of

_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Have every span kept in memory."""
    kept = InMemorySpanExporter()
    TRACING.start(kept, ratio=1.0, replica="r")
    return kept


def test_ids_hold_within_their_block() -> None:
    """The id and its cause are in force inside, the former ones afterwards."""
    with correlated("outer", cause="tick"):
        with correlated("inner"):
            assert (correlation_id(), triggered_by()) == ("inner", "")
        assert (correlation_id(), triggered_by()) == ("outer", "tick")
    assert (correlation_id(), triggered_by()) == ("", "")


def test_lines_carry_the_ids() -> None:
    """A line has the id in force and its cause; one that names its own id keeps it."""
    stream = io.StringIO()
    configure_logs(stream=stream)
    with correlated("abc", cause="tick"):
        get_logger("t").info("one")
        get_logger("t").info("two", correlation_id="own")
    get_logger("t").info("three")
    one, two, three = map(json.loads, stream.getvalue().splitlines())
    assert (one["correlation_id"], one["triggered_by"]) == ("abc", "tick")
    assert two["correlation_id"] == "own"
    assert "correlation_id" not in three
    assert "triggered_by" not in three


def test_work_under_one_id_is_one_trace(exporter: InMemorySpanExporter) -> None:
    """Spans made far apart under one correlation id share the trace that follows from it."""
    with correlated("abc", cause="tick"), span("first"):
        pass
    with correlated("abc"), span("second"):
        pass
    with correlated("other"), span("third"):
        pass
    TRACING.close()
    first, second, third = exporter.get_finished_spans()
    assert first.context.trace_id == second.context.trace_id == trace_id_of("abc")
    assert third.context.trace_id == trace_id_of("other")
    assert dict(first.attributes or {}) == {"correlation_id": "abc", "triggered_by": "tick"}


def test_a_request_continues_its_callers_trace(exporter: InMemorySpanExporter) -> None:
    """A `traceparent` is honoured; one that is malformed begins a trace of our own."""
    with correlated("abc"):
        with answering("request", {"traceparent": _PARENT}):
            pass
        with answering("request", {"traceparent": "00-nonsense"}):
            pass
    TRACING.close()
    continued, begun = exporter.get_finished_spans()
    assert f"{continued.context.trace_id:032x}" == _PARENT.split("-")[1]
    assert continued.parent is not None
    assert f"{continued.parent.span_id:016x}" == _PARENT.split("-")[2]
    assert begun.context.trace_id == trace_id_of("abc")
    assert begun.parent is None


def test_no_span_is_made_while_traces_are_off() -> None:
    """Without an exporter a span is nothing, whatever the caller's headers say."""
    with answering("request", {"traceparent": _PARENT}) as current:
        assert not current.is_recording()
