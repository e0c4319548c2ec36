"""Our checks and unit tests of rules beside promtool's, on the same files.

The shipped rules and small files with one peculiarity each; promtool is asked
where it is installed, and what it said is written down where it is not.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from controlplane.cli.main import main

ROOT = Path(__file__).parents[3] / "alert_rules"
PROMTOOL = shutil.which("promtool")
RULES = sorted(ROOT.glob("*.rules.yml"))
TESTS = sorted((ROOT / "tests").glob("*.test.yml"))

RULE_FILE = """
groups:
- name: g
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: up == 0
    for: 2m
    keep_firing_for: 3m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.instance }} {{ humanize $value }} {{ $externalLabels.dc }}"}
  - alert: Always
    expr: 1
"""
HEAD = "rule_files: [r.yml]\nevaluation_interval: 1m\ntests:\n"
SERIES = """
- interval: 1m
  external_labels: {dc: x}
  input_series:
  - {series: 'up{job="a",instance="i"}', values: '1 0 0 0 1 1 1 1 1 1'}
"""
FIRING = """
    exp_alerts:
    - exp_labels: {severity: page, job: a, instance: i}
      exp_annotations: {summary: "i 0 x"}
"""

# A test file after HEAD, and whether it passes.
CASES = {
    "pending does not count": (
        SERIES + "  alert_rule_test: [{eval_time: 2m, alertname: Down, exp_alerts: []}]\n",
        True,
    ),
    "fires after for": (
        SERIES + "  alert_rule_test:\n  - eval_time: 3m\n    alertname: Down" + FIRING,
        True,
    ),
    "an evaluation holds until the next": (
        SERIES + "  alert_rule_test:\n  - eval_time: 3m59s\n    alertname: Down" + FIRING,
        True,
    ),
    "keeps firing": (
        SERIES + "  alert_rule_test:\n  - eval_time: 6m\n    alertname: Down" + FIRING,
        True,
    ),
    "stops": (
        SERIES + "  alert_rule_test: [{eval_time: 7m, alertname: Down, exp_alerts: []}]\n",
        True,
    ),
    "a missing label is a difference": (
        SERIES
        + "  alert_rule_test:\n  - eval_time: 3m\n    alertname: Down\n"
        + "    exp_alerts: [{exp_labels: {severity: page}}]\n",
        False,
    ),
    "no rule of that name": (
        SERIES + "  alert_rule_test: [{eval_time: 3m, alertname: Nope, exp_alerts: [{}]}]\n",
        False,
    ),
    "an alert without labels": (
        "- alert_rule_test: [{eval_time: 0, alertname: Always, exp_alerts: [{}]}]\n",
        True,
    ),
    "recorded series": (
        SERIES
        + "  promql_expr_test: [{expr: 'job:up:sum', eval_time: 1m, "
        + "exp_samples: [{labels: 'job:up:sum{job=\"a\"}', value: 0}]}]\n",
        True,
    ),
    "a wrong value": (
        SERIES
        + "  promql_expr_test: [{expr: 'job:up:sum', eval_time: 1m, "
        + "exp_samples: [{labels: 'job:up:sum{job=\"a\"}', value: 1}]}]\n",
        False,
    ),
    "ALERTS are series": (
        SERIES
        + "  promql_expr_test: [{expr: 'count by (alertstate) (ALERTS)', eval_time: 1m, "
        + "exp_samples: [{labels: '{alertstate=\"firing\"}', value: 1}, "
        + "{labels: '{alertstate=\"pending\"}', value: 1}]}]\n",
        True,
    ),
    "a scalar": (
        "- promql_expr_test: [{expr: '1 + 1', eval_time: 0, exp_samples: [{value: 2}]}]\n",
        True,
    ),
    "an expression that fails": (
        SERIES + "  promql_expr_test: [{expr: 'sum(', eval_time: 0, exp_samples: []}]\n",
        False,
    ),
    "rounding is a difference": (
        "- promql_expr_test: [{expr: '0.1 + 0.2', eval_time: 0, exp_samples: [{value: 0.3}]}]\n",
        False,
    ),
    "an unknown key": ("- interval: 1m\n  input: []\n", False),
    "a broken series": (
        "- input_series: [{series: 'up{', values: '1'}]\n"
        "  alert_rule_test: [{eval_time: 0, alertname: Always, exp_alerts: [{}]}]\n",
        False,
    ),
    "a broken value": (
        "- input_series: [{series: up, values: '1+x'}]\n"
        "  alert_rule_test: [{eval_time: 0, alertname: Always, exp_alerts: [{}]}]\n",
        False,
    ),
}


def promtool(*args: str) -> bool:
    """Tell what promtool says; it is there whenever this is called."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *args], capture_output=True, check=False, timeout=60)
    return done.returncode == 0


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_shipped_rules_are_good(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both programs accept each file that is shipped, and find as many rules."""
    assert main(["check", "rules", str(path)]) == 0
    said = capsys.readouterr().out
    assert "SUCCESS: " in said
    if PROMTOOL:
        assert promtool("check", "rules", str(path))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_shipped_rules_pass_their_tests(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both programs run each test file that is shipped, with success."""
    assert main(["test", "rules", str(path)]) == 0, capsys.readouterr().err
    if PROMTOOL:
        assert promtool("test", "rules", str(path))


def test_each_rule_file_has_its_tests() -> None:
    """Every alert that is shipped is named in the test file beside it."""
    assert {path.name.split(".")[0] for path in RULES} == {p.name.split(".")[0] for p in TESTS}
    for rules in RULES:
        tests = (ROOT / "tests" / f"{rules.name.split('.')[0]}.test.yml").read_text()
        for line in rules.read_text().splitlines():
            if line.strip().startswith("- alert:"):
                name = line.split(":")[1].strip()
                fires = tests.split(f"alertname: {name}\n        exp_alerts:\n")
                assert len(fires) > 1, f"no test sees {name} fire"


@pytest.mark.parametrize("name", CASES)
def test_small_files(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file passes or fails as promtool says."""
    text, good = CASES[name]
    (tmp_path / "r.yml").write_text(RULE_FILE)
    path = tmp_path / "t.yml"
    path.write_text(HEAD + text)
    assert (main(["test", "rules", str(path)]) == 0) is good, capsys.readouterr().err
    if PROMTOOL:
        assert promtool("test", "rules", str(path)) is good


def test_names_choose_tests(tmp_path: Path) -> None:
    """`--run` leaves out the tests whose name does not match."""
    (tmp_path / "r.yml").write_text(RULE_FILE)
    path = tmp_path / "t.yml"
    path.write_text(
        HEAD
        + "- {name: good, promql_expr_test: [{expr: '1', exp_samples: [{value: 1}]}]}\n"
        + "- {name: bad, promql_expr_test: [{expr: '1', exp_samples: [{value: 2}]}]}\n"
    )
    assert main(["test", "rules", str(path)]) == 1
    assert main(["test", "rules", "--run", "^good", str(path)]) == 0


def test_a_rule_that_fails_ends_the_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the rule, the time and the reason."""
    (tmp_path / "r.yml").write_text(
        "groups: [{name: g, rules: [{record: r, expr: 'a + on () b'}]}]"
    )
    path = tmp_path / "t.yml"
    path.write_text(
        HEAD
        + "- input_series: [{series: a, values: '1x5'}, {series: 'b{x=\"1\"}', values: '1x5'}, "
        + "{series: 'b{x=\"2\"}', values: '_ 1x4'}]\n"
        + "  promql_expr_test: [{expr: r, eval_time: 3m, exp_samples: []}]\n"
    )
    assert main(["test", "rules", str(path)]) == 1
    assert "rule: r, time: 1m, err: " in capsys.readouterr().err
    if PROMTOOL:
        assert not promtool("test", "rules", str(path))


def test_problems_are_printed_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check rules` goes on to the next file, and exits 1."""
    bad = tmp_path / "bad.yml"
    bad.write_text("groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'sum('}\n")
    good = tmp_path / "good.yml"
    good.write_text(RULE_FILE)
    assert main(["check", "rules", str(bad), str(good)]) == 1
    said = capsys.readouterr()
    assert f"{bad}:4: rule 'A', expression 1:5: unclosed left parenthesis" in said.err
    assert "SUCCESS: 3 rules found" in said.out
