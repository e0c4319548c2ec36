"""Every configuration of the stack, read by the program that it is for or held to its form."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from controlplane.cli.main import main
from tests.stack.files import ROOT, mounts, services

_NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
_PROMTOOL: Final = shutil.which("promtool")
_AMTOOL: Final = shutil.which("amtool")
_RULES: Final = ROOT / "prometheus" / "rules" / "watchdog.rules.yml"

needs_promtool = pytest.mark.skipif(_PROMTOOL is None, reason="promtool is not installed")


def run(*words: object) -> str:
    """Run a program that must be content; return what it wrote."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def load(path: str) -> Any:
    """Return a YAML file of the repository."""
    return yaml.safe_load((ROOT / path).read_text())


@needs_promtool
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """With the rules and the token where they are in the container."""
    token = tmp_path / "api_token"
    token.write_text("t")
    text = (ROOT / "prometheus/prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/api_token", str(token)))
    shutil.copytree(ROOT / "prometheus" / "rules", tmp_path / "rules")
    assert "1 rule files found" in run(_PROMTOOL, "check", "config", tmp_path / "prometheus.yml")


@needs_promtool
def test_the_rules_that_watch_us_are_tried() -> None:
    """promtool finds them good and their tests right; each rule has one."""
    run(_PROMTOOL, "check", "rules", "--lint=all", "--lint-fatal", _RULES)
    tests = ROOT / "prometheus" / "tests" / "watchdog.test.yml"
    run(_PROMTOOL, "test", "rules", tests)
    fired = {
        case["alertname"]
        for test in yaml.safe_load(tests.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    (group,) = yaml.safe_load(_RULES.read_text())["groups"]
    assert fired == {rule["alert"] for rule in group["rules"]}


def test_our_own_engine_agrees_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    """The same tests of the same rules, without promtool."""
    assert main(["test", "rules", str(ROOT / "prometheus/tests/watchdog.test.yml")]) == 0, (
        capsys.readouterr()
    )


def test_the_rules_name_metrics_that_there_are() -> None:
    """Those of ours are in the table of all metrics."""
    named = set(re.findall(r"\bcontrolplane_\w+", _RULES.read_text()))
    told = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
    assert named
    assert named <= told


@pytest.mark.skipif(_AMTOOL is None, reason="amtool is not installed")
def test_the_watchdog_tells_of_us_alone() -> None:
    """amtool takes its file; what is marked is told, all else is not."""
    file = ROOT / "deploy/watchdog/alertmanager.yml"
    run(_AMTOOL, "check-config", file)
    route = [_AMTOOL, "config", "routes", "test", f"--config.file={file}"]
    assert run(*route, "alertname=ProbeDown", "severity=critical").split()[0] == "nobody"
    (group,) = yaml.safe_load(_RULES.read_text())["groups"]
    for rule in group["rules"]:
        labels = [f"{name}={value}" for name, value in rule["labels"].items()]
        assert run(*route, f"alertname={rule['alert']}", *labels).split()[0] == "watchdog"


@pytest.mark.skipif(_NGINX is None, reason="nginx is not installed")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    """With a name that can be looked up here."""
    text = (ROOT / "deploy/nginx/nginx.conf").read_text()
    text = re.sub(r"controlplane-(\d):", r"127.0.0.\1:", text).replace("/tmp/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(text)
    assert "test is successful" in run(_NGINX, "-t", "-c", tmp_path / "nginx.conf")


def test_nginx_has_both_replicas_behind_it() -> None:
    """Each that compose starts, and whoever has the fewest requests gets the next."""
    text = (ROOT / "deploy/nginx/nginx.conf").read_text()
    upstream = text.partition("upstream controlplane {")[2].partition("}")[0]
    replicas = [name for name in services() if name.startswith("controlplane-")]
    found = re.findall(r"^\s*server (\S+)", upstream, re.MULTILINE)
    assert found == [f"{name}:8080" for name in replicas]
    assert "least_conn;" in upstream
    [targets] = [
        job["static_configs"][0]["targets"]
        for job in load("prometheus/prometheus.yml")["scrape_configs"]
        if job["job_name"] == "controlplane"
    ]
    assert targets == found


def test_what_nginx_keeps_has_room() -> None:
    """It is in memory, of which all of nginx has so much: a quarter, at most, is for pages."""
    text = (ROOT / "deploy/nginx/nginx.conf").read_text()
    [(place, megabytes)] = re.findall(r"proxy_cache_path (\S+) .*max_size=(\d+)m", text)
    service = services()["nginx"]
    assert any(place.startswith(f"{each}/") for each in service["tmpfs"])
    limit = service["deploy"]["resources"]["limits"]["memory"]
    assert int(megabytes) * 4 <= int(limit.removesuffix("M"))


def test_we_take_our_own_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check config` finds the rules where compose mounts them, and nothing amiss."""
    storage = tmp_path / "storage_url"
    storage.write_text("postgresql://controlplane:secret@postgres/controlplane")
    cluster = tmp_path / "cluster_url"
    cluster.write_text("redis://:secret@redis")
    places = {"/run/secrets/storage_url": str(storage), "/run/secrets/cluster_url": str(cluster)}
    for path, place in mounts(services()["controlplane-1"]).items():
        shutil.copytree(ROOT / path, tmp_path / place.lstrip("/"))
        places[place] = str(tmp_path / place.lstrip("/"))
    for file in (tmp_path / "etc/controlplane").iterdir():
        text = file.read_text()
        for place, here in places.items():
            text = text.replace(place, here)
        file.write_text(text)
    assert main(["check", "config", str(tmp_path / "etc/controlplane/controlplane.yml")]) == 0
    said = capsys.readouterr().out
    assert "good" in said
    assert " 0 rules" not in said


def test_loki_keeps_lines_for_a_bounded_time() -> None:
    """A retention that is acted on, a store in the volume, a schema that has metadata of lines."""
    loki = load("deploy/loki/loki.yml")
    assert loki["compactor"]["retention_enabled"]
    assert loki["compactor"]["delete_request_store"] == "filesystem"
    assert loki["limits_config"]["retention_period"] == "168h"
    (schema,) = loki["schema_config"]["configs"]
    assert (schema["store"], schema["schema"]) == ("tsdb", "v13")
    assert schema["index"]["period"] == "24h"
    directories = loki["common"]["storage"]["filesystem"].values()
    assert all(path.startswith("/loki/") for path in directories)
    assert not loki["analytics"]["reporting_enabled"]


def test_grafana_has_the_secrets_that_it_reads() -> None:
    """Each file that provisioning names is mounted for it."""
    texts = [path.read_text() for path in (ROOT / "grafana/provisioning").rglob("*.yml")]
    read = {name for text in texts for name in re.findall(r"/run/secrets/(\w+)", text)}
    assert "api_token" in read
    assert read <= set(services()["grafana"]["secrets"])


def test_services_reach_one_another_by_names_that_there_are() -> None:
    """Each `host:port` in a configuration is a service of compose."""
    texts = [
        (ROOT / path).read_text()
        for path in (
            "deploy/alloy/config.alloy",
            "deploy/controlplane/controlplane.yml",
            "deploy/nginx/nginx.conf",
            "grafana/provisioning/alerting/notifications.yml",
            "grafana/provisioning/datasources/datasources.yml",
            "prometheus/prometheus.yml",
            "docker-compose.yml",
        )
    ]
    hosts = {
        host for text in texts for host in re.findall(r"(?:http|tcp)://([a-z-]+[0-9]?):\d", text)
    }
    hosts |= {host for text in texts for host in re.findall(r"\[([a-z]+):\d+\]", text)}
    assert hosts - {"localhost"} <= services().keys()
