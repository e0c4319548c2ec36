"""Grafana's HTTP API, as far as dashboards need it, by httpx; what may pass is tried again.

Read after Grafana's documentation of the dashboard, folder and search APIs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from controlplane.clock import Clock
from controlplane.errors import Conflict, Forbidden, InvalidInput, Unauthorized, Unavailable
from controlplane.grafana.ports import Board, Held
from controlplane.model.secret import Secret

TIMEOUT_SECONDS: Final = 30.0
_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_PAGE: Final = 1000
_MOST_PAGES: Final = 100


class GrafanaClient:
    """A Grafana by the address of its API. `client` has the base URL and ends with its owner."""

    def __init__(self, client: httpx.AsyncClient, token: Secret, clock: Clock) -> None:
        self._client = client
        self._token = token
        self._clock = clock

    async def folders(self) -> Mapping[str, str]:
        """Return the titles of the top folders by their uids."""
        found: dict[str, str] = {}
        for page in range(1, _MOST_PAGES + 1):
            got = await self._get("/api/folders", limit=_PAGE, page=page)
            found |= {str(each["uid"]): str(each["title"]) for each in got}
            if len(got) < _PAGE:
                break
        return found

    async def make_folder(self, uid: str, title: str) -> None:
        """Make a folder. Raises Conflict when its title is taken."""
        await self._send("POST", "/api/folders", json={"uid": uid, "title": title})

    async def tagged(self, tag: str) -> Sequence[str]:
        """Return the uids of all dashboards with a tag."""
        found: list[str] = []
        for page in range(1, _MOST_PAGES + 1):
            asked = {"type": "dash-db", "tag": tag, "limit": _PAGE, "page": page}
            got = await self._get("/api/search", **asked)
            found += [str(each["uid"]) for each in got]
            if len(got) < _PAGE:
                break
        return found

    async def board(self, uid: str) -> Held | None:
        """Return a dashboard, or None where there is none."""
        response = await self._send("GET", f"/api/dashboards/uid/{uid}", missing=True)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        body = _decoded(response)
        model, meta = body.get("dashboard"), body.get("meta") or {}
        if not isinstance(model, dict):
            raise Unavailable(f"Grafana does not say what the dashboard {uid!r} is")
        board = Board(uid, str(meta.get("folderUid") or ""), model)
        return Held(board, int(model.get("version") or 0), bool(meta.get("provisioned")))

    async def save(self, board: Board, version: int | None) -> None:
        """Make a dashboard, or put it in the place of a version of itself."""
        model = {**board.model, "id": None, "version": version or 0}
        body = {
            "dashboard": model,
            "folderUid": board.folder,
            "overwrite": False,
            "message": "controlplane grafana sync",
        }
        await self._send("POST", "/api/dashboards/db", json=body)

    async def delete(self, uid: str) -> None:
        """Remove a dashboard; one that is gone already is no error."""
        await self._send("DELETE", f"/api/dashboards/uid/{uid}", missing=True)

    async def _get(self, path: str, **parameters: Any) -> list[Any]:
        body = _decoded(await self._send("GET", path, params=parameters))
        if not isinstance(body, list):
            raise Unavailable(f"Grafana answers {path} with something else than a list")
        return body

    async def _send(
        self, method: str, path: str, *, missing: bool = False, **options: Any
    ) -> httpx.Response:
        """Return a good answer, with `missing` a 404 too; raise what another one stands for."""
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = await self._client.request(
                    method, path, headers=self._headers(), timeout=TIMEOUT_SECONDS, **options
                )
            except httpx.TransportError as error:
                trouble = f"{self._client.base_url} does not answer: {error}"
                asked = None
            else:
                if response.status_code not in _PASSING:
                    return _accepted(response, missing=missing)
                trouble = f"{method} {path}: {_said(response)}"
                asked = _retry_after(response)
            if attempt < _ATTEMPTS:
                await self._clock.sleep(min(pause if asked is None else asked, _LONGEST_PAUSE))
                pause *= 2
        raise Unavailable(f"{trouble} ({_ATTEMPTS} attempts)")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.reveal()}", "Accept": "application/json"}


def _accepted(response: httpx.Response, *, missing: bool) -> httpx.Response:
    code = response.status_code
    if response.is_success or (missing and code == httpx.codes.NOT_FOUND):
        return response
    said = f"{response.request.method} {response.request.url.path}: {_said(response)}"
    if code == httpx.codes.UNAUTHORIZED:
        raise Unauthorized(f"{said}: the token is not valid there")
    if code == httpx.codes.FORBIDDEN:
        raise Forbidden(f"{said}: the token's service account needs the role Editor")
    if code in (httpx.codes.CONFLICT, httpx.codes.PRECONDITION_FAILED):
        raise Conflict(said)
    if response.is_redirect:
        raise InvalidInput(f"{said}: give the address that it leads to")
    raise InvalidInput(said)


def _said(response: httpx.Response) -> str:
    """Return the status and what Grafana says of it."""
    try:
        body = response.json()
    except ValueError:
        body = None
    message = body.get("message") if isinstance(body, dict) else None
    return f"{response.status_code} {message or response.reason_phrase}".strip()


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that a Retry-After asks for; a date is not read."""
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else None


def _decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise Unavailable(f"{response.request.url.path} is not answered as Grafana does") from None
