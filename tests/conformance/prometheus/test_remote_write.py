"""A real Prometheus writes what it scrapes to us."""

from pathlib import Path

import httpx
import pytest

from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.service import eventually, running


@pytest.mark.slow
@needs_prometheus
async def test_prometheus_writes_to_us(tmp_path: Path) -> None:
    """Its samples arrive with their instants, values and labels; it counts none as failed."""
    async with running(tmp_path) as service:
        us = [{"targets": [service.url.removeprefix("http://")]}]
        configuration = {
            "global": {"scrape_interval": "1s", "external_labels": {"dc": "x"}},
            # It scrapes us, so that nobody needs to know its own port.
            "scrape_configs": [{"job_name": "us", "static_configs": us}],
            "remote_write": [
                {
                    "url": f"{service.url}/prometheus/api/v1/write",
                    "queue_config": {"batch_send_deadline": "200ms"},
                    "metadata_config": {"send_interval": "1s"},
                }
            ],
        }
        async with prometheus(tmp_path, configuration) as url, httpx.AsyncClient() as client:
            name = 'controlplane_tsdb_series{job="us",dc="x"}'
            await eventually(lambda: service.query(f"count_over_time({name}[1m]) > 2"), name)

            async def sent(metric: str) -> float:
                given = {"query": f"sum({metric})"}
                found = (await client.get(f"{url}/api/v1/query", params=given)).json()
                return float(found["data"]["result"][0]["value"][1])

            ours = await service.query(f"{name}[1h]")
            theirs = await client.get(
                f"{url}/api/v1/query", params={"query": "controlplane_tsdb_series[1h]"}
            )
            [arrived] = [each["values"] for each in ours]
            [known] = [each["values"] for each in theirs.json()["data"]["result"]]
            assert arrived == known[: len(arrived)]

            text = (await client.get(f"{url}/metrics")).text
            failed = [
                line
                for line in text.splitlines()
                if line.startswith("prometheus_remote_storage_samples_failed_total{")
            ]
            assert [line.rpartition(" ")[2] for line in failed] == ["0"]

            async def described() -> bool:
                found = await service.get(
                    "/prometheus/api/v1/metadata?metric=controlplane_tsdb_series"
                )
                return bool(found["data"])

            await eventually(described, "metadata")
