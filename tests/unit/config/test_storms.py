"""`canaries`, `storm_settings`, `silence_settings` and `depends_on`, read, refused and shown."""

from pathlib import Path

import pytest

from controlplane.config.render import render
from controlplane.model.dependency import parse_dependencies
from controlplane.model.labels import Labels
from controlplane.mute.options import RuleDependency, SilenceOptions, StormOptions
from tests.unit.config.reading import problems, read

FILE = """\
canaries: ['192.0.2.1:443', 'https://www.example.com/']
storm_settings: {targets: 50, networks: 5, hold: 1m, canary_interval: 10s, canary_timeout: 1s}
silence_settings: {max_silences: 10, max_matchers: 5, max_text: 100, max_size: 1000, retention: 1d}
targets:
  - {name: db, address: 'db:5432', module: tcp_connect}
  - {name: shop, url: 'http://shop/', dashboard: red, depends_on: [db, '{job="gateway", zone!=""}']}
rule_files: [rules.yml]
rule_settings:
  - match: {alertname: Slow}
    depends_on: [DbDown]
  - match: {group: g}
    no_data: ok
  - match: {group: g}
    depends_on: ['{alertname="NetDown"}']
"""
RULES = """\
groups:
  - name: g
    labels: {team: shop}
    rules:
      - {alert: Slow, expr: up == 0, labels: {severity: page, host: '{{ $labels.host }}'}}
      - {alert: Late, expr: up == 0}
      - {record: r, expr: up}
"""


def test_they_are_read_and_shown(tmp_path: Path) -> None:
    """Rules get what the first setting says that matches them and says something."""
    (tmp_path / "rules.yml").write_text(RULES)
    config = read(tmp_path, FILE)
    assert config.canaries == ("192.0.2.1:443", "https://www.example.com/")
    assert config.storm_settings == StormOptions(50, 5, 60_000, 10_000, 1_000)
    assert config.silence_settings == SilenceOptions(10, 5, 100, 1_000, 86_400_000)
    on = ("db", '{job="gateway",zone!=""}')
    assert config.targets[1].depends_on == parse_dependencies(on)
    assert [target.dashboard for target in config.targets[:2]] == [None, "red"]
    assert config.mute_options().dependencies == (
        RuleDependency(
            "Slow",
            parse_dependencies(["DbDown"]),
            Labels({"team": "shop", "severity": "page"}),
        ),
        RuleDependency(
            "Late", parse_dependencies(['{alertname="NetDown"}']), Labels({"team": "shop"})
        ),
    )
    shown = render(config)
    again = tmp_path / "again"
    again.mkdir()
    assert read(again, shown).targets == config.targets
    assert "depends_on:" in shown
    assert "192.0.2.1:443" in shown


REFUSED = [
    ("canaries: [host]", 1, "canaries: an address is host:port"),
    ("canaries: ['https://u:p@host/']", 1, "canaries: a url carries no credentials"),
    ("canaries:\n  - a:1\n  - a:1\n", 3, "canaries: a:1 stands twice"),
    ("storm_settings:\n  targets: 20\n  hold: 3m", 3, "at most 2m"),
    ("storm_settings: {networks: 0}", 1, "at least 1"),
    ("silence_settings: {max_silence: 1}", 1, "max_silence: unknown key in silence_settings"),
    ("targets:\n  - name: a\n    address: a:1\n    module: tcp_connect\n    depends_on: ['{}']", 5,
     "depends_on: at least one matcher"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED)
def test_refused(tmp_path: Path, text: str, line: int, reason: str) -> None:
    """Where it stands, in words."""
    found = problems(tmp_path, text)
    assert [(each[0], each[1][: len(reason)]) for each in found] == [(line, reason)]


def target(name: str, on: str, labels: str = "") -> str:
    extra = f"labels: {labels}, " if labels else ""
    return (
        f"  - {{name: {name}, address: '{name}:1', module: tcp_connect, {extra}depends_on: {on}}}"
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([target("a", "[a]")], (2, "a -> a")),
        ([target("c", "[a]"), target("a", "[b]"), target("b", "[a]")], (3, "a -> b -> a")),
        ([target("a", "['{job=\"b\"}']"), target("b", "[a, x]")], (2, "a -> b -> a")),
    ],
)
def test_targets_that_go_round_are_refused(
    tmp_path: Path, lines: list[str], reason: tuple[int, str]
) -> None:
    """Once for each circle, with the way that it takes; what leads into one is in none."""
    line, way = reason
    found = problems(tmp_path, "\n".join(["targets:", *lines]))
    assert found == [(line, f"depends_on goes round: {way}")]


def test_what_does_not_go_round_is_taken(tmp_path: Path) -> None:
    """Two ways to the same thing; matchers that find the very target; names nobody has yet."""
    lines = [
        target("a", "[b, c]"),
        target("b", "[c, later]"),
        target("c", "['{role=\"db\"}']", "{role: db}"),
    ]
    assert problems(tmp_path, "\n".join(["targets:", *lines])) == []


CIRCLE = """\
rule_files: [rules.yml]
rule_settings:
  - match: {alertname: Late}
    depends_on:
      - '{alertname="Slow", team="shop"}'
  - match: {alertname: Slow}
    depends_on: [Late]
"""


def test_rules_that_go_round_are_refused(tmp_path: Path) -> None:
    """At the first setting of the circle."""
    (tmp_path / "rules.yml").write_text(RULES)
    assert problems(tmp_path, CIRCLE) == [(4, "depends_on goes round: Late -> Slow -> Late")]


def test_rules_that_may_go_round_by_labels_of_series_are_taken(tmp_path: Path) -> None:
    """Hosts behind a router, told by one rule: nobody knows the labels before they fire."""
    (tmp_path / "rules.yml").write_text(RULES)
    text = """\
    rule_files: [rules.yml]
    rule_settings:
      - match: {alertname: Late}
        depends_on: ['{alertname="Late", role="router"}']
    """
    assert problems(tmp_path, text) == []
