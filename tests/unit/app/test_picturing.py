"""What messages show of rules: a picture of the expression, and how bad it is."""

import io
from contextlib import AsyncExitStack
from pathlib import Path

from PIL import Image
from prometheus_client import CollectorRegistry

from controlplane.app.build import build
from controlplane.app.picturing import Pictures
from controlplane.clock import SystemClock
from controlplane.config.loader import load
from controlplane.model import links
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.notify.incident import Reason
from controlplane.notify.message import Content
from controlplane.plot.metrics import PlotMetrics
from controlplane.plot.plotter import Plotter
from controlplane.promql.engine import Engine
from controlplane.settings.settings import Settings
from tests.support.mail import mail_server
from tests.support.samples import ListStore
from tests.support.service import eventually
from tests.support.sqlite import migrated

NOW = 1_700_000_000_000
HOUR = 3_600_000
URL = "http://cp/"


def alert(expr: str, *, ends_at: int = NOW + 1, **labels: str) -> Alert:
    """Return an alert of a rule of ours that has fired for twenty minutes."""
    url = links.graph("http://cp", expr)
    return Alert(
        Labels({"alertname": "A", **labels}), NOW - HOUR // 3, ends_at, NOW, generator_url=url
    )


def content(*alerts: Alert) -> Content:
    return Content("key", Labels(), Reason.FIRST, alerts, NOW)


def pictures() -> Pictures:
    """Return what draws from a store with two series."""
    samples = [(NOW - place * 15_000, float(place % 7)) for place in range(600)]
    store = ListStore({Labels({"__name__": "load", "job": job}): samples for job in ("a", "b")})
    metrics = PlotMetrics(CollectorRegistry())
    plotter = Plotter(Engine(store).range, SystemClock(), metrics, seconds=60.0)
    return Pictures(plotter, URL)


async def test_an_alert_of_a_rule_has_a_picture() -> None:
    """Firing or over; its size and words come along."""
    draws = pictures()
    for one in (alert("load > 5", job="a"), alert("load > 5", job="b", ends_at=NOW - 1)):
        graph = await draws(content(one))
        assert graph is not None
        assert graph.words == "Graph of load over 80 minutes, limit > 5"
        image = Image.open(io.BytesIO(graph.png))
        assert image.size == (graph.width * 2, graph.height * 2)
    draws.plotter.close()


async def test_alerts_of_others_have_no_picture() -> None:
    """What another program links to may not be in our store; an empty group shows nothing."""
    draws = pictures()
    foreign = Alert(Labels(), NOW, NOW + 1, NOW, generator_url="http://p/graph?g0.expr=load")
    assert await draws(content(foreign)) is None
    assert await draws(content()) is None
    assert await draws(content(alert("nothing > 1"))) is None
    draws.plotter.close()


_RULES = """
groups:
  - name: g
    interval: 1s
    rules:
      - alert: TooMuch
        expr: sum(vector(7)) > 5
        labels: {severity: critical}
        annotations: {summary: too much of it}
"""


async def test_the_program_sends_picture_and_value(tmp_path: Path) -> None:
    """From a rule to a mail: what it stands at, its limit, and the graph."""
    (tmp_path / "rules.yml").write_text(_RULES)
    path = tmp_path / "controlplane.yml"
    async with mail_server() as server, AsyncExitStack() as stack:
        path.write_text(f"""
global: {{external_labels: {{site: one}}}}
rule_files: [rules.yml]
route: {{receiver: ops, group_wait: 0s}}
receivers:
  - name: ops
    email_configs:
      - {{to: ops@example.org, from: cp@example.org, smarthost: "localhost:{server.port}",
          require_tls: false, timeout: 60s}}
""")
        settings = Settings(data_dir=tmp_path / "data", config=path, replica="test")
        settings.data_dir.mkdir(mode=0o700)
        migrated(settings.data_dir / "controlplane.db")
        registry = CollectorRegistry()
        await build(settings, load(path), clock=SystemClock(), registry=registry, stack=stack)

        async def told() -> bool:
            return bool(server.mails)

        await eventually(told, "a mail")
    mail = server.mails[0]
    page = mail.get_body(("html",))
    assert page is not None
    assert "Now <b>7, limit &gt; 5</b>" in page.get_content()
    assert 'src="cid:' in page.get_content()
    assert "image/png" in [part.get_content_type() for part in mail.walk()]
    assert registry.get_sample_value("controlplane_pictures_total", {"outcome": "drawn"}) == 1
