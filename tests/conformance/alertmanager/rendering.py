"""Templates as a real Alertmanager renders them: one process, a Slack receiver for each.

A webhook has no templates of its own in 0.25, so each is the text of a Slack
message; what could not be rendered stands in the log.
"""

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx

from controlplane.clock import SystemClock
from controlplane.model.alert import Alert
from controlplane.model.duration import format_time
from tests.support.alertmanager import ALERTMANAGER

RECEIVER: Final = "on call"
EXTERNAL_URL: Final = "http://alertmanager.example/path"
GROUP_BY: Final = ("job", "run")
_SECONDS: Final = 60.0
_FAILED: Final = "unrecoverable error after 1 attempts: "
_NAME: Final = re.compile(re.escape(RECEIVER) + r"/slack\[(\d+)\]: ")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a template gave: a text, or the error that it ended with."""

    text: str = ""
    error: str = ""


@dataclass
class RealAlertmanager:
    """Renders batches of templates: each is a configuration of its own, loaded on the fly."""

    directory: Path
    url: str
    slack: str
    texts: Mapping[str, str]
    runs: int = 0
    _read: int = 0
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=20))

    @property
    def run(self) -> str:
        """The value of the label `run` that the next alerts to be rendered must have."""
        return str(self.runs + 1)

    def render(self, templates: Sequence[str], alerts: Sequence[Alert]) -> list[Rendered]:
        """Return what each of the templates makes of the alerts, which are one group.

        Empty when Alertmanager told before it had heard of all of them: of an
        alert that began long ago it tells at once. Then it is to be asked anew.
        """
        *found, counted = self._run([*templates, "{{ len .Alerts }}"], alerts)
        return found if counted.text == str(len(alerts)) else []

    def _run(self, templates: Sequence[str], alerts: Sequence[Alert]) -> list[Rendered]:
        self.runs += 1
        self._read = len(self._log())
        write_configuration(self.directory, self._configuration(templates))
        answer = self._client.post(f"{self.url}/-/reload")
        assert answer.is_success, answer.text
        body = [_posted(alert) for alert in alerts]
        answer = self._client.post(f"{self.url}/api/v2/alerts", json=body)
        assert answer.is_success, answer.text
        return self._wait(len(templates))

    def _configuration(self, templates: Sequence[str]) -> dict[str, Any]:
        entries = [
            {
                "api_url": f"{self.slack}/{self.runs}/{place}",
                "channel": "#c",
                "text": template,
                "send_resolved": True,
            }
            for place, template in enumerate(templates)
        ]
        return {
            "route": {
                "receiver": RECEIVER,
                "group_by": list(GROUP_BY),
                "group_wait": "100ms",
                "group_interval": "1h",
                # Alerts of earlier runs are grouped anew: nobody is told of them.
                "routes": [{"receiver": "nobody", "matchers": [f'run!="{self.runs}"']}],
            },
            "receivers": [{"name": RECEIVER, "slack_configs": entries}, {"name": "nobody"}],
        }

    def _wait(self, count: int) -> list[Rendered]:
        found: list[Rendered | None] = []
        for _ in _patiently():
            errors = _errors(self._log()[self._read :])
            found = [self._found(place, errors) for place in range(count)]
            if None not in found:
                return [each for each in found if each is not None]
        raise AssertionError(f"no answer from {found.index(None)}: {self._log()[self._read :]}")

    def _found(self, place: int, errors: Mapping[int, str]) -> Rendered | None:
        text = self.texts.get(f"/{self.runs}/{place}")
        if text is not None:
            return Rendered(text)
        return Rendered(error=errors[place]) if place in errors else None

    def _log(self) -> str:
        return (self.directory / "log").read_text()


def _patiently() -> Iterator[None]:
    """Come back every now and then, not for ever."""
    clock = SystemClock()
    until = clock.monotonic() + _SECONDS
    while clock.monotonic() < until:
        yield
        threading.Event().wait(0.02)


def _errors(log: str) -> dict[int, str]:
    """Return the errors that a log tells, by the place of their template."""
    found: dict[int, str] = {}
    for line in log.splitlines(keepends=True):
        told = json.loads(line) if line.endswith("\n") else {}
        if told.get("msg") == "Notify for alerts failed":
            _, *parts = _NAME.split(told["err"])
            for place, text in zip(parts[::2], parts[1::2], strict=True):
                found[int(place)] = text.partition(_FAILED)[2].removesuffix("; ")
    return found


def _posted(alert: Alert) -> dict[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": format_time(alert.starts_at),
        "endsAt": format_time(alert.ends_at),
        "generatorURL": alert.generator_url,
    }


def write_configuration(directory: Path, configuration: Mapping[str, Any]) -> None:
    """Write what the Alertmanager reads when it is told to."""
    (directory / "alertmanager.yml").write_text(json.dumps(configuration))


@contextmanager
def slack_stand_in() -> Iterator[tuple[str, Mapping[str, str]]]:
    """Give the address of a server that takes messages, and their texts by path."""
    texts: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            texts[self.path] = body["attachments"][0].get("text", "")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", texts
        server.shutdown()


@contextmanager
def real_alertmanager(directory: Path) -> Iterator[RealAlertmanager]:
    """Start an Alertmanager that renders, for the length of a block."""
    assert ALERTMANAGER is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    write_configuration(directory, {"route": {"receiver": "x"}, "receivers": [{"name": "x"}]})
    command = [
        ALERTMANAGER,
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address={address}",
        f"--web.external-url={EXTERNAL_URL}",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
        "--log.format=json",
    ]
    log = (directory / "log").open("w")
    with log, slack_stand_in() as (slack, texts), subprocess.Popen(command, stderr=log) as process:
        try:
            _await_ready(f"http://{address}", process)
            yield RealAlertmanager(directory, f"http://{address}", slack, texts)
        finally:
            process.kill()


def _await_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in _patiently():
            assert process.poll() is None, "the Alertmanager ended"
            try:
                if client.get(f"{url}/-/ready").is_success:
                    return
            except httpx.TransportError:
                continue
    raise AssertionError("the Alertmanager is not ready")
