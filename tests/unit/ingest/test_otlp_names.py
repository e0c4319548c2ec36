"""Names of OTLP as Prometheus spells them."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.ingest.otlp.names import Kind, label_name, metric_name, unit_name

METRICS = [
    ("http.server.request.duration", "s", Kind.HISTOGRAM, "http_server_request_duration_seconds"),
    ("http.requests", "1", Kind.COUNTER, "http_requests_total"),
    ("http.requests.total", "{request}", Kind.COUNTER, "http_requests_total"),
    ("total.requests", "", Kind.COUNTER, "requests_total"),
    ("cpu.utilization", "1", Kind.GAUGE, "cpu_utilization_ratio"),
    ("cpu.utilization", "1", Kind.UP_DOWN, "cpu_utilization"),
    ("memory_bytes", "By", Kind.GAUGE, "memory_bytes"),
    ("bytes.memory", "By", Kind.GAUGE, "bytes_memory"),
    ("disk.io", "By/s", Kind.GAUGE, "disk_io_bytes_per_second"),
    ("disk.io", "{op}/min", Kind.GAUGE, "disk_io_per_min"),
    ("speed", "m/h", Kind.GAUGE, "speed_meters_per_hour"),
    ("fan", "km/h", Kind.GAUGE, "fan_km_per_hour"),
    ("2xx", "", Kind.COUNTER, "_2xx_total"),
    ("a__b..c", "", Kind.GAUGE, "a_b_c"),
    ("rule:name", "", Kind.GAUGE, "rule:name"),
    ("odd", "m²_x", Kind.GAUGE, "odd_m_x"),
    ("load", "%", Kind.GAUGE, "load_percent"),
]
LABELS = [
    ("http.method", "http_method"),
    ("1st", "key_1st"),
    ("_private", "key_private"),
    ("__reserved", "__reserved"),
    ("a..b", "a__b"),
    (".dotted", "key_dotted"),
]


@pytest.mark.parametrize(("name", "unit", "kind", "wanted"), METRICS)
def test_a_metric_gets_its_suffixes(name: str, unit: str, kind: Kind, wanted: str) -> None:
    """Unit, then total or ratio, none of them twice."""
    assert metric_name(name, unit, kind) == wanted


@pytest.mark.parametrize(("name", "wanted"), LABELS)
def test_an_attribute_becomes_a_label(name: str, wanted: str) -> None:
    """What may not stand in a label is an underscore."""
    assert label_name(name) == wanted


def test_nothing_left_is_refused() -> None:
    """A name without a letter or a digit cannot be told from others."""
    with pytest.raises(InvalidInput):
        metric_name("日本", "", Kind.GAUGE)
    with pytest.raises(InvalidInput):
        label_name("日本")


def test_a_unit_in_metadata() -> None:
    """The words of the suffixes."""
    assert unit_name("By/s") == "bytes_per_second"
    assert unit_name("{thing}") == ""
