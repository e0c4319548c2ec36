"""What messages say: the default texts, PagerDuty's events, the webhook's body."""

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from controlplane.model import links
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.pagerduty.options import (
    PagerdutyConfig,
    PagerdutyImage,
    PagerdutyLink,
)
from controlplane.notify.integrations.pagerduty.render import MAX_EVENT, event
from controlplane.notify.message import Content, Notification
from controlplane.notify.reading import Reading
from controlplane.notify.rendering import Templates, render_tree
from controlplane.templating import TemplateError

NOW = 1_700_000_000_000


def readings(name: str) -> Mapping[Labels, Reading]:
    """Return what a rule would say of the first host."""
    return {alert().labels: Reading(0.12345678, ">", 0.05)} if name == "ErrorRateHigh" else {}


TEMPLATES = Templates(external_url="http://cp/", readings=readings)


def alert(instance: str = "web-1", *, ends_at: int = NOW + 1, severity: str = "critical") -> Alert:
    labels = {"alertname": "ErrorRateHigh", "instance": instance, "severity": severity}
    notes = {
        "summary": f"{instance} answers 12% of requests with errors (limit 5%)",
        "runbook_url": "https://runbooks/errors",
    }
    return Alert(
        Labels(labels),
        NOW - 90_000,
        ends_at,
        NOW,
        annotations=Labels(notes),
        generator_url="http://cp/query?expr=x%20%3E%205",
    )


def notification(*alerts: Alert) -> Notification:
    content = Content('{}:{a="b"}', Labels({"a": "b"}), Reason.FIRST, alerts, NOW)
    return Notification("ops", "x/0", '{}:{a="b"}', content)


def shown(name: str, *alerts: Alert) -> str:
    return TEMPLATES.renderer(notification(*alerts))(f'{{{{ template "{name}" . }}}}')


def test_a_message_says_what_how_badly_since_when_and_what_to_do() -> None:
    """One alert: its summary, value and limit, how long, the runbook, and where to look."""
    fingerprint = alert().fingerprint
    silence = (
        "%7Balertname%3D%22ErrorRateHigh%22%2Cinstance%3D%22web-1%22%2Cseverity%3D%22critical%22%7D"
    )
    assert shown("controlplane.slack.text", alert()).splitlines() == [
        "*web-1 answers 12% of requests with errors (limit 5%)*",
        "Now 0.1235, limit &gt; 0.05",
        "For 1m 30s, since 2023-11-14 22:11:50 UTC",
        "<https://runbooks/errors|runbook>"
        " · <http://cp/query?expr=x%20%3E%205&end=2023-11-14T22%3A13%3A20.000Z|graph>"
        f" · <http://cp/alerts/{fingerprint}|story>"
        f" · <http://cp/silences/new?match={silence}|silence>",
    ]
    assert shown("controlplane.slack.title", alert()) == "CRITICAL: ErrorRateHigh on web-1"
    assert shown("controlplane.slack.color", alert(severity="warning")) == "warning"


def test_values_are_told_as_far_as_they_are_known() -> None:
    """Without a limit the value alone; of alerts that no rule of ours raised, nothing."""
    assert str(Reading(0.12345678)) == "0.1235"
    assert str(Reading(2_500_000.0, ">=", 1_000.0)) == "2.5M, limit >= 1k"
    assert "Now" not in shown("controlplane.slack.text", alert("web-2"))
    about = shown("controlplane.pagerduty.description", alert())
    assert about.endswith("(limit 5%) (now 0.1235, limit > 0.05)")


def test_others_keep_their_links() -> None:
    """The graph of an alert that another program raised is that program's."""
    posted = replace(alert(), generator_url="http://prometheus/graph?g0.expr=up")
    assert "<http://prometheus/graph?g0.expr=up|graph>" in shown("controlplane.slack.text", posted)
    nowhere = replace(alert(), generator_url="")
    assert "|graph>" not in shown("controlplane.slack.text", nowhere)


@pytest.mark.parametrize("text", ["storyURL 1", "graphURL .", "silenceURL .Alerts", "reading ``"])
def test_functions_of_ours_take_what_they_are_about(text: str) -> None:
    """All else is an error of the template, in Jinja2 too."""
    render = TEMPLATES.renderer(notification(alert()))
    with pytest.raises(DeliveryError, match="takes"):
        render(f"{{{{ {text} }}}}")
    with pytest.raises(DeliveryError, match="takes"):
        render("{{/* jinja2 */}}{{ storyURL('x') }}")


def test_a_resolved_alert_says_how_long_it_lasted() -> None:
    """The title says so too, and the bar is green."""
    over = alert(ends_at=NOW - 5_000)
    assert "after 1m 25s" in shown("controlplane.slack.text", over)
    assert shown("controlplane.slack.title", over) == "RESOLVED: ErrorRateHigh on web-1"
    assert shown("controlplane.slack.color", over) == "good"


def test_a_group_counts_and_cuts() -> None:
    """Both states in the title; after ten alerts only how many more there are."""
    some = (*(alert(f"h{n}") for n in range(12)), alert("x", ends_at=NOW))
    title = shown("controlplane.slack.title", *some)
    assert title == "CRITICAL: ErrorRateHigh (12 firing, 1 resolved)"
    assert "and 2 more" in shown("controlplane.slack.text", *some)


def test_a_template_that_fails_is_a_permanent_failure() -> None:
    """At the time of sending it is a dead letter; when loading, it is refused."""
    with pytest.raises(DeliveryError) as caught:
        TEMPLATES.renderer(notification(alert()))("{{ .Alerts.Nonsense }}")
    assert not caught.value.temporary
    with pytest.raises(TemplateError):
        TEMPLATES.check("{{ if }}")
    with pytest.raises(TemplateError):
        Templates(external_url="", files=[("a.tmpl", "{{ define }}")])


OVERRIDES = [
    ("slack.default.title", "controlplane.slack.title"),
    ("__subject", "controlplane.slack.title"),
    ("__subject", "controlplane.slack.fallback"),
    ("__subject", "controlplane.email.subject"),
    ("__subject", "controlplane.pagerduty.description"),
    ("__alertmanagerURL", "controlplane.slack.titlelink"),
    ("email.default.html", "controlplane.email.html"),
    ("controlplane.slack.text", "controlplane.slack.text"),
]


@pytest.mark.parametrize(("defined", "asked"), OVERRIDES)
def test_files_override_the_defaults_by_name(defined: str, asked: str) -> None:
    """What a file puts in the place of a text of Alertmanager's takes the place of ours too."""
    files = [("a.tmpl", f'{{{{ define "{defined}" }}}}mine {{{{ .Status }}}}{{{{ end }}}}')]
    mine = Templates(external_url="", files=files)
    render = mine.renderer(notification(alert()))
    assert "mine firing" in render(f'{{{{ template "{asked}" . }}}}')
    assert "mine" not in render('{{ template "controlplane.slack.color" . }}')


def test_alertmanagers_texts_are_there_by_name() -> None:
    """Who names them gets them, and not ours."""
    assert shown("slack.default.title", alert()).startswith("[FIRING:1] b (")
    assert shown("slack.default.text", alert()) == ""
    assert shown("pagerduty.default.client", alert()) == "Alertmanager"


def test_trees_are_rendered_leaf_by_leaf() -> None:
    """Keys and strings are templates, all else stays."""
    render = TEMPLATES.renderer(notification(alert()))
    tree = {"{{ .Receiver }}": ("{{ .Status }}", 1, None, {"x": True})}
    assert render_tree(tree, render) == {"ops": ["firing", 1, None, {"x": True}]}


def test_a_pagerduty_event_leads_to_what_is_broken() -> None:
    """Without a word about it: the source is what all alerts share, the links are theirs."""
    story = links.story("http://cp", alert().fingerprint)
    one, two = notification(alert()), notification(alert(), alert("web-2"))
    config = PagerdutyConfig(Secret("k"))
    body = json.loads(event(one, config, "k", TEMPLATES.renderer(one)).body)
    assert (body["payload"]["source"], body["client_url"]) == ("web-1", story)
    assert [(link["text"], link["href"]) for link in body["links"]] == [
        ("runbook", "https://runbooks/errors"),
        ("graph", links.graph("http://cp", "x > 5", NOW)),
        ("story", story),
        ("silence", links.silence("http://cp", alert().labels)),
    ]
    body = json.loads(event(two, config, "k", TEMPLATES.renderer(two)).body)
    assert body["payload"]["source"] == body["client"] == "controlplane"
    assert [link["text"] for link in body["links"]] == ["runbook", "story", "silence"]
    assert body["client_url"] == "http://cp/alerts"


def test_a_pagerduty_event_is_complete() -> None:
    """Dedup key, summary, severity of the alerts, details, links with an address."""
    config = PagerdutyConfig(
        Secret("k"),
        links=(PagerdutyLink("{{ .ExternalURL }}", "here"), PagerdutyLink("")),
        images=(PagerdutyImage("https://x/y.png"),),
        component="{{ .CommonLabels.instance }}",
        details={"num_firing": "mine", "nested": {"a": "{{ .Status }}"}},
    )
    subject = notification(alert(), alert("web-2", ends_at=NOW))
    body = json.loads(event(subject, config, "k" * 32, TEMPLATES.renderer(subject)).body)
    assert body["event_action"] == "trigger"
    assert body["dedup_key"] == sha256(subject.key.encode()).hexdigest()
    assert body["links"] == [{"href": "http://cp", "text": "here"}]
    assert body["images"] == [{"src": "https://x/y.png"}]
    payload = body["payload"]
    assert payload["severity"] == "critical"
    assert payload["summary"] == "ErrorRateHigh (1 firing, 1 resolved)"
    assert "component" not in payload
    details = payload["custom_details"]
    assert (details["num_firing"], details["num_resolved"]) == ("mine", "1")
    assert details["nested"] == {"a": "firing"}
    assert json.loads(details["firing"])[0]["labels"]["instance"] == "web-1"


def test_a_pagerduty_event_stays_within_its_limits() -> None:
    """A long summary is cut, details that are too large are left out and said to be."""
    large = [replace(alert(str(n)), annotations=Labels({"d": "é" * 2_000})) for n in range(300)]
    config = PagerdutyConfig(Secret("k"), description="é" * 2_000)
    subject = notification(*large)
    encoded = event(subject, config, "k" * 32, TEMPLATES.renderer(subject)).body
    body = json.loads(encoded)
    assert len(encoded) < MAX_EVENT
    assert len(body["payload"]["summary"]) == 1_024
    assert "left out" in body["payload"]["custom_details"]["error"]
    assert body["payload"]["custom_details"]["num_firing"] == "300"


def test_a_pagerduty_event_resolves_once_nothing_fires() -> None:
    """With the same dedup key, and a severity that PagerDuty knows."""
    subject = notification(alert(ends_at=NOW, severity="page"))
    config = PagerdutyConfig(Secret("k"))
    body = json.loads(event(subject, config, "k" * 32, TEMPLATES.renderer(subject)).body)
    assert (body["event_action"], body["payload"]["severity"]) == ("resolve", "error")


def test_labels_are_no_markup_for_slack() -> None:
    """What our texts print of labels is escaped; annotations are their author's, links and all."""
    labels = {"alertname": "A<!channel>", "instance": "a&b <c>", "severity": "<x>"}
    link = "see <http://wiki|the wiki> & p99 > 1"
    odd = replace(alert(), labels=Labels(labels), annotations=Labels({"summary": link}))
    bare = replace(odd, annotations=Labels())
    title = "FIRING: A&lt;!channel&gt; on a&amp;b &lt;c&gt;"
    assert shown("controlplane.slack.title", odd) == title
    assert shown("controlplane.slack.fallback", odd) == f"{title}: {link}"
    assert shown("controlplane.slack.footer", odd) == "ops · severity &lt;x&gt;"
    assert link in shown("controlplane.slack.text", odd)
    assert "instance=a&amp;b &lt;c&gt;" in shown("controlplane.slack.text", bare)
    assert "<!channel>" not in shown("controlplane.slack.text", bare)
    assert shown("controlplane.pagerduty.description", bare) == "A<!channel> on a&b <c>"


def test_a_template_of_the_users_own_is_left_alone() -> None:
    """As Alertmanager does: who writes one says what is escaped."""
    odd = replace(alert(), labels=Labels({"alertname": "a&b"}))
    render = TEMPLATES.renderer(notification(odd))
    assert render("{{ .CommonLabels.alertname }}") == "a&b"
