"""What a page is given: the request with its reader, and the ways to answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, unquote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from controlplane.api.guard import actor, session_cookie
from controlplane.api.status_host import PREFIX as PUBLIC
from controlplane.api.surface import Surface, surface
from controlplane.auth.guard import CSRF_FIELD, Guard
from controlplane.clock import Duration, Timestamp
from controlplane.ui import times
from controlplane.ui.assets import Assets
from controlplane.ui.compression import compressed
from controlplane.ui.kept import Kept
from controlplane.ui.language import LANGUAGES, Language, chosen
from controlplane.ui.rendering import Templates

LANGUAGE_COOKIE: Final = "controlplane_language"
_YEAR_SECONDS: Final = 31_536_000
_FLASH_COOKIE: Final = "controlplane_flash"
_FLASH_SECONDS: Final = 30
# Nothing from elsewhere, nothing inline, in nobody's frame.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Console:
    """What all pages share. `live` is false where the third-party scripts were not built."""

    guard: Guard
    assets: Assets
    templates: Templates
    kept: Kept = field(default_factory=Kept)

    @property
    def live(self) -> bool:
        return bool(self.assets.url("vendor/htmx.min.js"))


class Page:
    """One request for a page. Made anew for each."""

    def __init__(self, console: Console, request: Request) -> None:
        self.console = console
        self.request = request

    @cached_property
    def on(self) -> Surface:
        """The service behind the API."""
        return surface(self.request)

    @cached_property
    def now(self) -> Timestamp:
        return self.on.clock.now()

    @cached_property
    def language(self) -> Language:
        asked = self.request.query_params.get("lang", "")
        kept = "" if self._for_everybody else self.request.cookies.get(LANGUAGE_COOKIE, "")
        wanted = asked if asked in LANGUAGES else kept
        return chosen(wanted, self.request.headers.get("accept-language", ""))

    @property
    def _for_everybody(self) -> bool:
        """Status pages are kept by caches, which do not tell readers apart by their cookies."""
        return self.request.url.path.startswith(PUBLIC)

    @property
    def actor(self) -> str:
        """The name that stands beside what this request changes."""
        return actor(self.request)

    @property
    def part(self) -> str:
        """The block of the page that a script asks for alone, empty for the whole page."""
        return self.request.query_params.get("part", "")

    def render(self, name: str, context: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
        """Return a template as a page, or the one block of it that was asked for."""
        text = self.console.templates.render(
            name, self.language, {**self._common(), **context}, self.part
        )
        response = HTMLResponse(text, status_code=status, headers=dict(HEADERS))
        compressed(self.request, response)
        asked = self.request.query_params.get("lang")
        if asked == self.language.code and not self._for_everybody:
            response.set_cookie(
                LANGUAGE_COOKIE, self.language.code, max_age=_YEAR_SECONDS, samesite="strict"
            )
        if _FLASH_COOKIE in self.request.cookies and not self.part:
            response.delete_cookie(_FLASH_COOKIE)
        return response

    def redirect(self, path: str, said: str = "") -> Response:
        """Send the reader to a page of ours, which says once what was done."""
        response = RedirectResponse(path, status_code=303, headers=dict(HEADERS))
        if said:
            response.set_cookie(
                _FLASH_COOKIE,
                quote(said[:300]),
                max_age=_FLASH_SECONDS,
                httponly=True,
                samesite="strict",
                secure=self.secure,
            )
        return response

    @property
    def secure(self) -> bool:
        """Tell whether the reader came by HTTPS, as the address of all links says."""
        return self.request.url.scheme == "https"

    def say(self, text: str) -> str:
        """Return a text in the reader's language."""
        return self.language.words.gettext(text)

    def ago(self, time: Timestamp) -> Markup:
        """Return an instant as how long ago it is."""
        return times.time_tag(time, self.now, self.language.locale)

    def at(self, time: Timestamp) -> Markup:
        """Return an instant as it is."""
        return times.time_tag(time, self.now, self.language.locale, exact=True)

    def words(self, duration: Duration) -> str:
        """Return a duration in words."""
        return times.in_words(duration, self.language.locale)

    def form_token(self) -> str:
        """Return what a form of this reader has to bring."""
        return self.console.guard.form_token(session_cookie(self.request.headers), self.now)

    def _common(self) -> Mapping[str, Any]:
        """Return what the frame around every page shows."""
        return {
            "csrf": {"name": CSRF_FIELD, "value": self.form_token()},
            "asset": self.console.assets.url,
            "live": self.console.live,
            "actor": self.actor,
            "logs_in": self.console.guard.token is not None,
            "language": self.language,
            "languages": LANGUAGES,
            "path": self.request.url.path,
            "params": self.request.query_params,
            "position": self.on.bus.position,
            "flash": unquote(self.request.cookies.get(_FLASH_COOKIE, "")),
            "now": self.now,
            "ago": self.ago,
            "at": self.at,
            "words": self.words,
        }


# A page: what it answers a GET with, or does on a POST.
PageFunction = Callable[[Page], Awaitable[Response]]
