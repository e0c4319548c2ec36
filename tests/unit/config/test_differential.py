"""The programs whose files these are, asked for their opinion of them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.config.reading import DATA, problems

PROMETHEUS = "promtool"
ALERTMANAGER = "amtool"
BLACKBOX = "prometheus-blackbox-exporter"

# The program, a file of its own, and whether both take it. Only what its
# oldest packaged version (2.42, 0.25, 0.23) and we both know stands here.
CASES = [
    (PROMETHEUS, "global: {scrape_interval: 15s}", True),
    (PROMETHEUS, "global: {scrape_interval: 15}", False),
    (PROMETHEUS, "global: {scrape_interval: 1.5m}", False),
    (PROMETHEUS, "global: {scrape_interval: 5s, scrape_timeout: 6s}", False),
    (PROMETHEUS, "global: {scrape_interval: 5s}", True),
    (PROMETHEUS, "global: {unknown: 1}", False),
    (PROMETHEUS, "global:", True),
    (PROMETHEUS, "rule_files: [none/*.yml]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a}, {job_name: a}]", False),
    (PROMETHEUS, "scrape_configs: [{}]", False),
    (PROMETHEUS, "scrape_configs: [~]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, scrape_timeout: 2m}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, scrape_interval: 5s}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: 5, honor_labels: yes}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a, honor_labels: 'maybe'}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, sample_limit: -1}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, body_size_limit: 10MB}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a, body_size_limit: 10}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, params: {x: [1, b]}}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a, params: {x: y}}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, bearer_token: x, bearer_token_file: y}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, bearer_token: x, basic_auth: {}}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, authorization: {type: Basic}}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, authorization: {credentials: x}}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a, oauth2: {client_id: x}}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, tls_config: {min_version: TLS12}}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a, tls_config: {min_version: '1.2'}}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, static_configs: [{targets: [h]}]}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a, static_configs: [{targets: [h/x]}]}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, file_sd_configs: [{files: [x.txt]}]}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, file_sd_configs: [{files: [x/*.yml]}]}]", True),
    (PROMETHEUS, "scrape_configs: [{job_name: a, relabel_configs: [{}]}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, relabel_configs: [~]}]", False),
    (PROMETHEUS, "scrape_configs: [{job_name: a, relabel_configs: [{action: DROP}]}]", True),
    (
        PROMETHEUS,
        "scrape_configs: [{job_name: a, relabel_configs: [{action: keep, regex: '('}]}]",
        False,
    ),
    (
        PROMETHEUS,
        "scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, separator: x}]}]",
        False,
    ),
    (PROMETHEUS, "global: {scrape_interval: 1s}\nglobal: {}", False),
    (ALERTMANAGER, "route: {receiver: r}\nreceivers: [{name: r}]", True),
    (ALERTMANAGER, "route: {receiver: r}", False),
    (ALERTMANAGER, "receivers: [{name: r}]", False),
    (ALERTMANAGER, "route: {receiver: r}\nreceivers: [{name: r}, {name: r}]", False),
    (ALERTMANAGER, "route: {receiver: r, continue: true}\nreceivers: [{name: r}]", False),
    (ALERTMANAGER, "route: {receiver: r, match: {a: b}}\nreceivers: [{name: r}]", False),
    (ALERTMANAGER, "route: {receiver: r, group_by: [a, a]}\nreceivers: [{name: r}]", False),
    (ALERTMANAGER, "route: {receiver: r, group_by: ['...']}\nreceivers: [{name: r}]", True),
    (ALERTMANAGER, "route: {receiver: r, group_by: ['...', a]}\nreceivers: [{name: r}]", False),
    (ALERTMANAGER, "route: {receiver: r, group_interval: 0s}\nreceivers: [{name: r}]", False),
    (ALERTMANAGER, "route: {receiver: r, group_wait: 0s}\nreceivers: [{name: r}]", True),
    (ALERTMANAGER, "route: {receiver: r, routes: [{receiver: x}]}\nreceivers: [{name: r}]", False),
    (
        ALERTMANAGER,
        "route: {receiver: r, routes: [{matchers: ['{a=b,c!~\"d|e\"}']}]}\nreceivers: [{name: r}]",
        True,
    ),
    (
        ALERTMANAGER,
        "route: {receiver: r, routes: [{matchers: ['a=~(']}]}\nreceivers: [{name: r}]",
        False,
    ),
    (
        ALERTMANAGER,
        "route: {receiver: r, routes: [{match_re: {a: '('}}]}\nreceivers: [{name: r}]",
        False,
    ),
    *(
        (ALERTMANAGER, f"route: {{receiver: r}}\nreceivers: [{{name: r, {configs}}}]", good)
        for configs, good in (
            ("slack_configs: [{channel: c}]", False),
            ("slack_configs: [{channel: c, api_url: http://x/y}]", True),
            ("slack_configs: [{channel: c, api_url: x}]", False),
            ("slack_configs: [{channel: c, api_url: http://x/y, api_url_file: f}]", False),
            ("slack_configs: [{channel: c, api_url: http://x/y, fields: [{title: a}]}]", False),
            ("slack_configs: [{channel: c, api_url: http://x/y, colour: red}]", False),
            ("pagerduty_configs: [{routing_key: x}]", True),
            ("pagerduty_configs: [{severity: x}]", False),
            ("pagerduty_configs: [{routing_key: x, url: nowhere}]", False),
            ("pagerduty_configs: [{routing_key: x, images: [{src: a}], links: [{href: b}]}]", True),
            ("webhook_configs: [{url: http://x}]", True),
            ("webhook_configs: [{}]", False),
            ("webhook_configs: [{url: http://x, max_alerts: -1}]", False),
            ("webhook_configs: [{url: http://x, http_config: {bearer_token: a}}]", True),
            ("opsgenie_configs: [{}]", False),
            ("opsgenie_configs: [{api_key: k}]", True),
            ("opsgenie_configs: [{api_key_file: k}]", True),
            ("opsgenie_configs: [{api_key: k, api_key_file: k}]", False),
            ("opsgenie_configs: [{api_key: k, api_url: x}]", False),
            ("opsgenie_configs: [{api_key: k, details: {a: '{{ . }}'}}]", True),
            ("opsgenie_configs: [{api_key: k, responders: [{type: Team, name: a}]}]", True),
            ("opsgenie_configs: [{api_key: k, responders: [{type: band, name: a}]}]", False),
            ("opsgenie_configs: [{api_key: k, responders: [{type: team}]}]", False),
            ("opsgenie_configs: [{api_key: k, responders: [{name: a}]}]", False),
            ("opsgenie_configs: [{api_key: k, teams: a}]", False),
            ("victorops_configs: [{api_key: k}]", False),
            ("victorops_configs: [{routing_key: r}]", False),
            ("victorops_configs: [{api_key: k, routing_key: r}]", True),
            ("victorops_configs: [{api_key_file: k, routing_key: r}]", True),
            ("victorops_configs: [{api_key: k, routing_key: r, custom_fields: {a: b}}]", True),
            (
                "victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: b}}]",
                False,
            ),
            ("pushover_configs: [{token: t}]", False),
            ("pushover_configs: [{user_key: u}]", False),
            ("pushover_configs: [{token: t, user_key: u, retry: 1m30s, expire: 2h}]", True),
            ("pushover_configs: [{token: t, user_key: u, retry: 1d}]", False),
            ("pushover_configs: [{token: t, user_key: u, html: perhaps}]", False),
            ("telegram_configs: [{bot_token: t}]", False),
            ("telegram_configs: [{bot_token: t, chat_id: 0}]", False),
            ("telegram_configs: [{bot_token: t, chat_id: a}]", False),
            ("telegram_configs: [{bot_token: t, chat_id: -100}]", True),
            ("telegram_configs: [{bot_token: t, chat_id: 1, parse_mode: ''}]", True),
            ("telegram_configs: [{bot_token: t, chat_id: 1, parse_mode: html}]", False),
        )
    ),
    (BLACKBOX, "modules: {m: {prober: http, timeout: 1.5s}}", True),
    (BLACKBOX, "modules: {m: {prober: http, timeout: 1d}}", False),
    (BLACKBOX, "modules: {m: {prober: http, http: {valid_status_codes: [a]}}}", False),
    (BLACKBOX, "modules: {m: {prober: http, http: {fail_if_header_matches: [{}]}}}", False),
    (BLACKBOX, "modules: {m: {prober: http, http: {fail_if_body_matches_regexp: ['(']}}}", False),
    (BLACKBOX, "modules: {m: {prober: http, http: {body_size_limit: 1.5MB}}}", True),
    (
        BLACKBOX,
        "modules: {m: {prober: http, http: {compression: gzip, headers: {Accept-Encoding: br}}}}",
        False,
    ),
    (
        BLACKBOX,
        "modules: {m: {prober: http, http: {compression: br, headers: {Accept-Encoding: '*'}}}}",
        True,
    ),
    (BLACKBOX, "modules: {m: {prober: tcp, tcp: {query_response: [{expect: '('}]}}}", False),
]
_COMMANDS = {
    PROMETHEUS: ("check", "config", "--syntax-only"),
    ALERTMANAGER: ("check-config",),
    BLACKBOX: ("--config.check", "--config.file"),
}


def accepts(program: str, path: Path) -> bool:
    """Return the program's own verdict on a file."""
    command = shutil.which(program)
    if command is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [command, *_COMMANDS[program], str(path)], capture_output=True, timeout=30, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize(("program", "text", "good"), CASES)
def test_both_say_the_same(tmp_path: Path, program: str, text: str, good: bool) -> None:
    """What its own program refuses we refuse, what it takes and we support we take."""
    path = tmp_path / "upstream.yml"
    path.write_text(text)
    assert accepts(program, path) == good, "the table is wrong"
    assert (problems(tmp_path, text) == []) == good


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (PROMETHEUS, "prometheus.yml"),
        (ALERTMANAGER, "alertmanager.yml"),
        (BLACKBOX, "blackbox.yml"),
    ],
)
def test_the_real_files_are_real(program: str, name: str) -> None:
    """The files that the other tests stand on are taken by their own programs."""
    assert accepts(program, DATA / name)
