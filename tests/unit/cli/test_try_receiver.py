"""`controlplane test receiver` against a real HTTP server that answers as the service does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from controlplane.cli.main import main


def attempt(outcome: str, code: int | None, reason: str | None = None) -> dict[str, Any]:
    detail = "" if reason is None else f"unexpected status code {code}"
    told = {"outcome": outcome, "status_code": code, "seconds": 0.0414}
    return {**told, "reason": reason, "detail": detail}


def trial(name: str, firing: dict[str, Any], **more: Any) -> dict[str, Any]:
    plain = {"integration": name, "firing": firing, "resolved": None, "resolve_pending": False}
    return {**plain, **more}


WELL = attempt("delivered", 202)
ANSWERS: dict[str, tuple[int, Any]] = {
    "good": (
        200,
        {"delivered": True, "integrations": [trial("webhook/0", WELL, resolved=WELL)]},
    ),
    "bad%20one": (
        200,
        {
            "delivered": False,
            "integrations": [
                trial("slack/0", attempt("refused", 403, "authError")),
                trial(
                    "pagerduty/0",
                    attempt("unknown", None, "contextDeadlineExceeded"),
                    resolve_pending=True,
                ),
            ],
        },
    ),
    "mute": (200, {"delivered": False, "integrations": []}),
    "often": (429, {"status": 429, "title": "Asked for too often", "detail": "tested just now"}),
}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        name = self.path.removeprefix("/api/v1/receivers/").removesuffix("/test")
        missing = {"status": 404, "detail": f"there is no receiver '{name}'"}
        status, body = ANSWERS.get(name, (404, missing))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    """Give the address of the service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_arrived_is_told_line_by_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each attempt with outcome, status code and time; 0 when all was told."""
    assert main(["test", "receiver", "good", "--url", url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "good/webhook/0  firing    delivered  202  0.041 s",
        "good/webhook/0  resolved  delivered  202  0.041 s",
    ]


def test_what_did_not_is_an_error(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason, and what is still under way; 1."""
    assert main(["test", "receiver", "bad one", "--url", url]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "bad one/slack/0      firing    refused    403  0.041 s  "
        "authError: unexpected status code 403",
        "bad one/pagerduty/0  firing    unknown    -    0.041 s  "
        "contextDeadlineExceeded: unexpected status code None",
        "bad one/pagerduty/0  resolved  is told until it arrives",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mute", "has no integrations: it tells nobody"),
        ("often", "tested just now"),
        ("gone", "there is no receiver 'gone'"),
    ],
)
def test_what_cannot_be_tested_says_why(
    name: str, words: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the service's own words; 1."""
    assert main(["test", "receiver", name, "--url", url]) == 1
    assert words in capsys.readouterr().err
