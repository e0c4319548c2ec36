"""`controlplane check config`, as a person calls it."""

from pathlib import Path

import pytest

from controlplane.cli.main import main
from tests.unit.config.reading import DATA


def test_a_good_file_is_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0, with what the file holds in numbers."""
    path = DATA / "prometheus.yml"
    assert main(["check", "config", str(path)]) == 0
    assert capsys.readouterr().out == (
        f"{path}: good: 0 targets, 3 modules, 3 scrape configs, 2 rules in 1 file, 1 receiver\n"
    )


def test_a_bad_file_is_told_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, with every problem as file:line: reason, and how many there are."""
    path = tmp_path / "c.yml"
    path.write_text("gobal: {}\ntargets: [{name: A, url: http://x}]\n")
    assert main(["check", "config", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{path}:1: gobal: unknown key in the configuration; did you mean 'global'?"
    assert lines[1].startswith(f"{path}:2: a name is 1 to 63")
    assert lines[2] == f"{path}: 2 problems"


def test_what_is_in_force_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """`--show` prints the configuration with its defaults and without its secrets."""
    assert main(["check", "config", "--show", str(DATA / "alertmanager.yml")]) == 0
    shown = capsys.readouterr().out
    assert "slack_api_url: <secret>" in shown
    assert "hooks.slack.example" not in shown


def test_what_replicas_would_not_share_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `serve` refuses of several replicas is known before one of them is started."""
    path = tmp_path / "c.yml"
    path.write_text("cluster: {url: redis://there}\n")
    assert main(["check", "config", str(path)]) == 1
    assert "several replicas need one PostgreSQL" in capsys.readouterr().err
    path.write_text("cluster: {url: redis://there}\nstorage: {url: postgresql://there/cp}\n")
    assert main(["check", "config", str(path)]) == 0
    assert "datasource and remote_write missing" in capsys.readouterr().err
    path.write_text(
        path.read_text()
        + "datasource: {url: http://there}\nremote_write: [{url: http://there/write}]\n"
    )
    assert main(["check", "config", str(path)]) == 0
    assert capsys.readouterr().err == ""


def test_what_is_hardly_meant_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recorded series that another engine reads and never gets; with remote_write it gets it."""
    rules = tmp_path / "r.yml"
    rules.write_text(
        "groups:\n- name: g\n  rules:\n"
        "  - {record: job:up, expr: up}\n"
        "  - {record: unread, expr: up}\n"
        "  - {alert: Down, expr: job:up == 0}\n"
    )
    path = tmp_path / "c.yml"
    sections = "rule_files: [r.yml]\ndatasource: {url: http://there}\n"
    path.write_text(sections)
    assert main(["check", "config", str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == (
        f"warning: {rules}:4: job:up is recorded here, but Down, which reads it, is evaluated by "
        "a datasource that never gets it: there is no remote_write\n"
    )
    assert out.startswith(f"{path}: good")
    path.write_text(f"{sections}remote_write: [{{url: http://there/write}}]\n")
    assert main(["check", "config", str(path)]) == 0
    assert capsys.readouterr().err == (
        f"warning: {rules}:6: Down reads job:up, which its group records just before, but is "
        "evaluated by a datasource that gets it later: it sees what the evaluation before gave\n"
    )
    rules.write_text(rules.read_text().replace("  - {alert", "- name: h\n  rules:\n  - {alert"))
    assert main(["check", "config", str(path)]) == 0
    assert capsys.readouterr().err == ""
    path.write_text(f"{sections}rule_settings: [{{match: {{}}, datasource: local}}]\n")
    assert main(["check", "config", str(path)]) == 0
    assert capsys.readouterr().err == ""


def test_a_rule_of_our_own_engine_is_one_replicas_view(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where replicas share the work, a rule that no datasource evaluates sees a part of it only."""
    rules = tmp_path / "r.yml"
    rules.write_text("groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0}\n")
    path = tmp_path / "c.yml"
    sections = (
        "rule_files: [r.yml]\ndatasource: {url: http://there}\n"
        "remote_write: [{url: http://there/write}]\ncluster: {url: 'redis://there'}\n"
        "storage: {url: 'postgresql://there/cp'}\n"
    )
    path.write_text(sections)
    assert main(["check", "config", str(path)]) == 0
    assert capsys.readouterr().err == ""
    path.write_text(f"{sections}rule_settings: [{{match: {{}}, datasource: local}}]\n")
    assert main(["check", "config", str(path)]) == 0
    assert capsys.readouterr().err == (
        f"warning: {rules}:4: Down is evaluated by our own engine, and so sees only what the "
        "replica has measured itself that evaluates it\n"
    )
