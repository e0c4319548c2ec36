"""What messages say: the default texts, PagerDuty's events, the webhook's body."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

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
from controlplane.notify.rendering import Templates, render_tree
from controlplane.templating import TemplateError

NOW = 1_700_000_000_000
TEMPLATES = Templates(external_url="http://cp/")


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
        generator_url="http://cp/query?expr=x",
    )


def notification(*alerts: Alert) -> Notification:
    content = Content('{}:{a="b"}', Labels({"a": "b"}), Reason.FIRST, alerts, NOW)
    return Notification("ops", "x/0", '{}:{a="b"}', content)


def shown(name: str, *alerts: Alert) -> str:
    return TEMPLATES.renderer(notification(*alerts))(f'{{{{ template "{name}" . }}}}')


def test_a_message_says_what_how_badly_since_when_and_what_to_do() -> None:
    """One alert: its summary, how long it has fired, the runbook, the query and the story."""
    text = shown("slack.default.text", alert())
    assert text.splitlines() == [
        "*web-1 answers 12% of requests with errors (limit 5%)*",
        "For 1m 30s, since 2023-11-14 22:11:50 UTC · <https://runbooks/errors|runbook>"
        " · <http://cp/query?expr=x|query>"
        f" · <http://cp/api/v1/alerts/{alert().fingerprint}/story|story>",
    ]
    assert shown("slack.default.title", alert()) == "CRITICAL: ErrorRateHigh on web-1"
    assert shown("slack.default.color", alert(severity="warning")) == "warning"


def test_a_resolved_alert_says_how_long_it_lasted() -> None:
    """The title says so too, and the bar is green."""
    over = alert(ends_at=NOW - 5_000)
    assert "after 1m 25s" in shown("slack.default.text", over)
    assert shown("slack.default.title", over) == "RESOLVED: ErrorRateHigh on web-1"
    assert shown("slack.default.color", over) == "good"


def test_a_group_counts_and_cuts() -> None:
    """Both states in the title; after ten alerts only how many more there are."""
    some = (*(alert(f"h{n}") for n in range(12)), alert("x", ends_at=NOW))
    title = shown("slack.default.title", *some)
    assert title == "CRITICAL: ErrorRateHigh (12 firing, 1 resolved)"
    assert "and 2 more" in shown("slack.default.text", *some)


def test_a_template_that_fails_is_a_permanent_failure() -> None:
    """At the time of sending it is a dead letter; when loading, it is refused."""
    with pytest.raises(DeliveryError) as caught:
        TEMPLATES.renderer(notification(alert()))("{{ .Alerts.Nonsense }}")
    assert not caught.value.temporary
    with pytest.raises(TemplateError):
        TEMPLATES.check("{{ if }}")
    with pytest.raises(TemplateError):
        Templates(external_url="", files=[("a.tmpl", "{{ define }}")])


def test_files_override_the_defaults_by_name() -> None:
    """As Alertmanager's `templates` do."""
    mine = Templates(
        external_url="",
        files=[("a.tmpl", '{{ define "slack.default.title" }}mine {{ .Status }}{{ end }}')],
    )
    render = mine.renderer(notification(alert()))
    assert render('{{ template "slack.default.title" . }}') == "mine firing"


def test_trees_are_rendered_leaf_by_leaf() -> None:
    """Keys and strings are templates, all else stays."""
    render = TEMPLATES.renderer(notification(alert()))
    tree = {"{{ .Receiver }}": ("{{ .Status }}", 1, None, {"x": True})}
    assert render_tree(tree, render) == {"ops": ["firing", 1, None, {"x": True}]}


def test_a_pagerduty_event_leads_to_what_is_broken() -> None:
    """Without a word about it: the source is what all alerts share, the links are theirs."""
    story = f"http://cp/api/v1/alerts/{alert().fingerprint}/story"
    one, two = notification(alert()), notification(alert(), alert("web-2"))
    config = PagerdutyConfig(Secret("k"))
    body = json.loads(event(one, config, "k", TEMPLATES.renderer(one)))
    assert (body["payload"]["source"], body["client_url"]) == ("web-1", story)
    assert [(link["text"], link["href"]) for link in body["links"]] == [
        ("runbook", "https://runbooks/errors"),
        ("query", "http://cp/query?expr=x"),
        ("story", story),
    ]
    body = json.loads(event(two, config, "k", TEMPLATES.renderer(two)))
    assert body["payload"]["source"] == body["client"] == "controlplane"
    assert [link["text"] for link in body["links"]] == ["runbook", "story"]
    assert body["client_url"] == "http://cp/api/v1/alerts"


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
    body = json.loads(event(subject, config, "k" * 32, TEMPLATES.renderer(subject)))
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
    encoded = event(subject, config, "k" * 32, TEMPLATES.renderer(subject))
    body = json.loads(encoded)
    assert len(encoded) < MAX_EVENT
    assert len(body["payload"]["summary"]) == 1_024
    assert "left out" in body["payload"]["custom_details"]["error"]
    assert body["payload"]["custom_details"]["num_firing"] == "300"


def test_a_pagerduty_event_resolves_once_nothing_fires() -> None:
    """With the same dedup key, and a severity that PagerDuty knows."""
    subject = notification(alert(ends_at=NOW, severity="page"))
    config = PagerdutyConfig(Secret("k"))
    body = json.loads(event(subject, config, "k" * 32, TEMPLATES.renderer(subject)))
    assert (body["event_action"], body["payload"]["severity"]) == ("resolve", "error")


def test_labels_are_no_markup_for_slack() -> None:
    """What our texts print of labels is escaped; annotations are their author's, links and all."""
    labels = {"alertname": "A<!channel>", "instance": "a&b <c>", "severity": "<x>"}
    link = "see <http://wiki|the wiki> & p99 > 1"
    odd = replace(alert(), labels=Labels(labels), annotations=Labels({"summary": link}))
    bare = replace(odd, annotations=Labels())
    title = "FIRING: A&lt;!channel&gt; on a&amp;b &lt;c&gt;"
    assert shown("slack.default.title", odd) == title
    assert shown("slack.default.fallback", odd) == f"{title}: {link}"
    assert shown("slack.default.footer", odd) == "ops · severity &lt;x&gt;"
    assert link in shown("slack.default.text", odd)
    assert "instance=a&amp;b &lt;c&gt;" in shown("slack.default.text", bare)
    assert "<!channel>" not in shown("slack.default.text", bare)
    assert shown("pagerduty.default.description", bare) == "A<!channel> on a&b <c>"


def test_a_template_of_the_users_own_is_left_alone() -> None:
    """As Alertmanager does: who writes one says what is escaped."""
    odd = replace(alert(), labels=Labels({"alertname": "a&b"}))
    render = TEMPLATES.renderer(notification(odd))
    assert render("{{ .CommonLabels.alertname }}") == "a&b"
