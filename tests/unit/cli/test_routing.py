"""`controlplane check routing` and `controlplane test routes` on files as operators write them."""

import re
from pathlib import Path

import pytest

from controlplane.cli.main import main

_GOOD = """
route:
  receiver: default
  group_by: [alertname]
  group_wait: 1s
  routes:
  - receiver: db
    matchers: ['team="db"']
    continue: true
    mute_time_intervals: [nights]
    routes:
    - receiver: db-pager
      matchers: [severity="critical"]
      active_time_intervals: [nights]
  - receiver: pager
    matchers: [severity="critical"]
receivers: [{name: default}, {name: db}, {name: db-pager}, {name: pager}]
time_intervals: [{name: nights, time_intervals: []}]
"""
_DOUBTFUL = """route:
  receiver: a
  routes:
  - receiver: b
    matchers: [severity=~"critical|warning"]
    routes:
    - receiver: b
      matchers: [severity="info"]
    - receiver: c
      matchers: [team=""]
  - receiver: d
    matchers: [severity="critical"]
    mute_time_intervals: [never]
  - receiver: e
receivers:
- {name: a}
- {name: b}
- {name: c}
- {name: d}
- {name: e}
inhibit_rules:
- source_matchers: [a="1", a="2"]
  target_matchers: [b="1"]
time_intervals:
- {name: never, time_intervals: []}
- {name: unused, time_intervals: []}
"""
_SPLIT = """route:
  receiver: a
  routes:
  - {receiver: a, matchers: [x="1"]}
  - {receiver: a, matchers: [x="2"]}
  - {receiver: a, matchers: ['x=~"1|2"']}
receivers: [{name: a}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with a good tree."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(_GOOD)
    return path


def test_a_good_tree_is_counted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on the errors, and 0."""
    assert main(["check", "routing", str(file)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{file}: good: 4 routes, 4 receivers\n"
    assert told.err == ""


def test_what_never_happens_is_told_by_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Routes, receivers, intervals and rules, each once; 1."""
    file.write_text(_DOUBTFUL)
    assert main(["check", "routing", str(file)]) == 1
    *found, total = capsys.readouterr().err.splitlines()
    assert total == f"{file}: 6 problems"
    places = [re.sub(r".*?:(\d+): (.*)", r"\1 \2", line) for line in found]
    assert places == [
        '7 route {severity="info"} can never match: nothing fulfils '
        '{severity=~"critical|warning",severity="info"} together',
        '11 route {severity="critical"} is never reached: {severity=~"critical|warning"} '
        "before it takes all of its alerts, without continue",
        "16 receiver 'a' is never told: no route leads to it",
        "19 receiver 'd' is never told: no route leads to it",
        "26 time interval 'unused' is used by no route",
        '22 inhibit_rules: {a="1",a="2"} can never match (source)',
    ]


def test_routes_may_be_taken_by_several(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two that together leave nothing over."""
    file.write_text(_SPLIT)
    assert main(["check", "routing", str(file)]) == 1
    assert ':6: route {x=~"1|2"} is never reached: those before it' in capsys.readouterr().err


def test_a_file_that_cannot_be_used_is_refused(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `check config` tells it."""
    file.write_text("route: {receiver: nobody}\nreceivers: []\n")
    assert main(["check", "routing", str(file)]) == 1
    assert "undefined receiver 'nobody'" in capsys.readouterr().err


def test_the_receivers_are_printed_as_amtool_does(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output is amtool's; the reasons are beside it."""
    words = ["test", "routes", "--config", str(file), "team=db", 'severity="critical"']
    assert main([*words, "--tree"]) == 0
    told = capsys.readouterr()
    assert told.out == (
        "Matching routes:\n"
        ".\n"
        "└── default-route\n"
        '    ├── {team="db"}\n'
        '    │   └── {severity="critical"}  receiver: db-pager\n'
        '    └── {severity="critical"}  receiver: pager\n'
        "\n\n"
        "db-pager,pager\n"
    )
    assert told.err.splitlines() == [
        'db-pager: by default-route > {team="db"} > {severity="critical"}',
        "  grouped by {}, told 1s after the first alert, 5m after a change, again every 4h",
        "  only during nights",
        'pager: by default-route > {severity="critical"}',
        "  grouped by {}, told 1s after the first alert, 5m after a change, again every 4h",
    ]


@pytest.mark.parametrize(
    ("expected", "code"), [("db-pager,pager", 0), ("pager,db-pager", 1), ("pager", 1)]
)
def test_expected_receivers_are_verified(
    file: Path, capsys: pytest.CaptureFixture[str], expected: str, code: int
) -> None:
    """In amtool's words, with its exit codes."""
    words = ["test", "routes", "--config.file", str(file), "--quiet"]
    words += [f"--verify.receivers={expected}", "team=db", "severity=critical"]
    assert main(words) == code
    told = capsys.readouterr()
    warning = "WARNING: Expected receivers did not match resolved receivers.\n"
    assert told.out == "db-pager,pager\n" + (warning if code else "")
    assert told.err == ""


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("foo", "Failed to parse labels: bad matcher format: foo"),
        ("a!=b", "Labels must be specified as key=value pairs"),
    ],
)
def test_labels_that_are_none_are_refused(
    file: Path, capsys: pytest.CaptureFixture[str], label: str, message: str
) -> None:
    """1, and amtool's words."""
    assert main(["test", "routes", "--config", str(file), label]) == 1
    assert message in capsys.readouterr().err


def test_an_alert_without_labels_goes_to_the_root(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No label at all is a question too; mute hours are told."""
    assert main(["test", "routes", "--config", str(file), "--quiet"]) == 0
    assert capsys.readouterr().out == "default\n"
    assert main(["test", "routes", "--config", str(file), "team=db"]) == 0
    assert "  not during nights" in capsys.readouterr().err
