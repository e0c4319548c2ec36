"""What the service talks to: a receiver that misbehaves in turn, and a collector of traces."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def listening(answer: Answer) -> Iterator[str]:
    """Run an HTTP server that answers every request with `answer`; yield its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            answer(self, body)

        do_GET = do_POST  # noqa: N815 - the base's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"") -> None:
    """Answer one request."""
    handler.send_response(status)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Collector:
    """Takes traces as an OTLP/HTTP collector does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if handler.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        export = ExportTraceServiceRequest.FromString(body)
        for resource in export.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        say(handler, 200)

    def names(self, trace_id: int) -> set[str]:
        """Return the names of the spans of one trace."""
        wanted = trace_id.to_bytes(16)
        return {span.name for span in self.spans if span.trace_id == wanted}


class Counting:
    """Answers each request with `status`, and counts."""

    def __init__(self) -> None:
        self.status = 200
        self.requests = 0

    def answer(self, handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        self.requests += 1
        say(handler, self.status)


class Unkind:
    """A receiver that fails in another way each time, and repeats what it was sent."""

    def __init__(self) -> None:
        self._ways: Final = cycle((500, 400, 302, 0, 401, 429, 200))
        self.seen: set[int] = set()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        status = next(self._ways)
        self.seen.add(status)
        if not status:
            handler.close_connection = True
            return
        echo = f"{handler.path} {handler.headers.items()}".encode() + body
        if status == 302:
            handler.send_response(302)
            handler.send_header("location", handler.path + "/elsewhere")
            handler.send_header("content-length", "0")
            handler.end_headers()
            return
        say(handler, status, echo)
