"""Prometheus' own programs talk to the service as they do to their own."""

import asyncio
import json
import shutil
from pathlib import Path

import httpx
import pytest

from tests.acceptance.house import configuration, shop, write_rules
from tests.support.service import Service, eventually, run_program, running

_PROMTOOL = shutil.which("promtool")
_PROMETHEUS = shutil.which("prometheus")

needs_promtool = pytest.mark.skipif(_PROMTOOL is None, reason="promtool is not installed")
needs_prometheus = pytest.mark.skipif(_PROMETHEUS is None, reason="prometheus is not installed")


@needs_promtool
async def test_promtool_queries_us(tmp_path: Path) -> None:
    """Instant and range queries, series and labels are what promtool understands."""
    async with shop() as shop_, running(tmp_path, configuration()) as service:
        await service.register("checkout", shop_.url)

        async def probed() -> bool:
            return await service.value("probe_success") == 1

        await eventually(probed, "a probe")
        url = f"{service.url}/prometheus"
        series = f'{{instance="{shop_.url}", job="checkout"}}'
        out = await _promtool("instant", url, "probe_success")
        assert out.startswith(f"probe_success{series} => 1 @[")
        assert (await _promtool("instant", url, "1 + 1")).startswith("scalar: 2 @[")
        out = await _promtool("range", "--step", "1s", url, "count(probe_success)")
        assert out.startswith("{} =>\n1 @[")
        out = await _promtool("series", "--match", "probe_success", url)
        assert out == f'{{__name__="probe_success", instance="{shop_.url}", job="checkout"}}\n'
        assert "checkout\n" in await _promtool("labels", url, "job")
        assert "bad_data" in await _promtool("instant", url, "sum(", code=1)


async def _promtool(kind: str, *words: str, code: int = 0) -> str:
    found, out, errors = await run_program("promtool", "query", kind, *words)
    assert found == code, errors
    return out + errors


@pytest.mark.slow
@needs_prometheus
async def test_a_prometheus_scrapes_our_probes(tmp_path: Path) -> None:
    """A job written for blackbox_exporter works with our address in its place."""
    async with shop() as shop_, running(tmp_path, configuration()) as service:
        address = service.url.removeprefix("http://")
        job = {
            "job_name": "blackbox",
            "metrics_path": "/probe",
            "params": {"module": ["http_2xx"]},
            "static_configs": [{"targets": [shop_.url]}],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "__address__", "replacement": address},
            ],
        }
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
        home = tmp_path / "prometheus"
        home.mkdir()
        (home / "prometheus.yml").write_text(json.dumps(config))
        found = await _prometheus_sees(home, service, f'probe_success{{instance="{shop_.url}"}}')
        assert found == 1
        assert shop_.headers


async def _prometheus_sees(home: Path, service: Service, expr: str) -> float:
    """Run a Prometheus until it has a value; return it."""
    # Port 0 would hide which one it became.
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def look() -> list[float]:
        try:
            url = f"http://127.0.0.1:{port}/api/v1/query"
            answer = await service.client.get(url, params={"query": expr})
            return [float(each["value"][1]) for each in answer.json()["data"]["result"]]
        except (httpx.TransportError, ValueError, KeyError):
            return []  # it has not begun to answer

    try:
        return (await eventually(look, f"a value of {expr} in Prometheus"))[0]
    finally:
        process.terminate()
        await process.wait()


async def test_rules_and_alerts_have_prometheus_shape(tmp_path: Path) -> None:
    """The fields that Grafana and others read are all there, with upstream's types."""
    async with shop() as shop_:
        rules = write_rules(tmp_path / "shop.rules.yml", hold="1m")
        async with running(tmp_path, configuration(rule_files=[rules])) as service:
            shop_.status = 500
            await service.register("checkout", shop_.url)
            await eventually(service.alerts, "an alert")
            (group,) = (await service.get("/prometheus/api/v1/rules"))["data"]["groups"]
            (rule,) = group["rules"]
            (alert,) = rule["alerts"]
            assert (group["name"], group["interval"], group["limit"]) == ("shop", 1, 0)
            assert (rule["type"], rule["state"], rule["health"]) == ("alerting", "pending", "ok")
            assert (rule["duration"], rule["keepFiringFor"], rule["lastError"]) == (60, 0, "")
            assert (alert["state"], alert["value"]) == ("pending", "0e+00")
            assert alert["labels"]["alertname"] == "Down"
            path = "/prometheus/api/v1/rules?type=record"
            assert (await service.get(path))["data"]["groups"] == []
