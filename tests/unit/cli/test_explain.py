"""`controlplane explain` against a real HTTP server that answers as the service does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from controlplane.cli.main import main

ONE, TWO = "1" * 16, "2" * 16


def entry(at: str, what: str, because: str) -> dict[str, Any]:
    return {"at": at, "what": what, "because": because}


STORIES = {
    ONE: {
        "alert": {"labels": {"alertname": "Down", "job": "a"}, "state": "firing"},
        "entries": [
            entry("2026-01-01T00:00:00Z", "it began to fire", "its condition holds"),
            entry("2026-01-01T00:00:01Z", "ops/slack/0 is not told", "silenced by mia"),
        ],
    },
    TWO: {"alert": None, "entries": [entry("2026-01-02T00:00:00Z", "it ended", "so it was said")]},
}


class Service(ThreadingHTTPServer):
    """Answers for two alerts; `selectors` holds what lists were asked for."""

    found: tuple[str, ...] = (ONE, TWO)
    more: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.selectors: list[str] = []

    def answer(self, path: str) -> tuple[int, Any]:
        parts = urlsplit(path)
        if parts.path == "/api/v1/alerts":
            self.selectors += parse_qs(parts.query)["match[]"]
            return 200, {
                "items": [{"fingerprint": name} for name in self.found],
                "next_cursor": self.more,
            }
        name = parts.path.split("/")[-2]
        if name in STORIES:
            return 200, STORIES[name]
        return 404, {"status": 404, "title": "Not found", "detail": f"there is no alert '{name}'"}


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        status, answer = self.server.answer(self.path)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[Service]:
    """Yield a running server on a free port."""
    server = Service()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def explain(service: Service, *about: str) -> int:
    return main(["explain", *about, "--url", f"http://127.0.0.1:{service.server_port}"])


def test_a_fingerprint(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """The alert, then a line for each entry of its story."""
    assert explain(service, ONE) == 0
    assert capsys.readouterr().out.splitlines() == [
        '1111111111111111 {alertname="Down", job="a"} firing',
        "2026-01-01T00:00:00Z  it began to fire: its condition holds",
        "2026-01-01T00:00:01Z  ops/slack/0 is not told: silenced by mia",
    ]


def test_labels(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Every alert that has them, also one of which only the story is left."""
    assert explain(service, "job=a", 'path=C:\\"x"') == 0
    assert service.selectors == ['{job="a",path="C:\\\\\\"x\\""}']
    blocks = capsys.readouterr().out.split("\n\n")
    assert blocks[1].splitlines()[0] == TWO


def test_no_such_alert(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """By fingerprint or by labels: code 1, and a sentence."""
    assert explain(service, "3" * 16) == 1
    assert "there is no alert" in capsys.readouterr().err
    service.found = ()
    assert explain(service, "job=b") == 1
    assert 'there is no alert {job="b"}' in capsys.readouterr().err


def test_too_many_alerts(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody reads a hundred stories: more labels are asked for."""
    service.more = "next"
    assert explain(service, "job=a") == 1
    assert "name more labels" in capsys.readouterr().err


def test_neither_a_fingerprint_nor_a_label(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bare word is refused."""
    assert explain(service, "Down") == 1
    assert "neither a fingerprint nor LABEL=VALUE" in capsys.readouterr().err
