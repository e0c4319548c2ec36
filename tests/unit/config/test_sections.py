"""Each section refuses what its own program refuses, at the line where it stands."""

from pathlib import Path

import pytest

from controlplane.scrape.options import ScrapeProtocol
from tests.unit.config.reading import problems, read

RECEIVER = "receivers: [{name: r}]\n"
ROUTE = "route: {receiver: r}\n"
SLACK = ROUTE + "receivers:\n  - name: r\n    slack_configs:\n      - "
PAGER = ROUTE + "receivers:\n  - name: r\n    pagerduty_configs:\n      - "
HOOK = ROUTE + "receivers:\n  - name: r\n    webhook_configs:\n      - "
MAIL = ROUTE + "receivers:\n  - name: r\n    email_configs:\n      - "
HTTP = "modules:\n  m:\n    prober: http\n    http: "
TCP = "modules:\n  m:\n    prober: tcp\n    tcp: "
JOB = "scrape_configs:\n  - job_name: j\n    "

REFUSED = [
    # global
    ("global: {scrape_timeout: 2m}", 1, "scrape_timeout is greater than scrape_interval"),
    ("global: {scrape_protocols: []}", 1, "scrape_protocols cannot be empty"),
    ("global: {query_log_file: x}", 1, "query_log_file: a Prometheus key, not supported here"),
    ("global: {jira_api_url: x}", 1, "jira_api_url: not a URL with http:// or https:// and "),
    ("global: {smtp_smarthost: mail}", 1, "smtp_smarthost: expected HOST:PORT"),
    ("global: {smtp_smarthost: 'mail:0'}", 1, "smtp_smarthost: expected HOST:PORT"),
    (
        "global: {slack_api_url: http://x/y, slack_app_token: t}",
        1,
        "at most one of slack_app_token",
    ),
    (
        "global:\n  slack_api_url: http://x/y\n  slack_api_url_file: f",
        3,
        "at most one of slack_api_url & slack_api_url_file must be configured",
    ),
    ("global: {pagerduty_url: events.example.org}", 1, "pagerduty_url: not a URL"),
    ("global: []", 1, "global: expected a mapping, not a list"),
    # modules
    ("modules: {m: {}}", 1, "module: prober is missing"),
    ("modules: {m: {prober: dns}}", 1, "prober: dns: a blackbox_exporter prober, not supported"),
    ("modules: {m: {prober: smtp}}", 1, "prober: expected http or tcp, not 'smtp'"),
    ("modules: {m: {prober: http, timeout: 1d}}", 1, "timeout: not a valid duration"),
    (HTTP + "{valid_status_codes: ok}", 4, "valid_status_codes: expected a list"),
    (HTTP + "{body: a, body_file: b}", 4, "at most one of body & body_file"),
    (HTTP + "{compression: zip}", 4, "compression: expected one of"),
    (HTTP + "{preferred_ip_protocol: ipv4}", 4, "preferred_ip_protocol: expected ip4 or ip6"),
    (
        HTTP + "\n      compression: gzip\n      headers:\n        Accept-Encoding: br, identity",
        7,
        "Accept-Encoding: br, identity does not accept compression: gzip",
    ),
    (HTTP + "{valid_http_versions: [HTTP/3.0]}", 4, "HTTP/3.0 needs enable_http3: true"),
    (HTTP + "{enable_http3: true}", 4, "with enable_http3, enable_http2 must be set to false"),
    (HTTP + "{fail_if_header_matches: [{header: x}]}", 4, "http_header_match: regexp is missing"),
    (
        HTTP + "{fail_if_body_json_matches_cel: x}",
        4,
        "fail_if_body_json_matches_cel: a blackbox_exporter key, not supported here",
    ),
    (HTTP + "{headers: {'a b': c}}", 4, "not a header's name"),
    (TCP + "{query_response: [{expect: a, expect_bytes: b}]}", 4, "at most one of expect &"),
    (TCP + "{tls_config: {cert_file: c}}", 4, "a client certificate needs key or key_file"),
    (TCP + "{tls_config: {ca: x, ca_file: y}}", 4, "at most one of ca & ca_file"),
    (TCP + "{tls_config: {min_version: TLS9}}", 4, "min_version: expected one of TLS10"),
    # http_config, wherever it stands
    (HTTP + "{basic_auth: {}, bearer_token: x}", 4, "at most one of basic_auth, oauth2"),
    (HTTP + "{bearer_token: x, bearer_token_file: y}", 4, "at most one of bearer_token & bearer"),
    (HTTP + "{authorization: {type: basic}}", 4, 'authorization type cannot be "basic"'),
    (HTTP + "{no_proxy: x}", 4, "if no_proxy is configured, proxy_url must be too"),
    (
        HTTP + "{proxy_url: 'http://p', proxy_from_environment: true}",
        4,
        "if proxy_from_environment",
    ),
    (HTTP + "{proxy_connect_header: {a: [b]}}", 4, "if proxy_connect_header is configured"),
    (HTTP + "{http_headers: {Host: {values: [x]}}}", 4, "setting the header 'Host' is not allowed"),
    (HTTP + "{oauth2: {client_id: x}}", 4, "oauth2: token_url is missing"),
    (
        HTTP + "{oauth2: {client_id: x, token_url: 'http://t', grant_type: jwt}}",
        4,
        "grant_type: jwt: a Prometheus key's value, not supported here",
    ),
    (HTTP + "{tls_config: {ca_ref: x}}", 4, "ca_ref: a Prometheus key, not supported here"),
    # scrape_configs
    ("scrape_configs: [{}]", 1, "scrape_config: job_name is missing"),
    ("scrape_configs: [{job_name: ''}]", 1, "job_name is empty"),
    ("scrape_configs: [~]", 1, "scrape_configs: expected a mapping, not null"),
    ("scrape_configs:\n  - job_name: a\n  - job_name: a", 3, "job_name 'a' is not unique"),
    (JOB + "scrape_timeout: 2m", 3, "scrape_timeout must be"),
    (JOB + "scheme: ftp", 3, "scheme: expected http or https, not 'ftp'"),
    (JOB + "static_configs: [{targets: ['http://x']}]", 3, "'http://x' is not a valid address"),
    (JOB + "static_configs: [{labels: {'': x}}]", 3, "not a valid label name: ''"),
    (JOB + "file_sd_configs: [{files: [a.txt]}]", 3, "files: 'a.txt' is not valid for file"),
    (JOB + "file_sd_configs: [{}]", 3, "file_sd_config: files must name at least one"),
    (JOB + "dns_sd_configs: []", 3, "dns_sd_configs: a Prometheus key, not supported here"),
    (JOB + "relabel_configs: [{action: hashmod, target_label: x}]", 3, "hashmod needs a modulus"),
    (JOB + "relabel_configs: [{action: swap}]", 3, "action: expected one of replace"),
    (JOB + "relabel_configs: [{regex: '('}]", 3, "regex: invalid regular expression"),
    (JOB + "sample_limit: -1", 3, "sample_limit: must not be negative"),
    # route
    ("route: {}\n" + RECEIVER, 1, "the root route needs a receiver"),
    ("route: {receiver: r, match: {a: b}}\n" + RECEIVER, 1, "the root route must not have any"),
    ("route:\n  receiver: r\n  continue: true\n" + RECEIVER, 3, "cannot have continue in root"),
    ("route: {receiver: x}\n" + RECEIVER, 1, "undefined receiver 'x' used in route"),
    (RECEIVER, 1, "there are receivers but no route"),
    (ROUTE, 1, "undefined receiver 'r' used in route"),
    ("route: {receiver: r, group_by: [a, a]}\n" + RECEIVER, 1, "group_by names 'a' twice"),
    ("route: {receiver: r, group_by: [a, '...']}\n" + RECEIVER, 1, "group_by cannot have the"),
    ("route: {receiver: r, group_interval: 0s}\n" + RECEIVER, 1, "group_interval cannot be zero"),
    (
        "route:\n  receiver: r\n  routes:\n    - matchers: ['a=~(']\n" + RECEIVER,
        4,
        "matchers: ",
    ),
    (
        "route:\n  receiver: r\n  routes:\n    - match_re: {a: '('}\n" + RECEIVER,
        4,
        "match_re: invalid regular expression",
    ),
    ("route: {receiver: r, routes: [{match: {a-b: c}}]}\n" + RECEIVER, 1, "not a valid label name"),
    ("route: {receiver: r, routes: [{labels: {'': b}}]}\n" + RECEIVER, 1, "not a valid label name"),
    (
        "route: {receiver: r}\nreceivers: [{name: r, labels: {name: s}}]\n",
        2,
        "the label name must be that of the receiver, 'r'",
    ),
    (
        "route: {receiver: r, mute_time_intervals: [x]}\ntime_intervals: [{name: x}]\n" + RECEIVER,
        1,
        "the root route must not have any mute_time_intervals",
    ),
    (
        "route:\n  receiver: r\n  routes:\n    - active_time_intervals: [x]\n" + RECEIVER,
        4,
        "undefined time interval 'x' used in route",
    ),
    # email
    (MAIL + "{to: a@b}", 5, "no smarthost, and no smtp_smarthost in global"),
    (MAIL + "{to: a@b, smarthost: 'm:25'}", 5, "missing from in email configuration"),
    (MAIL + "{from: a@b, smarthost: 'm:25'}", 5, "email_config: to is missing"),
    (MAIL + "{to: a@b, from: a@b, smarthost: 'm:25', headers: {'a b': c}}", 5, "not a header's"),
    (
        MAIL + "{to: a@b, from: a@b, smarthost: 'm:25', headers: {x-a: b, X-A: c}}",
        5,
        "duplicate header 'X-A'",
    ),
    (
        MAIL + "{to: a@b, threading: {enabled: true, thread_by_date: weekly}}",
        5,
        "thread_by_date must be either",
    ),
    (MAIL + "{to: '{{ .Nothing'}", 5, "to: "),
    # notifications
    ("notification_settings: {rate: fast}", 1, "rate: expected a number"),
    ("notification_settings: {rate: -1}", 1, "rate: "),
    ("notification_settings: {concurrency: 0}", 1, "concurrency must be at least 1"),
    (
        "notification_settings: {first_backoff: 1m, longest_backoff: 1s}",
        1,
        "longest_backoff is shorter than first_backoff",
    ),
    # muting
    ("inhibit_rules: [{equal: ['']}]", 1, "equal: not a valid label name"),
    ("inhibit_rules: [{source_matchers: [a]}]", 1, "source_matchers"),
    ("inhibit_rules: [{source: [a]}]", 1, "source: unknown key in inhibit_rule"),
    ("time_intervals: [{time_intervals: []}]", 1, "time_intervals: name is missing"),
    (
        "time_intervals: [{name: x}]\nmute_time_intervals: [{name: x}]",
        1,
        "time interval 'x' is not unique",
    ),
    ("time_intervals: [{name: x}, {name: x}]", 1, "name 'x' is not unique"),
    *(
        (f"time_intervals:\n  - name: x\n    time_intervals:\n      - {bad}", 4, reason)
        for bad, reason in (
            ("weekdays: [friday:monday]", "weekdays: the end of friday:monday is before"),
            ("weekdays: [funday]", "weekdays: funday is not a valid weekday"),
            ("months: ['13']", "months: 13 is not a valid month"),
            ("days_of_month: ['0']", "days_of_month: 0 is not a valid day of the month"),
            ("years: [then]", "years: 'then' is not a whole number"),
            ("location: Mars/Olympus", "location: unknown time zone Mars/Olympus"),
            ("times: [{start_time: '09:00'}]", "time_interval_times: end_time is missing"),
            ("times: [{start_time: '09:00', end_time: '08:00'}]", "times: start time cannot be"),
            ("times: [{start_time: '9:00', end_time: '18:00'}]", "times: couldn't parse timestamp"),
        )
    ),
    # receivers
    (ROUTE + "receivers: [{name: r}, {name: r}]", 2, "name 'r' is not unique"),
    (ROUTE + "receivers: [{name: r, sns_configs: []}]", 2, "sns_configs: an Alertmanager key"),
    (ROUTE + "receivers: [{name: r}, {}]", 2, "receiver: name is missing"),
    (SLACK + "channel: c", 5, "no Slack api_url and no app_token"),
    (
        SLACK + "{api_url: http://x/y, signing_secret: s}",
        5,
        "a signing_secret is for the buttons of a bot",
    ),
    (
        PAGER + "{routing_key: k, url: http://x/y, change_events: true}",
        5,
        "change_events needs a url ending with /v2/enqueue",
    ),
    (SLACK + "{api_url: http://x/y, app_token: t}", 5, "at most one of api_url/api_url_file &"),
    (SLACK + "{api_url: nothing}", 5, "api_url: not a URL"),
    *(
        (SLACK + f"{{app_token: t, channel: c, http_config: {{{key}}}}}", 5, f"http_config.{name}")
        for key, name in (
            ("basic_auth: {username: u}", "basic_auth cannot be used by a Slack bot"),
            ("oauth2: {client_id: i, token_url: http://x/}", "oauth2"),
            ("tls_config: {server_name: s}", "tls_config.server_name"),
            ("proxy_url: socks5://x:1", "proxy_url"),
            ("proxy_url: http://x, proxy_connect_header: {a: [b]}", "proxy_connect_header"),
        )
    ),
    *(
        (
            SLACK + f"{{api_url: http://x/y, update_message: true, http_config: {{{key}}}}}",
            5,
            reason,
        )
        for key, reason in (
            ("authorization: {type: Token, credentials: c}", "http_config.authorization.type"),
            ("authorization: {type: Bearer}", "http_config.authorization cannot be used"),
        )
    ),
    (SLACK + "{api_url: http://x/y, fields: [{title: a}]}", 5, "slack_field: value is missing"),
    (SLACK + "{api_url: http://x/y, actions: [{type: a, text: b}]}", 5, "missing name or url"),
    (SLACK + "{api_url: http://x/y, chanel: c}", 5, "chanel: unknown key in slack_config; did you"),
    (PAGER + "severity: x", 5, "missing routing_key or routing_key_file"),
    (PAGER + "service_key: x", 5, "service_key: an Alertmanager key (Events API v1), not supp"),
    (PAGER + "{routing_key: x, routing_key_file: y}", 5, "at most one of routing_key & routing"),
    (HOOK + "max_alerts: 1", 5, "one of url & url_file must be configured"),
    (HOOK + "{url: 'nothing'}", 5, "url: not a URL"),
    (HOOK + "{url: http://x, url_file: f}", 5, "at most one of url & url_file must be configured"),
    # ours
    ("rule_files: ['*/a.yml']", 1, "rule_files: wildcards belong in the last part of a path"),
    ("targets: [{name: a}]", 1, "exactly one of url and address is needed"),
    ("targets: [{name: a, url: http://x, module: tcp_connect}]", 1, "module 'tcp_connect' (tcp)"),
    ("targets: [{name: a, url: http://x, interval: 10ms}]", 1, "at least 1s"),
    (
        "targets:\n  - {name: a, url: http://x}\n  - {name: a, url: http://x}",
        3,
        "name 'a' is not unique",
    ),
    ("target_settings: {min_interval: 0s}", 1, "min_interval: must be above 0"),
    ("rule_settings: [{reactive: true}]", 1, "rule_setting: match is missing"),
    ("rule_settings: [{match: {alertname: '('}}]", 1, "alertname: invalid regular expression"),
    (
        "rule_settings: [{match: {}, no_data: gone}]",
        1,
        "no_data: expected one of keep_last, alert, ok, not 'gone'",
    ),
    ("storage: {url: mysql://x}", 1, "url: expected sqlite:///PATH or postgresql://"),
    ("storage: {read_url: x}", 1, "read_url: expected sqlite:///PATH or postgresql://"),
    ("storage: {tsdb: {}}", 1, "tsdb: a Prometheus key, not supported here"),
    ("outbound: {deny: [10.0.0.0/8, nonsense]}", 1, "not a network"),
]


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED)
def test_refused(tmp_path: Path, text: str, line: int, reason: str) -> None:
    """A mistake is told in words, where it stands, and once."""
    found = problems(tmp_path, text)
    assert [(line, entry[1][: len(reason)]) for entry in found] == [(line, reason)]
    assert found[0][0] == line


def test_secrets_stand_in_no_message(tmp_path: Path) -> None:
    """A refused secret is not repeated."""
    text = SLACK + "{api_url: hunter2}"
    text += "\nglobal: {slack_api_url: hunter2}\nstorage: {url: 'mysql://hunter2'}"
    assert "hunter2" not in repr(problems(tmp_path, text))


def test_null_counts_as_not_given(tmp_path: Path) -> None:
    """A key with nothing behind it keeps its default, as in Go."""
    text = (
        "global:\nmodules:\nscrape_configs:\n  - job_name: j\n    scrape_interval:\n    params:\n"
    )
    config = read(tmp_path, text + "    bearer_token_file: ''\n")
    assert config.scrape_configs[0].scrape_interval == 60_000
    assert config.scrape_configs[0].http_client.authorization is None


def test_global_limits_are_inherited(tmp_path: Path) -> None:
    """A job takes the limits of `global` where its own are 0, and its time-out is cut."""
    config = read(
        tmp_path,
        """\
        global: {scrape_interval: 5s, sample_limit: 10, label_limit: 3,
                 scrape_protocols: [PrometheusText0.0.4]}
        scrape_configs:
          - job_name: a
          - {job_name: b, sample_limit: 7, scrape_interval: 1m}
        """,
    )
    first, second = config.scrape_configs
    assert (first.sample_limit, first.label_limit, first.scrape_timeout) == (10, 3, 5_000)
    assert (second.sample_limit, second.scrape_timeout) == (7, 5_000)
    assert first.scrape_protocols == (ScrapeProtocol.TEXT_0_0_4,)


def test_urls_may_become_addresses_by_relabelling(tmp_path: Path) -> None:
    """A job with relabelling may list URLs, as every blackbox job does."""
    assert (
        problems(
            tmp_path,
            JOB
            + "static_configs: [{targets: ['http://x']}]\n    relabel_configs: [{target_label: a}]",
        )
        == []
    )


def test_slack_falls_back_to_global(tmp_path: Path) -> None:
    """The bot token of `global` serves who says nothing else; a webhook of one's own wins."""
    config = read(
        tmp_path,
        """\
        global: {slack_app_token: xoxb-1, slack_app_url: http://slack.test/api}
        route: {receiver: r}
        receivers:
          - name: r
            slack_configs: [{channel: a}, {channel: b, api_url_file: hook}]
        """,
    )
    bot, hook = config.receivers[0].slack_configs
    assert bot.app_token is not None
    assert (bot.app_token.reveal(), bot.api_url, bot.app_url) == (
        "xoxb-1",
        None,
        "http://slack.test/api",
    )
    assert (hook.app_token, hook.api_url is None) == (None, False)


def test_the_global_signing_secret_gives_bots_buttons(tmp_path: Path) -> None:
    """But for those that are told not to update their messages, and for webhooks."""
    config = read(
        tmp_path,
        """\
        global: {slack_app_token: xoxb-1, slack_signing_secret: s}
        route: {receiver: r}
        receivers:
          - name: r
            slack_configs:
              - {channel: a}
              - {channel: b, signing_secret: own}
              - {channel: c, update_message: true}
              - {channel: d, update_message: false}
              - {channel: e, api_url: http://x/y}
        """,
    )
    shown = [
        slack.signing_secret.reveal() if slack.signing_secret is not None else None
        for slack in config.receivers[0].slack_configs
    ]
    assert shown == ["s", "own", "s", None, None]
    one = [slack.keeps_one_message for slack in config.receivers[0].slack_configs]
    assert one == [True, True, True, False, False]


def test_pagerduty_takes_the_global_url(tmp_path: Path) -> None:
    """`pagerduty_url` may point at a stand-in; a config's own url wins."""
    text = "global: {pagerduty_url: http://pd.test/v2}\n" + PAGER
    config = read(tmp_path, text + "{routing_key: k}\n      - {routing_key: k, url: http://x/y}")
    urls = [entry.url for entry in config.receivers[0].pagerduty_configs]
    assert urls == ["http://pd.test/v2", "http://x/y"]


def test_a_module_of_the_file_replaces_ours(tmp_path: Path) -> None:
    """http_2xx can be written anew; the others stay."""
    config = read(tmp_path, "modules: {http_2xx: {prober: http, http: {method: HEAD}}}")
    assert config.modules["http_2xx"].http.method == "HEAD"
    assert "tcp_connect" in config.modules


def test_rule_settings(tmp_path: Path) -> None:
    """What is ours about a rule stands beside the rules."""
    config = read(tmp_path, "rule_settings: [{match: {group: 'fast.*'}, reactive: true}]")
    assert config.rule_settings[0].reactive
    assert config.rule_settings[0].match.group == "fast.*"
