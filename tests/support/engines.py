"""Real metrics engines in processes of their own, which a test may stop and start again."""

import asyncio
import json
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.service import eventually

PROMETHEUS: Final = shutil.which("prometheus")
VICTORIA_METRICS: Final = shutil.which("victoria-metrics")
# Parameters of tests that are run beside each.
ENGINES: Final = [
    pytest.param(
        "prometheus",
        marks=pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed"),
    ),
    pytest.param(
        "victoria-metrics",
        marks=pytest.mark.skipif(
            VICTORIA_METRICS is None, reason="victoria-metrics is not installed"
        ),
    ),
]
_PATIENCE: Final = 30.0


class Engine:
    """An engine over a directory, at one address whenever it runs."""

    def __init__(self, name: str, directory: Path, rules: Sequence[Path] = ()) -> None:
        directory.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self.port = int(self.address.rpartition(":")[2])
        self.log = directory / "log"
        if name == "prometheus":
            self._words = _prometheus(directory, self.address, rules)
        else:
            self._words = _victoria_metrics(directory, self.address)
        self._process: asyncio.subprocess.Process | None = None
        self.client = httpx.AsyncClient(timeout=10, trust_env=False)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the engine was not started"
        return self._process.pid

    @property
    def write_url(self) -> str:
        return f"{self.url}/api/v1/write"

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._words, stdout=output, stderr=output
            )
        await eventually(self._is_ready, "an engine that is ready")

    async def stop(self) -> None:
        """Have it write all that it has, and end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_PATIENCE):
            await self._process.wait()

    async def query(self, expr: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        form = {"query": expr, **parameters}
        answer = await self.client.post(f"{self.url}/api/v1/query", data=form)
        result: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return result

    async def push(self, body: bytes) -> None:
        """Have it take in a body of remote write, version 1."""
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        (await self.client.post(self.write_url, content=body, headers=headers)).raise_for_status()

    async def close(self) -> None:
        """End it, by force if need be."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self.client.aclose()

    async def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()[-2000:]
        try:
            return (await self.client.get(f"{self.url}/-/ready")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def running_engine(
    name: str, directory: Path, rules: Sequence[Path] = ()
) -> AsyncIterator[Engine]:
    """Give a started engine, gone at the end of the block."""
    engine = Engine(name, directory, rules)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()


def _prometheus(directory: Path, address: str, rules: Sequence[Path]) -> list[str]:
    assert PROMETHEUS is not None
    config: Mapping[str, Any] = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
    }
    (directory / "prometheus.yml").write_text(json.dumps(config))
    return [
        PROMETHEUS,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address={address}",
        "--web.enable-remote-write-receiver",
    ]


def _victoria_metrics(directory: Path, address: str) -> list[str]:
    assert VICTORIA_METRICS is not None
    return [
        VICTORIA_METRICS,
        f"-storageDataPath={directory / 'data'}",
        f"-httpListenAddr={address}",
        # It hides what is younger, and guesses how long a sample is good for.
        "-search.latencyOffset=0s",
        "-search.maxStalenessInterval=5m",
        # A sender that is killed sends again what may have arrived; else both would be kept.
        "-dedup.minScrapeInterval=1ms",
        "-search.disableCache",
    ]
