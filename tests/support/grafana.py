"""A stand-in for Grafana's API: folders, dashboards, search and a token, as documented."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "glsa_stand_in"

Answer = tuple[int, Any]


@dataclass(slots=True)
class GrafanaStandIn:
    """What it holds, and every request that changed something.

    `troubles` are answers given first, before what is asked is done.
    `fills_in` is put into every panel that is saved, as a Grafana fills in defaults.
    """

    url: str = ""
    folders: dict[str, str] = field(default_factory=dict)
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)
    placed: dict[str, str] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)
    troubles: list[int] = field(default_factory=list)
    fills_in: bool = True
    # Called with the uid of a dashboard that was just shown.
    then: Callable[[str], None] | None = None

    def put(self, model: dict[str, Any], folder: str = "") -> None:
        """Hold a dashboard as if somebody had saved it."""
        self.boards[model["uid"]] = {"id": 1, "version": 1, **model}
        self.placed[model["uid"]] = folder

    def answer(self, method: str, target: str, body: Any) -> Answer:
        """Return the status and the body of an answer."""
        if self.troubles:
            return self.troubles.pop(0), {"message": "not now"}
        parts = urlsplit(target)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        uid = re.fullmatch(r"/api/dashboards/uid/([\w-]{1,40})", parts.path)
        if method != "GET":
            self.changed.append(f"{method} {parts.path}")
        match method, parts.path:
            case "GET", "/api/folders":
                found = [{"uid": uid, "title": title} for uid, title in self.folders.items()]
                return 200, _page(found, asked)
            case "POST", "/api/folders":
                self.folders[body["uid"]] = body["title"]
                return 200, body
            case "GET", "/api/search":
                return 200, _page(self._tagged(asked["tag"]), asked)
            case "POST", "/api/dashboards/db":
                return self._save(body)
            case "GET", _ if uid:
                return self._show(uid[1])
            case "DELETE", _ if uid:
                there = self.boards.pop(uid[1], None)
                return (200, {}) if there else (404, {"message": "Dashboard not found"})
            case _:
                return 404, {"message": "Not found"}

    def _tagged(self, tag: str) -> list[dict[str, Any]]:
        return [{"uid": uid} for uid, model in self.boards.items() if tag in model["tags"]]

    def _show(self, uid: str) -> Answer:
        if uid not in self.boards:
            return 404, {"message": "Dashboard not found"}
        meta = {"folderUid": self.placed[uid], "provisioned": uid in self.provisioned}
        shown = {"dashboard": dict(self.boards[uid]), "meta": meta}
        if self.then is not None:
            self.then(uid)
        return 200, shown

    def _save(self, body: Any) -> Answer:
        model, uid = body["dashboard"], body["dashboard"]["uid"]
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        held = self.boards.get(uid)
        if uid in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if held and held["version"] != model["version"] and not body["overwrite"]:
            message = "The dashboard has been changed by someone else"
            return 412, {"status": "version-mismatch", "message": message}
        if self.fills_in:
            model["panels"] = [{"pluginVersion": "13.3.0", **panel} for panel in model["panels"]]
        version = held["version"] + 1 if held else 1
        self.boards[uid] = {**model, "id": len(self.boards) + 1, "version": version}
        self.placed[uid] = body["folderUid"]
        return 200, {"uid": uid, "version": version, "status": "success"}


@contextmanager
def grafana() -> Iterator[GrafanaStandIn]:
    """Serve a stand-in on loopback, in a thread of its own."""
    state = GrafanaStandIn()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(size)
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                status, body = 401, {"message": "Invalid API key"}
            else:
                body_in = json.loads(text) if text else None
                status, body = state.answer(self.command, self.path, body_in)
            encoded = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            if status == 429:
                self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - as the base class calls them

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(found: list[dict[str, Any]], asked: dict[str, str]) -> list[dict[str, Any]]:
    limit, page = int(asked["limit"]), int(asked["page"])
    return found[limit * (page - 1) : limit * page]
