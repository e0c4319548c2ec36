"""`controlplane serve` as a process of its own, on a free port, that a test may kill."""

import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import httpx

from tests.support import warm
from tests.support.namespace import Namespace

T = TypeVar("T")

# For what other processes do: a busy machine may start one in half a minute.
PATIENCE: Final = 90.0
_COMMAND: Final = (sys.executable, "-m", "controlplane")
_TOKEN: Final = "of-a-test"
# Nothing that the developer's own environment says may reach the service.
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


async def eventually(look: Callable[[], Awaitable[T]], what: str) -> T:
    """Return the first result of `look()` that is true; fail when it takes too long."""
    until = time.monotonic() + PATIENCE  # noqa: TID251 - another process has its own clock
    while time.monotonic() < until:  # noqa: TID251 - as above
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.05)  # noqa: TID251 - as above
    raise AssertionError(f"not seen within {PATIENCE:g}s: {what}")


async def run_program(*words: str) -> tuple[int, str, str]:
    """Run a program to its end; return its code, output and errors."""
    process = await _start(*words)
    async with asyncio.timeout(PATIENCE):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def run_command(*words: str) -> tuple[int, str, str]:
    """Run one command of `controlplane`, in a warm process; return its code, output and errors."""
    process = await warm.start(words, _environment({}), apart=True)
    async with asyncio.timeout(PATIENCE):
        out, errors = await process.communicate()
    return await process.wait(), out.decode(), errors.decode()


async def start_command(*words: str) -> asyncio.subprocess.Process:
    """Start one command as `python -m controlplane`, its output and errors in pipes."""
    return await _start(*_COMMAND, *words)


class Service:
    """A service over a directory: it may be started, killed and started again there.

    `lines` is what it logged, all starts together. Its port stays the same.
    In a `network` of its own it has a token, for it listens beyond loopback.
    """

    def __init__(
        self,
        directory: Path,
        configuration: Mapping[str, Any] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        token: str = "",
        network: Namespace | None = None,
    ) -> None:
        self.directory = directory
        self.config = directory / "controlplane.yml"
        self.data = directory / "data"
        self.configure(configuration or {})
        self.environment = dict(environment or {})
        self.network = network
        if network is not None:
            token = token or _TOKEN
            self.environment["CONTROLPLANE_API_TOKEN"] = token
        self.lines: list[dict[str, Any]] = []
        self.url = ""
        self._token = token
        self._port = 0
        self._process: warm.WarmProcess | None = None
        self._reader: asyncio.Task[None] | None = None
        self.client = httpx.AsyncClient(timeout=10, trust_env=False)

    @property
    def process(self) -> warm.WarmProcess:
        assert self._process is not None, "the service was not started"
        return self._process

    def configure(self, configuration: Mapping[str, Any]) -> None:
        """Write the configuration; JSON is YAML."""
        self.config.write_text(json.dumps(configuration, indent=1))

    async def start(self) -> Self:
        """Start it and wait until it is ready."""
        words = ["serve", "--config", str(self.config), "--data-dir", str(self.data)]
        self.url = ""
        # Its lines come by a pipe, no file: a limit on the size of files must not silence it.
        host, name = ("127.0.0.1", None) if (at := self.network) is None else (at.address, at.name)
        self._process = await warm.start(
            [*words, "--listen", f"{host}:{self._port}"],
            _environment(self.environment),
            network=name,
        )
        self._reader = asyncio.create_task(self._read())
        await eventually(self._is_ready, "a service that is ready")
        return self

    async def kill(self) -> None:
        """Kill it as a lost machine would."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Ask it to end; return its exit code."""
        return await self._end(signal.SIGTERM)

    def hang_up(self) -> None:
        """Ask it to reload."""
        self.process.send_signal(signal.SIGHUP)

    def fill_disk(self) -> None:
        """From now on no file can be written to."""
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (1, hard))

    def free_disk(self) -> None:
        """Take `fill_disk` back."""
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (hard, hard))

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event."""
        return [line for line in self.lines if line["event"] == event]

    async def logged(self, event: str) -> dict[str, Any]:
        """Return the newest line of an event, waiting for one."""

        async def look() -> list[dict[str, Any]]:
            return self.events(event)

        return (await eventually(look, f"the event {event!r}"))[-1]

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request with the token, if there is one."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return await self.client.request(
            method, self.url + path, headers=headers | options.pop("headers", {}), **options
        )

    async def get(self, path: str) -> Any:
        """Return what a path answers, decoded."""
        return (await self.request("GET", path)).raise_for_status().json()

    async def register(self, name: str, url: str, **fields: Any) -> dict[str, Any]:
        """Register a target by the API; return it."""
        body = {"name": name, "url": url, **fields}
        found = await self.request("POST", "/api/v1/targets", json=body)
        answer: dict[str, Any] = found.raise_for_status().json()
        return answer

    async def query(self, expr: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        given = {"query": expr, **parameters}
        found = await self.request("POST", "/prometheus/api/v1/query", data=given)
        result: list[dict[str, Any]] = found.raise_for_status().json()["data"]["result"]
        return result

    async def value(self, expr: str) -> float | None:
        """Return the value of the first series of a query."""
        found = await self.query(expr)
        return float(found[0]["value"][1]) if found else None

    async def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts of the rules, pending and firing."""
        found: list[dict[str, Any]] = (await self.get("/prometheus/api/v1/alerts"))["data"][
            "alerts"
        ]
        return found

    async def close(self) -> None:
        """End it, by force if need be."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()
        await self.client.aclose()

    async def _end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            if self._reader is not None:
                await self._reader
        return code

    async def _read(self) -> None:
        async for raw in self.process.stdout:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": raw.decode().rstrip()}
            self.lines.append(line)
            if line["event"] == "serving":
                self.url = f"http://{line['listen']}"
                self._port = int(line["listen"].rpartition(":")[2])

    async def _is_ready(self) -> bool:
        assert self.process.returncode is None, f"the service ended: {self.lines[-3:]}"
        if not self.url:
            return False
        try:
            return (await self.request("GET", "/ready")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def running(
    directory: Path,
    configuration: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    token: str = "",
) -> AsyncIterator[Service]:
    """Give a started service, gone at the end of the block."""
    service = Service(directory, configuration, environment=environment, token=token)
    try:
        yield await service.start()
    finally:
        await service.close()


async def _start(*words: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *words, stdout=pipe, stderr=pipe, env=_environment({})
    )


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONUNBUFFERED": "1", **given}
