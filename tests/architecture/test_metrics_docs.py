"""docs/metrics.md tells every metric of the service and every series it writes, and no other."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.build import build
from controlplane.app.mirroring import MirrorMetrics
from controlplane.clock import SystemClock
from controlplane.cluster.metrics import ClusterMetrics, LimitMetrics, RedisMetrics
from controlplane.config.config import default_config
from controlplane.probes.render import HELP
from controlplane.rules.produced import ALERTS, ALERTS_FOR_STATE
from controlplane.scrape.report import EXTRA_NAMES, NAMES
from controlplane.settings.settings import Settings
from controlplane.targets.leases import SERIES

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ?(.*?) ?\| (.+?) \|", re.MULTILINE)
_SERIES = re.compile(r"^\| `(\w+)` \| ", re.MULTILINE)
# Units and plain nouns at the end of a name; a counter's unit comes before `_total`.
_NAME = re.compile(r"(controlplane(_[a-z]+)+|(process|python)_[a-z_]+)\Z")

# Type and label names by the name on /metrics.
Facts = dict[str, tuple[str, tuple[str, ...]]]


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[CollectorRegistry]:
    """Build the whole service, and yield its registry."""
    made = CollectorRegistry()
    settings = Settings(data_dir=tmp_path)
    async with AsyncExitStack() as stack:
        await build(settings, default_config(), clock=SystemClock(), registry=made, stack=stack)
        # One replica has no Redis, and no metrics of it.
        RedisMetrics(made)
        ClusterMetrics(made)
        LimitMetrics(made)
        MirrorMetrics(made)
        yield made


def facts(registry: CollectorRegistry) -> Facts:
    """Return what is registered. The library tells the label names of empty metrics privately."""
    found: Facts = {}
    for collector in set(registry._collector_to_names):
        labels = tuple(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            ending = "_total" if family.type == "counter" else ""
            found[family.name + ending] = (family.type, labels)
    return found


def sections() -> tuple[str, str]:
    """Return the page's part about /metrics, and that about series in the store."""
    own, _, written = PAGE.read_text().partition("\n## Series of probes")
    return own, written


async def test_every_metric_is_told(registry: CollectorRegistry) -> None:
    """Each metric has a row with its type, its labels and its meaning, and no row has none."""
    told = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in _ROW.findall(sections()[0])
    }
    assert told == facts(registry)


async def test_names_are_of_one_kind(registry: CollectorRegistry) -> None:
    """Names are `controlplane_<noun>_<unit>`; those of the process are the client library's."""
    assert [name for name in facts(registry) if not _NAME.match(name)] == []


def test_every_series_is_told() -> None:
    """Each series that probes, scrapes, leases and rules write has a row, and no row has none."""
    written = {*HELP, *NAMES, *EXTRA_NAMES, SERIES, ALERTS, ALERTS_FOR_STATE}
    assert set(_SERIES.findall(sections()[1])) == written
