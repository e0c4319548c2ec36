"""The same templates through a real Alertmanager 0.25 and through ours: equal, errors too.

Versions differ in what a label set or its pairs look like when printed as a
whole (0.25 has Go's own `map[a:b]`, newer ones `a=b`; ours is the newer), in
the type of lists of texts, and in what Go said and knew in version 1.19; none
of this is among the templates.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from controlplane.clock import SystemClock
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.message import Content, Notification
from controlplane.notify.rendering import Templates
from tests.conformance.alertmanager.rendering import (
    EXTERNAL_URL,
    GROUP_BY,
    RECEIVER,
    RealAlertmanager,
    Rendered,
    real_alertmanager,
)
from tests.conformance.alertmanager.templates import BY_HAND, MADE_UP
from tests.support.alertmanager import needs_alertmanager

pytestmark = needs_alertmanager

HOUR = 3_600_000
# Not long ago, for an Alertmanager forgets; and no round number.
NOW = SystemClock().now() // 1_000 * 1_000 - 5 * HOUR + 123
OURS = Templates(external_url=EXTERNAL_URL)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAlertmanager]:
    """Give the real one."""
    with real_alertmanager(tmp_path_factory.mktemp("alertmanager")) as running:
        yield running


def alerts(run: str) -> list[Alert]:
    """Return a group: two that fire, one that has ended, in the order of their labels."""
    shared = {"alertname": "Slow", "job": "shop <&>", "run": run, "severity": "critical"}
    return [
        Alert(
            Labels({**shared, "instance": instance}),
            starts_at=NOW - place * 61_007,
            ends_at=NOW + 90_061_000 if place != 1 else NOW + 4_000,
            updated_at=NOW,
            annotations=Labels(
                {"runbook_url": "http://r/?a=1&b=2", "summary": f"{instance} is \"slow\" & 'old' ü"}
            ),
            generator_url=f"http://prometheus/graph?g0.expr=up+%3D%3D+{place}",
        )
        for place, instance in enumerate(("a", "b\\c\n", "é☃"))
    ]


def ours(template: str, group: list[Alert]) -> Rendered:
    """Return what we make of a template."""
    labels = group[0].labels.keep(GROUP_BY)
    content = Content("key", labels, Reason.FIRST, tuple(group), NOW + HOUR)
    render = OURS.renderer(Notification(RECEIVER, "slack/0", "key", content))
    try:
        return Rendered(render(template))
    except DeliveryError as error:
        return Rendered(error=str(error).removeprefix("template: "))


def differences(theirs: RealAlertmanager, templates: list[str]) -> dict[str, object]:
    """Return the templates of which the two make something else."""
    for _ in range(20):
        group = alerts(theirs.run)
        if real := theirs.render(templates, group):
            break
    return {
        template: (expected, found)
        for template, expected in zip(templates, real, strict=True)
        if (found := ours(template, group)) != expected
    }


def test_templates_written_by_hand(theirs: RealAlertmanager) -> None:
    """Data, definitions, verbs, comparisons, functions, times, and every kind of error."""
    assert differences(theirs, list(BY_HAND)) == {}


def made_up() -> list[str]:
    """Return what hypothesis comes up with: the same each time, until its rules change."""
    found: dict[str, None] = {}

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(MADE_UP)
    def collect(template: str) -> None:
        found[template] = None

    collect()
    return list(found)


@pytest.mark.slow
def test_templates_made_up(theirs: RealAlertmanager) -> None:
    """Whatever is printed, compared, cut or called in whatever order."""
    templates = made_up()
    assert len(templates) > 50
    assert differences(theirs, templates) == {}
