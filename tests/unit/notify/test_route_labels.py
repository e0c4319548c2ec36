"""Labels of routes: inherited, written for each group, and known to every template."""

from pathlib import Path

import pytest

from controlplane.demo.standins import WebhookStandIn
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import Content, Notification
from controlplane.notify.options import Receiver
from controlplane.notify.rendering import Templates
from controlplane.routing.options import Route
from controlplane.routing.ports import Flush
from controlplane.routing.tree import build_tree
from tests.support.alerting import alerting, firing
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
TEMPLATES = Templates(external_url="http://cp")


def written(text: str, **labels: str) -> str:
    """Return a text of a group, whose route has these labels."""
    alerts = (firing(NOW, database="users"), firing(NOW, database="orders"))
    group = Labels({"alertname": "Broken"})
    content = Content("{}:{}", group, Reason.FIRST, alerts, NOW, Labels(labels))
    return TEMPLATES.renderer(Notification("ops", "x/0", "{}:{}", content))(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ routeLabels "team" }}', "<payments>"),
        ("{{ .RouteLabels.team }}", "<payments>"),
        ('{{ routeLabels "about" }}', "Broken of <payments>: 2"),
        ('{{ routeLabels "nobody" }}', ""),
        ('{{ routeLabels "why" }} {{ .NotificationReason }}', "unknown first notification"),
        ("{{ .RouteLabels.Names }}", "[about team why]"),
        ("{{/* jinja2 */}}{{ route_labels['about'] }}", "Broken of <payments>: 2"),
    ],
)
def test_a_route_label_is_a_template_over_the_group(text: str, expected: str) -> None:
    """It sees the group and the other labels, but not for which message it is written."""
    shown = written(
        text,
        team="<payments>",
        about='{{ .GroupLabels.alertname }} of {{ routeLabels "team" }}: {{ len .Alerts }}',
        why="{{ .NotificationReason }}",
    )
    assert shown == expected


def test_a_label_is_not_written_twice() -> None:
    """What comes out of one is text, though it looks like a template."""
    assert written('{{ routeLabels "a" }}', a='{{ "{{" }} .Receiver }}') == "{{ .Receiver }}"


def test_labels_that_cannot_be_written_are_left_out() -> None:
    """Circles and mistakes cost that label, never the message."""
    circle = {"a": '{{ routeLabels "b" }}', "b": '{{ routeLabels "a" }}'}
    assert written("{{ .RouteLabels.Names }}", **circle, good="yes", bad="{{ ") == "[good]"


def test_routes_inherit_labels() -> None:
    """A child has those of its parent, with its own over them."""
    root = build_tree(
        Route(
            receiver="ops",
            labels=Labels({"team": "sre", "about": "x"}),
            routes=(Route(labels=Labels({"about": "y", "own": "z"})), Route()),
        )
    )
    first, second = root.children
    assert dict(first.labels) == {"team": "sre", "about": "y", "own": "z"}
    assert second.labels == root.labels == Labels({"team": "sre", "about": "x"})


def test_who_looks_at_a_group_sees_them_written() -> None:
    """As for the message that would be sent now."""
    flush = Flush(
        "{}:{}",
        Labels(),
        "{}",
        "ops",
        1,
        (firing(NOW),),
        NOW,
        route_labels=Labels({"count": "{{ len .Alerts.Firing }}"}),
    )
    assert TEMPLATES.route_labels(flush) == {"count": "1"}


async def test_a_webhook_is_told_the_labels_of_the_route(tmp_path: Path) -> None:
    """In `routeLabels`, which is empty for a route without any; they survive a restart."""
    clock = ManualClock()
    labelled = Route(
        receiver="ops",
        group_by=("alertname",),
        group_wait=0,
        labels=Labels({"team": "{{ .GroupLabels.alertname }}s"}),
    )
    async with WebhookStandIn() as hook:
        receiver = Receiver("ops", webhook_configs=(WebhookConfig(Secret(f"{hook.url}/hook")),))
        async with alerting(tmp_path, labelled, [receiver], clock=clock, start=False) as system:
            await system.silences.load()
            await system.alerts.put([firing(clock.now())])
            system.dispatcher.reload(build_tree(labelled), system.alerts.list(), clock.now())
            await system.dispatcher.flush_due(clock.now())
        async with alerting(tmp_path, labelled, [receiver], clock=clock):
            await hook.wait_for(lambda: bool(hook.payloads))
        assert hook.payloads[0]["routeLabels"] == {"team": "Brokens"}
