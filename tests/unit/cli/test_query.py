"""`controlplane query` against a real HTTP server that answers as the service does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from controlplane.cli.main import main

VECTOR = {
    "status": "success",
    "data": {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "up", "job": "a"}, "value": [12.5, "1"]}],
    },
    "warnings": ["PromQL warning: careful"],
}


class Service(ThreadingHTTPServer):
    """Answers every POST with `body`, and keeps what it was asked."""

    body: Any = VECTOR
    asked = ""
    token = ""


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.server.asked = self.rfile.read(size).decode()
        self.server.token = self.headers.get("Authorization", "")
        body = json.dumps(self.server.body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[Service]:
    """Yield a running server on a free port."""
    server = Service(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _url(service: Service) -> str:
    return f"http://127.0.0.1:{service.server_address[1]}"


def test_a_vector_is_printed_as_promtool_does(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a series, warnings before them, the time passed on."""
    assert main(["query", "up", "--url", _url(service), "--time", "12.5"]) == 0
    assert capsys.readouterr().out == ('# PromQL warning: careful\nup{job="a"} => 1 @[12.5]\n')
    assert service.asked == "query=up&time=12.5"


def test_an_error_ends_with_its_words(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """What the service refuses is told on stderr, exit code 1."""
    service.body = {"status": "error", "errorType": "bad_data", "error": "1:3: parse error"}
    assert main(["query", "up{", "--url", _url(service)]) == 1
    assert "1:3: parse error" in capsys.readouterr().err


def test_the_token_is_sent(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of the environment goes along, and is not printed."""
    monkeypatch.setenv("CONTROLPLANE_API_TOKEN", "s3cret")
    assert main(["query", "up", "--url", _url(service)]) == 0
    assert service.token == "Bearer s3cret"


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A service that does not answer is named, exit code 1."""
    assert main(["query", "up", "--url", "http://127.0.0.1:1"]) == 1
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err
