"""The client against a real HTTP server that behaves well, badly, or not at all."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from controlplane import client

PATIENCE = 30
FAST = client.Pace(first_retry=0.02, longest_retry=0.05, refused_retry=0.02, timeout=1.0)


class ControlPlane(ThreadingHTTPServer):
    """Keeps targets as the real API does; a test puts answers before it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.targets: dict[str, Any] = {}
        self.created = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        if self.answers:
            return self.answers.pop(0)
        if path == "/api/v1/targets":
            self.created += 1
            key = f"id/{self.created}"
            self.targets = {key: body}
            return 201, {}, json.dumps({"id": key, **body}).encode()
        key = path.split("/")[4].replace("%2F", "/")
        if key not in self.targets:
            return 404, {}, b'{"detail": "there is no target"}'
        if method == "DELETE":
            del self.targets[key]
            return 204, {}, b""
        return 200, {}, b"{}"


class _Handler(BaseHTTPRequestHandler):
    server: ControlPlane

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        status, headers, answer = self.server.answer(self.command, self.path, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """Give a control plane that listens."""
    with ControlPlane() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _eventually(condition: Callable[[], bool]) -> None:
    for _ in range(round(PATIENCE / 0.01)):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"it did not happen within {PATIENCE} s")


def test_a_service_registers_with_all_it_says(control_plane: ControlPlane) -> None:
    """The POST carries every field that was given, and none that was not."""
    registration = client.register(
        "checkout",
        "http://10.0.0.5/health",
        base_url=control_plane.url + "/",
        token="t0ken",
        labels={"team": "shop"},
        metrics_url="http://10.0.0.5/metrics",
        dashboard="red",
        lease=None,
        pace=FAST,
    )
    assert registration.wait_until_registered(PATIENCE)
    method, path, headers, body = control_plane.requests[0]
    assert (method, path) == ("POST", "/api/v1/targets")
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Content-Type"] == "application/json"
    assert body == {
        "name": "checkout",
        "url": "http://10.0.0.5/health",
        "labels": {"team": "shop"},
        "metrics_url": "http://10.0.0.5/metrics",
        "dashboard": "red",
    }
    assert registration.target_id == "id/1"
    registration.close(deregister=False)


def test_a_lease_is_renewed_and_lost_targets_register_anew(control_plane: ControlPlane) -> None:
    """Renewals go on; after a 404 the same service is registered again."""
    registration = client.register(
        "a", address="h:1", base_url=control_plane.url, lease="30ms", pace=FAST
    )
    path = "/api/v1/targets/id%2F1/renew"
    _eventually(lambda: [r[1] for r in control_plane.requests].count(path) >= 3)
    control_plane.targets.clear()
    _eventually(lambda: registration.target_id == "id/2")
    assert [body["name"] for body in control_plane.targets.values()] == ["a"]
    registration.close()
    assert control_plane.targets == {}
    assert registration.target_id is None


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, {}, b'{"detail": "down"}'),
        (503, {"Retry-After": "0"}, b""),
        (429, {"Retry-After": "soon"}, b"not json"),
        (422, {}, b'{"detail": "there is no module"}'),
        (401, {}, b"[]"),
        (307, {"Location": "http://127.0.0.1:9/elsewhere"}, b""),
        (200, {}, b"<html>a proxy's page</html>"),
        (201, {}, b'{"id": 7}'),
    ],
)
def test_whatever_is_answered_it_tries_again(
    control_plane: ControlPlane, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Each bad answer is followed by another try, and never by an exception."""
    control_plane.answers = [(status, headers, body)] * 3
    registration = client.register("a", "http://a/", base_url=control_plane.url, pace=FAST)
    assert registration.wait_until_registered(PATIENCE)
    assert registration.last_error is None
    assert len(control_plane.requests) == 4
    registration.close()


def test_a_token_is_not_carried_to_another_place(control_plane: ControlPlane) -> None:
    """A redirect is an error: who follows it shows the token to somebody else."""
    with ControlPlane() as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        control_plane.answers = [(307, {"Location": f"{other.url}/api/v1/targets"}, b"")]
        registration = client.register(
            "a", "http://a/", base_url=control_plane.url, token="t0ken", pace=FAST
        )
        assert registration.wait_until_registered(PATIENCE)
        registration.close()
        other.shutdown()
        thread.join()
        assert other.requests == []


def test_a_control_plane_that_comes_up_late_is_found() -> None:
    """A service may start first: registration waits in the background."""
    with ControlPlane() as server:
        # Connections queue up and nobody answers until the server runs.
        impatient = client.Pace(first_retry=0.01, longest_retry=0.02, timeout=0.05)
        began = time.perf_counter()
        registration = client.register("a", "http://a/", base_url=server.url, pace=impatient)
        assert time.perf_counter() - began < 1.0
        _eventually(lambda: "timed out" in (registration.last_error or ""))
        assert registration.target_id is None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        assert registration.wait_until_registered(PATIENCE)
        registration.close()
        server.shutdown()
        thread.join()


def test_where_and_with_what_comes_from_the_environment(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONTROLPLANE_URL and the token's file are used, and the file is read anew each time."""
    token = tmp_path / "token"
    token.write_text("first\n")
    monkeypatch.setenv("CONTROLPLANE_URL", control_plane.url)
    monkeypatch.setenv("CONTROLPLANE_API_TOKEN_FILE", str(token))
    registration = client.register("a", "http://a/", lease="30ms", pace=FAST)
    assert registration.wait_until_registered(PATIENCE)
    assert control_plane.requests[0][2]["Authorization"] == "Bearer first"
    # As a rotation does it: at no moment is there an empty file.
    (tmp_path / "rotated").write_text("second\n")
    (tmp_path / "rotated").replace(token)
    _eventually(lambda: control_plane.requests[-1][2]["Authorization"] == "Bearer second")
    registration.close()


@pytest.mark.parametrize("base_url", ["ftp://x", "nonsense", "http://[broken", "http://a b/"])
def test_nonsense_is_logged_and_not_raised(base_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong address of the control plane harms nobody but the registration."""
    with caplog.at_level(logging.WARNING):
        registration = client.register(
            "a", "http://a/", base_url=base_url, token="t0ken", pace=FAST
        )
        _eventually(lambda: registration.last_error is not None)
    registration.close()
    assert "a: registration failed" in caplog.text
    assert "t0ken" not in caplog.text


def test_arguments_that_are_no_text_are_logged_and_not_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What JSON cannot say is a line in the log."""
    no_text: Any = object()
    registration = client.register("a", no_text, pace=FAST)
    _eventually(lambda: "is not registered" in caplog.text)
    registration.close()


def test_the_same_failure_is_one_warning(
    control_plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    """A control plane that is away for hours does not fill the service's log."""
    control_plane.answers = [(500, {}, b'{"detail": "down"}')] * 5
    with caplog.at_level(logging.WARNING):
        registration = client.register("a", "http://a/", base_url=control_plane.url, pace=FAST)
        assert registration.wait_until_registered(PATIENCE)
    registration.close()
    assert [record.getMessage() for record in caplog.records] == [
        "a: registration failed: 500: down"
    ]


def test_closing_before_anything_answered_is_quick() -> None:
    """Close waits for no backoff, and a second close does nothing."""
    slow = client.Pace(first_retry=60.0)
    registration = client.register("a", "http://a/", base_url="nonsense", pace=slow)
    _eventually(lambda: registration.last_error is not None)
    began = time.perf_counter()
    registration.close()
    registration.close()
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    ("lease", "seconds"), [("90s", 30.0), ("1m30s", 30.0), ("1w", 201_600.0), ("0s", None)]
)
def test_a_lease_is_renewed_thrice_in_its_length(lease: str, seconds: float | None) -> None:
    """Every unit of Prometheus' durations is understood."""
    assert client._seconds(lease) == seconds
    assert client._seconds("nonsense") is None
