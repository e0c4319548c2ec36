"""What Alloy takes out of a line of ours is in it, and few values make few streams."""

import io
import json
import re
from typing import Final

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from controlplane.telemetry.correlation import correlated
from controlplane.telemetry.logs import configure_logs, get_logger
from controlplane.telemetry.traces import TRACING, span
from tests.stack.files import ROOT, services

_TEXT: Final = (ROOT / "deploy/alloy/config.alloy").read_text()
_BLOCK: Final = r"stage\.{} {{\n(?:[^{{}}]*{{([^{{}}]*)}})"
_LABELS: Final = {"level", "logger"}


def keys(stage: str) -> set[str]:
    """Return the names within a stage's map."""
    found = re.search(_BLOCK.format(stage), _TEXT)
    assert found is not None, stage
    return set(re.findall(r"(\w+)\s*=", found[1]))


def line() -> dict[str, str]:
    """Return a line of the log, written within a case that is traced."""
    stream = io.StringIO()
    configure_logs(stream=stream)
    TRACING.start(InMemorySpanExporter(), ratio=1.0, replica="test")
    with correlated("0123456789abcdef"), span("work"):
        get_logger("controlplane.stack").info("something happened", target="shop")
    TRACING.close()
    found: dict[str, str] = json.loads(stream.getvalue())
    return found


def test_every_key_is_in_a_line() -> None:
    """Level and logger become labels, ids metadata, and the instant is the line's own."""
    wanted = keys("json")
    assert keys("labels") == _LABELS
    assert keys("structured_metadata") == {"trace_id", "correlation_id"}
    assert wanted == _LABELS | {"trace_id", "correlation_id", "timestamp"}
    assert wanted <= line().keys()


def test_a_label_has_few_values() -> None:
    """A level, and the name of a module: not what the line is about."""
    written = line()
    assert (written["level"], written["logger"]) == ("info", "controlplane.stack")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", written["timestamp"])


def test_only_our_own_lines_are_taken_apart() -> None:
    """The stage is for the replicas by their names in compose; the others' go as they are."""
    selector = re.search(r'selector = "\{service=~\\"(.+?)\\"\}"', _TEXT)
    assert selector is not None
    ours = {name for name in services() if re.fullmatch(selector[1], name)}
    assert ours == {"controlplane-1", "controlplane-2"}
    for name in ours:
        assert services()[name]["environment"].get("CONTROLPLANE_LOG_FORMAT", "json") == "json"
