"""From files to a Config."""

import json
from pathlib import Path

import pytest

from controlplane.config.config import NOBODY, default_config
from controlplane.config.loader import load
from controlplane.errors import ConfigError
from controlplane.model.duration import MINUTE, SECOND
from controlplane.model.labels import Labels
from tests.unit.config.reading import DATA, problems, read


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    """Nothing written means upstream's defaults, our three modules, and nobody to tell."""
    config = read(tmp_path, "")
    assert set(config.modules) == {"http_2xx", "tcp_connect", "tls_connect"}
    assert config.modules["tls_connect"].tcp.tls
    assert config.global_.scrape_interval == config.global_.evaluation_interval == MINUTE
    assert (config.route.receiver, config.receivers) == ("nobody", (NOBODY,))
    default = default_config()
    assert (config.modules, config.global_.scrape_timeout) == (default.modules, 10 * SECOND)


def test_a_real_prometheus_file() -> None:
    """An ordinary prometheus.yml is taken as it is, its rules too."""
    config = load(DATA / "prometheus.yml")
    node, blackbox = config.scrape_configs[1:]
    assert (node.scrape_interval, node.scrape_timeout) == (60_000, 30_000)
    assert (node.sample_limit, node.body_size_limit) == (5000, 10 << 20)
    assert node.params == {"collect[]": ("cpu", "meminfo")}
    assert node.http_client.tls_config.ca_file == str(DATA / "certificates/ca.pem")
    assert node.file_sd_configs[0].files[0] == str(DATA / "targets/*.json")
    assert (blackbox.scrape_interval, blackbox.scrape_timeout) == (15_000, 10_000)
    assert blackbox.static_configs[0].labels == Labels({"team": "web"})
    assert [rule.name for rule in config.groups[0].rules] == ["job:up:avg", "NodeDown"]
    assert config.rules_options("http://x").external_labels["region"] == "eu-west-1"


def test_a_real_alertmanager_file() -> None:
    """An ordinary alertmanager.yml is taken as it is, `global` put into its receivers."""
    config = load(DATA / "alertmanager.yml")
    assert config.alert_options().resolve_timeout == 10 * MINUTE
    assert config.templates == (str(DATA / "templates/company.tmpl"),)
    page = config.route.routes[0]
    assert [str(matcher) for matcher in page.matchers] == ['severity="page"', 'team=~"db|web"']
    assert page.continue_
    assert [str(m) for m in page.routes[0].matchers] == ['owner=~"team-(a|b)"', 'service="files"']
    _, chat, pager = config.receivers
    slack = chat.slack_configs[0]
    assert slack.api_url is not None
    assert slack.api_url.reveal() == "https://hooks.slack.example/services/T0/B0/secret"
    assert slack.http_config.proxy.proxy_url == "http://proxy.example.org:3128"
    assert pager.pagerduty_configs[0].class_ == "deploy"
    assert pager.webhook_configs[0].http_config.proxy.proxy_url == ""


def test_a_real_blackbox_file() -> None:
    """An ordinary blackbox.yml is taken as it is."""
    config = load(DATA / "blackbox.yml")
    http = config.modules["http_2xx_example"]
    assert (http.timeout, http.http.preferred_ip_protocol) == (5000, "ip4")
    assert http.http.http_client_config.follow_redirects
    assert config.modules["irc_banner"].timeout == 90_000
    assert config.modules["smtp_starttls"].tcp.query_response[-1].starttls


def test_the_three_files_in_one(tmp_path: Path) -> None:
    """`include` puts prometheus.yml, alertmanager.yml and blackbox.yml together."""
    names = ("prometheus", "alertmanager", "blackbox")
    text = f"include: [{', '.join(str(DATA / name) + '.yml' for name in names)}]"
    config = read(tmp_path, text)
    assert len(config.scrape_configs) == 3
    assert len(config.receivers) == 3
    assert len(config.modules) == 7
    assert config.global_.resolve_timeout == 10 * MINUTE
    assert config.global_.scrape_interval == 15 * SECOND
    assert str(DATA / "rules/node.rules.yml") in config.files


def test_included_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    """A path in an included file starts at that file's directory."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "prometheus.yml").write_text(
        "scrape_configs: [{job_name: a, bearer_token_file: token}]"
    )
    (tmp_path / "sub" / "token").write_text("hunter2\n")
    config = read(tmp_path, "include: [sub/prometheus.yml]")
    authorization = config.scrape_configs[0].http_client.authorization
    assert authorization is not None
    assert authorization.credentials is not None
    assert authorization.credentials.reveal() == "hunter2"


def test_lists_append_and_scalars_must_agree(tmp_path: Path) -> None:
    """Two files may say the same; a scalar with two values is an error that names both."""
    (tmp_path / "b.yml").write_text(
        "global: {scrape_interval: 30s, evaluation_interval: 5s}\ntargets: [{name: b, url: http://b}]"
    )
    text = "include: [b.yml]\nglobal: {scrape_interval: 30s}\ntargets: [{name: a, url: http://a}]"
    config = read(tmp_path, text)
    assert [target.name for target in config.targets] == ["a", "b"]
    assert config.global_.evaluation_interval == 5 * SECOND
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text.replace("30s", "10s"))
    assert str(caught.value) == (
        f"{tmp_path}/b.yml:1: global.scrape_interval is given twice with different values "
        f"(first: {tmp_path}/controlplane.yml:2)"
    )


def test_a_module_and_the_route_stand_in_one_file(tmp_path: Path) -> None:
    """Halves of a module or of the routing tree are not stitched together."""
    both = "modules: {m: {prober: http}}\nroute: {receiver: r}\n"
    (tmp_path / "b.yml").write_text(both)
    found = problems(tmp_path, f"include: [b.yml]\n{both}receivers: [{{name: r}}]")
    assert [reason.split(" (")[0] for _, reason in found] == [
        "modules.m is given twice",
        "route is given twice",
    ]


def test_includes_may_nest_and_meet_again(tmp_path: Path) -> None:
    """A file is read once, however often it is named; a circle ends."""
    (tmp_path / "b.yml").write_text("include: [controlplane.yml, c.yml]")
    (tmp_path / "c.yml").write_text("targets: [{name: c, url: http://c}]")
    config = read(tmp_path, "include: [b.yml, c.yml]")
    assert [target.name for target in config.targets] == ["c"]
    assert len(config.files) == 3


def test_an_included_alerting_section_is_refused(tmp_path: Path) -> None:
    """Alerts go out from here; a section that sends them elsewhere is not ignored."""
    (tmp_path / "p.yml").write_text("alerting: {alertmanagers: []}\nremote_read: []\n")
    found = problems(tmp_path, "include: [p.yml]\nforward_alerts: true")
    assert found == [
        (2, "forward_alerts: a key of a later version, not supported here"),
        (1, "alerting: a Prometheus key, not supported here"),
        (2, "remote_read: a Prometheus key, not supported here"),
    ]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Problems of all sections come together, in the order of lines, rule files among them."""
    (tmp_path / "bad.rules.yml").write_text("groups:\n  - name: g\n    rules: [{expr: up}]\n")
    found = problems(
        tmp_path,
        """\
        global: {scrape_interval: 15}
        rule_files: [bad.rules.yml, gone.yml, "*.nothing"]
        tragets: []
        targets:
          - {name: UPPER, url: http://x}
          - {name: a, url: http://x, module: nope}
        scrape_configs: [{job_name: a, kubernetes_sd_configs: []}]
        route: {receiver: x}
        receivers: [{name: y, slack_configs: [{channel: c}]}]
        templates: [none.tmpl]
        """,
    )
    expected = [
        (1, "scrape_interval: not a valid duration: '15'"),
        (2, "no such file"),
        (3, "tragets: unknown key in the configuration; did you mean 'targets'?"),
        (5, "a name is 1 to 63"),
        (6, "there is no module 'nope'"),
        (7, "kubernetes_sd_configs: a Prometheus key, not supported here"),
        (8, "undefined receiver 'x' used in route"),
        (9, "no Slack api_url and no app_token"),
        (10, "no such file"),
    ]
    of_rules = [entry for entry in found if "expr" in entry[1] or "record" in entry[1]]
    others = [entry for entry in found if entry not in of_rules]
    assert len(of_rules) == 1
    starts = zip(others, expected, strict=True)
    assert [(line, reason[: len(want)]) for (line, reason), (_, want) in starts] == expected


def test_json_is_accepted(tmp_path: Path) -> None:
    """A file in JSON is read as well."""
    plain = {"targets": [{"name": "a", "url": "http://a/😀", "labels": {"x": "1"}}]}
    config = read(tmp_path, json.dumps(plain), "controlplane.json")
    assert config.targets[0].labels == Labels({"x": "1"})


def test_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    """The digest changes with the file and with its rules, and with nothing else."""
    rules = tmp_path / "a.rules.yml"
    rules.write_text("groups: [{name: g, rules: [{record: a, expr: up}]}]")
    text = "rule_files: [a.rules.yml]"
    first = read(tmp_path, text).digest
    assert read(tmp_path, text).digest == first
    assert read(tmp_path, text + "\n").digest != first
    rules.write_text("groups: [{name: g, rules: [{record: a, expr: up * 2}]}]")
    assert read(tmp_path, text).digest != first


def test_the_digest_is_of_no_place(tmp_path: Path) -> None:
    """The same files in another directory are the same; one that moved within it is another."""
    text = "{include: [more/a.yml], templates: [own.tmpl], rule_files: ['rules/*.yml']}"

    def written(name: str, rules: str = "rules/a.yml") -> str:
        home = tmp_path / name
        for place in ("more", "rules"):
            (home / place).mkdir(parents=True)
        (home / "more" / "a.yml").write_text("rule_files: [b.yml]")
        (home / "more" / "b.yml").write_text("groups: [{name: h, rules: [{record: b, expr: up}]}]")
        (home / "own.tmpl").write_text('{{ define "own" }}x{{ end }}')
        (home / rules).write_text("groups: [{name: g, rules: [{record: a, expr: up}]}]")
        return read(home, text).digest

    first = written("first")
    assert written("second") == first
    assert written("third", rules="rules/other.yml") != first


def test_the_digest_tells_nothing_of_files_of_secrets(tmp_path: Path) -> None:
    """What stands in a file of its own is no part of it: it cannot be guessed by the digest."""
    told = tmp_path / "hook"
    text = """
        route: {receiver: ops}
        receivers: [{name: ops, webhook_configs: [{url_file: hook}]}]
    """
    told.write_text("http://one.example/secret")
    first = read(tmp_path, text).digest
    told.write_text("http://two.example/other")
    assert read(tmp_path, text).digest == first


@pytest.mark.parametrize("text", ["- a", "5", "just words"])
def test_the_file_is_a_mapping(tmp_path: Path, text: str) -> None:
    """Anything else than a mapping is refused."""
    assert problems(tmp_path, text)[0][1].startswith("expected a mapping")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file, and a directory, are ConfigErrors that name it."""
    for path in (tmp_path / "none.yml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path)


def test_variables_are_expanded_in_external_labels_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Prometheus: `$NAME` and `${NAME}` in external labels, `$$` for a dollar."""
    monkeypatch.setenv("REGION", "eu")
    config = read(
        tmp_path,
        """\
        global: {external_labels: {a: "${REGION}-1", b: $REGION, c: "$$x", d: "${NOT_SET}"}}
        targets: [{name: t, url: "http://x/${REGION}"}]
        """,
    )
    assert config.global_.external_labels == Labels({"a": "eu-1", "b": "eu", "c": "$x"})
    assert config.targets[0].url == "http://x/${REGION}"
