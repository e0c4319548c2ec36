"""The real program in a process of its own, as an operator starts it."""

import json
import os
import signal
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
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(headers=headers, timeout=10)

    def __enter__(self) -> Self:
        words = ["serve", "--config", str(self.config), "--listen", "127.0.0.1:0"]
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
        """Return the log's lines of one event, of those that are written to their end."""
        *whole, _ = self.text().split("\n")
        lines = [json.loads(line) for line in whole]
        return [line for line in lines if line["event"] == event]

    def get(self, path: str) -> Any:
        """Return what the API answers, decoded."""
        return self.client.get(path).raise_for_status().json()

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the service ended:\n{self.text()}")
        serving = self.lines("serving")
        if not serving:
            return False
        self.client.base_url = f"http://{serving[0]['listen']}"
        try:
            return self.client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False
