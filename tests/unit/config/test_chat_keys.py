"""Receivers of chats, tickets and Apprise: every key, what `global` says, what is refused."""

from pathlib import Path

import pytest

from controlplane.config.render import render, render_alerting
from controlplane.notify.integrations.jira.options import SUMMARY, JiraText
from controlplane.notify.integrations.mattermost.options import MattermostPriority
from controlplane.notify.integrations.rocketchat.options import RocketchatAction, RocketchatField
from tests.unit.config.reading import problems, read

GLOBAL = """\
global:
  http_config: {proxy_url: 'http://proxy.test:3128', follow_redirects: false}
  jira_api_url: http://jira.test/rest/api/2
  mattermost_webhook_url_file: mattermost
  rocketchat_api_url: http://rocket.test/
  rocketchat_token: hunter2
  rocketchat_token_id_file: user
  webex_api_url: http://webex.test
  wechat_api_url: http://wechat.test/
  wechat_api_secret: hunter2
  wechat_api_corp_id: corp
"""
BOT = "http_config: {authorization: {credentials: hunter2}}"
EVERY_KEY = """\
receivers:
- name: r
  discord_configs:
  - {webhook_url: 'http://x/hunter2', content: c, title: t, message: m, username: u,
     avatar_url: a, send_resolved: false, timeout: 3s}
  msteams_configs: [{webhook_url_file: f, title: t, summary: s, text: x}]
  msteamsv2_configs: [{webhook_url: 'http://x/hunter2', title: t, text: x}]
  webex_configs: [{room_id: r, message: m, api_url: 'http://y', BOT}]
  rocketchat_configs:
  - {channel: c, color: c, title: t, title_link: l, text: x, emoji: e, icon_url: i, image_url: i,
     thumb_url: t, short_fields: true, link_names: false,
     fields: [{title: a, value: b, short: true}],
     actions: [{type: button, text: t, url: u, msg: m}]}
  mattermost_configs:
  - {channel: c, username: u, text: t, fallback: f, color: c, pretext: p, author_name: n,
     author_link: l, author_icon: i, title: t, title_link: l, thumb_url: t, footer: f,
     footer_icon: i, image_url: i, icon_url: i, icon_emoji: e, type: t,
     fields: [{title: a, value: b}], props: {card: c},
     attachments: [{text: a, fields: [{title: a, value: b, short: false}]}],
     priority: {priority: urgent, requested_ack: true, persistent_notifications: true}}
  wechat_configs:
  - {api_secret_file: f, corp_id: mine, message: m, message_type: markdown, to_user: u,
     to_party: p, to_tag: t, agent_id: a}
  jira_configs:
  - {project: OPS, issue_type: Bug, api_type: cloud, summary: s,
     description: {template: d, enable_update: false}, labels: [a], priority: p,
     reopen_transition: o, resolve_transition: d, wont_fix_resolution: w, reopen_duration: 1d,
     fields: {customfield_1: {a: [1, '{{ .Status }}']}}}
  incidentio_configs: [{url_file: f, alert_source_token: hunter2, max_alerts: 3, timeout: 1m30s}]
  apprise_configs:
  - {url: 'json://x/hunter2', title: t, body: b, format: markdown, type: warning, timeout: 9s}
  - {url_file: f}
""".replace("BOT", BOT)


def file(receiver: str, top: str = "") -> str:
    """Return a configuration whose only receiver has the integrations."""
    return f"{top}route: {{receiver: r}}\nreceivers: [{{name: r, {receiver}}}]\n"


def test_every_key_of_alertmanager_is_taken_and_no_secret_shown(tmp_path: Path) -> None:
    """What is shown is what was written; addresses that are secrets are struck out."""
    config = read(tmp_path, f"{GLOBAL}route: {{receiver: r}}\n{EVERY_KEY}")
    shown = render(config)
    assert "hunter2" not in shown + render_alerting(config) + repr(config)
    assert "apprise_configs" in shown
    assert "apprise_configs" not in render_alerting(config)
    [receiver] = config.receivers
    [rocket], [mattermost], [jira] = (
        receiver.rocketchat_configs,
        receiver.mattermost_configs,
        receiver.jira_configs,
    )
    assert rocket.fields == (RocketchatField("a", "b", short=True),)
    assert rocket.actions == (RocketchatAction("t", "u", "m"),)
    assert mattermost.priority == MattermostPriority("urgent", True, True)
    assert mattermost.attachments[0].fields[0].short is False
    assert (jira.summary, jira.description) == (JiraText("s"), JiraText("d", enable_update=False))
    assert jira.reopen_duration == 86_400_000
    assert receiver.incidentio_configs[0].timeout == 90_000


def test_global_speaks_where_an_entry_says_nothing(tmp_path: Path) -> None:
    """Addresses, secrets and the HTTP client come from `global`, in a file or not."""
    (tmp_path / "user").write_text("me\n")
    (tmp_path / "mattermost").write_text("http://mattermost.test/hook\n")
    every = (
        f"webex_configs: [{{room_id: r, {BOT}}}], rocketchat_configs: [{{}}], "
        "mattermost_configs: [{}], wechat_configs: [{}], "
        "jira_configs: [{project: OPS, issue_type: Bug, summary: {enable_update: false}}]"
    )
    [receiver] = read(tmp_path, file(every, GLOBAL)).receivers
    [webex], [rocket], [mattermost], [wechat], [jira] = (
        receiver.webex_configs,
        receiver.rocketchat_configs,
        receiver.mattermost_configs,
        receiver.wechat_configs,
        receiver.jira_configs,
    )
    assert webex.api_url == "http://webex.test"
    assert (rocket.api_url, rocket.token_id.reveal()) == ("http://rocket.test/", "me")
    assert mattermost.webhook_url.reveal() == "http://mattermost.test/hook"
    assert (wechat.api_url, wechat.corp_id) == ("http://wechat.test/", "corp")
    assert jira.api_url == "http://jira.test/rest/api/2"
    assert jira.summary == JiraText(SUMMARY.template, enable_update=False)
    assert not any(each.http_config.follow_redirects for each in (rocket, mattermost, wechat, jira))


@pytest.mark.parametrize(
    ("own", "proxy"),
    [
        ("", "http://proxy.test:3128"),
        (", http_config: {follow_redirects: true}", "http://proxy.test:3128"),
        (", http_config: {proxy_url: 'http://mine.test:1'}", "http://mine.test:1"),
        (", http_config: {proxy_from_environment: true}", ""),
    ],
)
def test_teams_workflows_keep_the_proxy_of_global(tmp_path: Path, own: str, proxy: str) -> None:
    """An own `http_config` that names no proxy takes that of `global`, and nothing else."""
    text = file(f"msteamsv2_configs: [{{webhook_url: 'http://x/y'{own}}}]", GLOBAL)
    [[config]] = [receiver.msteamsv2_configs for receiver in read(tmp_path, text).receivers]
    assert config.http_config.proxy.proxy_url == proxy


@pytest.mark.parametrize(
    ("receiver", "reason"),
    [
        ("discord_configs: [{}]", "discord_config: webhook_url is missing"),
        (
            "msteams_configs: [{webhook_url: 'http://x', webhook_url_file: f}]",
            "at most one of webhook_url & webhook_url_file must be configured",
        ),
        ("webex_configs: [{room_id: r}]", "missing authorization in the http_config"),
        (f"webex_configs: [{{{BOT}}}]", "webex_config: room_id is missing"),
        ("rocketchat_configs: [{token: t}]", "no token_id, and no rocketchat_token_id in global"),
        ("rocketchat_configs: [{token: t, token_id: i, link_names: true}]", "link_names"),
        (
            "rocketchat_configs: [{token: t, token_id: i, actions: [{msginchatwindow: true}]}]",
            "an Alertmanager key, which has no effect there, not supported here",
        ),
        ("mattermost_configs: [{}]", "no webhook_url, and no mattermost_webhook_url in global"),
        (
            "mattermost_configs: [{webhook_url: 'http://x', fields: [{title: t}]}]",
            "mattermost_field: value is missing",
        ),
        ("wechat_configs: [{corp_id: c}]", "no api_secret, and no wechat_api_secret in global"),
        ("wechat_configs: [{api_secret: s}]", "missing corp_id in WeChat configuration"),
        (
            "wechat_configs: [{api_secret: s, corp_id: c, message_type: html}]",
            "expected text or markdown, not 'html'",
        ),
        (
            "jira_configs: [{project: p, issue_type: t}]",
            "no api_url, and no jira_api_url in global",
        ),
        (
            "jira_configs: [{api_url: 'http://x', project: p, issue_type: t, summary: {templ: x}}]",
            "templ: unknown key in jira_field; did you mean 'template'?",
        ),
        ("incidentio_configs: [{url: 'http://x'}]", "at least one of alert_source_token"),
        ("apprise_configs: [{url: 'nosuch://hunter2'}]", "not a URL of a service that Apprise"),
        ("apprise_configs: [{}]", "apprise_config: url is missing"),
        ("apprise_configs: [{url: 'json://x', format: rtf}]", "expected one of text, markdown"),
        ("sns_configs: [{}]", "(apprise_configs reach Amazon SNS), not supported here"),
    ],
)
def test_what_cannot_be_sent_is_refused(tmp_path: Path, receiver: str, reason: str) -> None:
    """A mistake is told with its reason, and without a secret."""
    [(_, said)] = problems(tmp_path, file(receiver))
    assert reason in said
    assert "hunter2" not in said
