"""`controlplane autoscale replay` against a real HTTP server that answers as the service does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from controlplane.cli.main import main


def track(hours: float, replicas: list[int]) -> dict[str, Any]:
    return {
        "replica_hours": hours,
        "over_threshold": "5m",
        "unknown": "0s",
        "least": min(replicas),
        "most": max(replicas),
        "changes": len(replicas) - 1,
        "replicas": [
            {"at": f"2026-01-01T00:{place:02}:00Z", "replicas": number}
            for place, number in enumerate(replicas)
        ],
    }


def replayed(policy: str, would: dict[str, Any], actual: dict[str, Any] | None) -> dict[str, Any]:
    times = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "step": "15s"}
    return {"policy": policy, **times, "would": would, "actual": actual}


class Service(ThreadingHTTPServer):
    """Answers every GET with `replays`, and keeps what was asked for."""

    replays: list[dict[str, Any]]
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        known = "/nobody/" not in self.path
        found = {"replays": self.server.replays}
        body = json.dumps(found if known else {"status": 404, "detail": "no policy"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    """Give a running service."""
    made = Service(("127.0.0.1", 0), _Handler)
    made.replays, made.asked = [], []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def replay(service: Service, *words: str) -> int:
    url = f"http://127.0.0.1:{service.server_address[1]}"
    return main(["autoscale", "replay", *words, "--url", url])


def test_two_policies_beside_what_happened(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happened stands once, then each policy, in columns."""
    actual = track(96.0, [4])
    service.replays = [
        replayed("shop", track(128.5, [4, 6]), actual),
        replayed("careful", track(99.0, [4, 5]), actual),
    ]
    assert replay(service, "shop", "--since", "7d", "--against", "careful") == 0
    assert service.asked == ["/api/v1/autoscaling/shop/replay?since=7d&against=careful"]
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z, a step each 15s",
        "                 replica-hours  over threshold  not known  least  most  changes",
        "(what happened)           96.0              5m         0s      4     4        0",
        "shop                     128.5              5m         0s      4     6        1",
        "careful                   99.0              5m         0s      4     5        1",
    ]


def test_changes_are_listed(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """The first of them, and how many more there are."""
    service.replays = [replayed("shop", track(1.0, list(range(1, 24))), None)]
    assert replay(service, "shop", "--changes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "(what happened)" not in "".join(lines)
    assert lines[4:6] == ["shop", "2026-01-01T00:00:00Z  1"]
    assert lines[-1] == "and 3 more"


def test_a_policy_that_is_not_there(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Is told, with exit code 1."""
    assert replay(service, "nobody") == 1
    assert "no policy" in capsys.readouterr().err
