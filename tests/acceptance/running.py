"""The real program in a process of its own, as an operator starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import httpx

_PATIENCE: Final = 90.0
_PAUSE: Final = 0.05

_T = TypeVar("_T")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(look: Callable[[], _T], what: str) -> _T:
    """Return the first result of `look()` that is not empty; fail when it takes too long."""
    for _ in range(round(_PATIENCE / _PAUSE)):
        found = look()
        if found:
            return found
        time.sleep(_PAUSE)
    raise AssertionError(f"not seen within {_PATIENCE:g}s: {what}")


class Program:
    """`controlplane serve` with a configuration, until the block ends."""

    def __init__(
        self,
        directory: Path,
        configuration: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        token: str = "",
    ) -> None:
        self.config = directory / "controlplane.yml"
        self.config.write_text(json.dumps(configuration))
        self._log = directory / "log"
        self._directory = directory
        self._environment = {**os.environ, **(environment or {})}
        if token:
            self._environment["CONTROLPLANE_API_TOKEN"] = token
        self.url = f"http://127.0.0.1:{free_port()}"
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=10)

    def __enter__(self) -> Self:
        words = ["serve", "--config", str(self.config), "--listen", self.url[7:]]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controlplane", *words, "--data-dir", "data"],
                cwd=self._directory,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._answers, f"an answer of the service; its log:\n{self.text()}")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.client.close()

    def stop(self) -> None:
        """End the service as an operator does, and wait for it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                assert self._process.wait(_PATIENCE) == 0, self.text()
            finally:
                self._process.kill()

    def hang_up(self) -> None:
        """Ask for a reload."""
        self._process.send_signal(signal.SIGHUP)

    def text(self) -> str:
        """Return all that the service has written."""
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines of one event."""
        lines = [json.loads(line) for line in self.text().splitlines()]
        return [line for line in lines if line["event"] == event]

    def get(self, path: str) -> Any:
        """Return what the API answers, decoded."""
        return self.client.get(path).raise_for_status().json()

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the service ended:\n{self.text()}")
        try:
            return self.client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False
