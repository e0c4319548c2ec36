"""How commands ask a running service: where it listens, and with which token."""

import argparse
import os
from pathlib import Path
from typing import Any, Final

import httpx

from controlplane.errors import InvalidInput, NotFound, Unavailable

_SECONDS: Final = 125.0


def add_url(parser: argparse.ArgumentParser) -> None:
    """Declare `--url`."""
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the service listens")


def request(method: str, url: str, path: str, **options: Any) -> Any:
    """Return what the service answers, decoded, whatever its status. Raises Unavailable."""
    base = url.rstrip("/")
    try:
        answer = httpx.request(
            method, f"{base}{path}", headers=_headers(), timeout=_SECONDS, **options
        )
        return answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Unavailable(f"{base} does not answer as the service does: {error}") from None


def get(url: str, path: str, **parameters: Any) -> Any:
    """Return what `/api/v1` answers to a GET. Raises NotFound, InvalidInput, Unavailable."""
    return _accepted(request("GET", url, path, params=parameters))


def post(url: str, path: str) -> Any:
    """Return what `/api/v1` answers to a POST without a body. Raises as `get` does."""
    return _accepted(request("POST", url, path))


def _accepted(body: Any) -> Any:
    """Return an answer that is no problem; raise what a problem stands for."""
    status = body.get("status") if isinstance(body, dict) else None
    if isinstance(status, int) and status >= 400:
        kind = NotFound if status == 404 else InvalidInput
        raise kind(str(body.get("detail") or body.get("title")))
    return body


def _headers() -> dict[str, str]:
    token = os.environ.get("CONTROLPLANE_API_TOKEN", "")
    path = os.environ.get("CONTROLPLANE_API_TOKEN_FILE", "")
    if not token and path:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Unavailable(f"CONTROLPLANE_API_TOKEN_FILE: {error.strerror}: {path}") from None
    return {"Authorization": f"Bearer {token}"} if token else {}
