"""Unit tests of rules over native histograms, which promtool 2.42 does not know."""

from pathlib import Path

import pytest

from controlplane.cli.main import main

RULES = """
groups:
- name: g
  rules:
  - record: job:took:rate
    expr: sum by (job) (rate(took[5m]))
  - alert: Slow
    expr: histogram_quantile(0.9, job:took:rate) > 1
"""
TEST = """
rule_files: [r.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - series: took{{job="a"}}
    values: '{{{{schema:0 count:6 sum:8 offset:1 buckets:[6]}}}}+{{{{count:6 sum:8 offset:1 buckets:[6]}}}}x10'
  promql_expr_test:
  - expr: job:took:rate
    eval_time: 10m
    exp_samples:
    - labels: 'job:took:rate{{job="a"}}'
      histogram: '{{{{count:{count} sum:0.13333333333333333 counter_reset_hint:gauge offset:1 buckets:[0.1]}}}}'
  alert_rule_test:
  - eval_time: 10m
    alertname: Slow
    exp_alerts: [{{exp_labels: {{job: a}}}}]
"""  # noqa: E501 - a histogram is one word


@pytest.mark.parametrize(("count", "code"), [("0.1", 0), ("0.2", 1)])
def test_histograms_are_recorded_and_compared(
    tmp_path: Path, count: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recording rule keeps a histogram, an alert reads it; another one is a difference."""
    (tmp_path / "r.yml").write_text(RULES)
    (tmp_path / "t.yml").write_text(TEST.format(count=count))
    assert main(["test", "rules", str(tmp_path / "t.yml")]) == code
    printed = capsys.readouterr()
    assert ("count:0.1 " in printed.out + printed.err) is bool(code)
