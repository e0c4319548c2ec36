"""The configuration in force, as it is shown."""

from pathlib import Path

import yaml

from controlplane.config.config import default_config
from controlplane.config.loader import load
from controlplane.config.render import render, render_alerting
from tests.unit.config.reading import DATA, read

SECRETS = """\
global: {slack_api_url: http://hooks.test/hunter2}
modules:
  m: {prober: http, http: {basic_auth: {username: u, password: hunter2}}}
  n:
    prober: http
    http: {bearer_token: hunter2, http_headers: {X-Key: {secrets: [hunter2], files: [key]}}}
  o: {prober: http, http: {oauth2: {client_id: i, client_secret: hunter2, token_url: "http://t"}}}
  p: {prober: tcp, tcp: {tls_config: {cert: c, key: hunter2}}}
route: {receiver: r}
receivers:
  - name: r
    slack_configs: [{channel: c}, {app_token: hunter2, channel: c}]
    pagerduty_configs: [{routing_key: hunter2}, {routing_key_file: pd-key}]
    webhook_configs: [{url: "http://x/hunter2"}]
storage: {url: "postgresql://u:hunter2@h/n"}
"""


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Secrets are struck out, also in URLs and in the value's own repr; files are named."""
    config = read(tmp_path, SECRETS)
    shown = render(config)
    assert "hunter2" not in shown + repr(config)
    assert shown.count("<secret>") == 11
    assert f"routing_key_file: {tmp_path}/pd-key" in shown
    assert f"- {tmp_path}/key" in shown


def test_the_password_of_a_proxy_is_struck_out(tmp_path: Path) -> None:
    """A proxy's URL is shown without its password."""
    config = read(tmp_path, "global: {http_config: {proxy_url: 'http://u:hunter2@p:1'}}")
    assert "proxy_url: http://u:xxxxx@p:1" in render(config)


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    """Without secrets, the shown configuration is one that means the same."""
    for name in ("prometheus.yml", "blackbox.yml"):
        config = load(DATA / name)
        text = render(config).replace("credentials: <secret>", "credentials: hunter2")
        again = read(tmp_path, text)
        assert render(again) == render(config)
        assert again.modules == config.modules


def test_defaults_are_filled_in() -> None:
    """The default configuration shows every section that has one."""
    shown = yaml.safe_load(render(default_config()))
    assert shown["global"]["scrape_interval"] == "1m"
    assert set(shown["modules"]) == {"http_2xx", "tcp_connect", "tls_connect"}
    assert shown["route"]["receiver"] == "nobody"
    assert "169.254.0.0/16" in shown["outbound"]["deny"]


def test_keys_of_ours_are_not_shown_to_programs_that_know_alertmanagers(tmp_path: Path) -> None:
    """They would refuse the whole file."""
    text = """\
    global: {slack_app_token: hunter2, slack_signing_secret_file: f}
    route: {receiver: r}
    receivers:
      - name: r
        slack_configs: [{channel: c}]
        pagerduty_configs: [{routing_key: hunter2, change_events: true}]
    """
    config = read(tmp_path, text)
    ours = ("signing_secret", "change_events")
    assert all(key in render(config) for key in ours)
    assert not any(key in render_alerting(config) for key in ours)


def test_the_part_that_alertmanager_has_is_shown_alone(tmp_path: Path) -> None:
    """Nothing secret, nothing of Prometheus or ours; younger keys only where they say something."""
    config = read(tmp_path, SECRETS)
    text = render_alerting(config)
    shown = yaml.safe_load(text)
    assert "hunter2" not in text
    assert set(shown) == {"global", "route", "receivers"}
    assert shown["global"]["resolve_timeout"] == "5m"
    assert not {"scrape_interval", "slack_app_url"} & set(shown["global"])
    (receiver,) = shown["receivers"]
    assert receiver["webhook_configs"][0]["url"] == "http://<secret>"
    assert "app_url" not in receiver["slack_configs"][0]
    slack = "{app_token: x, channel: c, update_message: true}"
    newer = f"receivers: [{{name: r, slack_configs: [{slack}]}}]\n"
    text = render_alerting(read(tmp_path, f"route: {{receiver: r}}\n{newer}"))
    assert "update_message: true" in text
