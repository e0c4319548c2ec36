"""Status pages: for the public, without scripts, kept by caches in between."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from babel.dates import format_date
from babel.numbers import format_decimal
from markupsafe import Markup
from starlette.responses import Response

from controlplane.api.tagged import is_known
from controlplane.clock import Duration
from controlplane.errors import NotFound
from controlplane.model.duration import MINUTE
from controlplane.ui import drawing
from controlplane.ui.compression import packed, takes_packed
from controlplane.ui.console import HEADERS, Page
from controlplane.ui.pages.status_texts import badge_of, feed_of, page_document
from controlplane.ui.shelves import STATUS
from controlplane.ui.times import in_words
from controlplane.uptime.reading import Bar
from controlplane.uptime.view import PageView, ServiceState, ServiceView

# Caches may show it for a while, and for long when we do not answer.
_CACHE: Final = "public, max-age=15, stale-while-revalidate=60, stale-if-error=86400"
# Older than this, what the database knew is told to be old.
_OLD: Final[Duration] = 3 * MINUTE
# Of a day that was down for less than this share the colour is the milder one.
_MILD: Final = 0.05


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service as the page has it: its uptime in words, empty when nothing is known; bars."""

    name: str
    state: ServiceState
    uptime: str
    bars: Markup


async def show(page: Page) -> Response:
    """Show a status page."""
    response = await _public(page, "text/html; charset=utf-8", partial(_text, page))
    response.headers["content-security-policy"] = HEADERS["content-security-policy"]
    response.headers["referrer-policy"] = HEADERS["referrer-policy"]
    response.headers["x-frame-options"] = HEADERS["x-frame-options"]
    response.headers["content-language"] = page.language.code
    return response


def _text(page: Page) -> str:
    view = _view(page)
    services = {
        group.name: [_line(page, service) for service in group.services] for group in view.groups
    }
    context = {
        "view": view,
        "services": services,
        "wholes": {group.name: _line(page, group.whole) for group in view.groups},
        "states": _state_words(page),
        "stages": _stage_words(page),
        "headline": _headline(page, view.state),
        "old": view.read_at if page.now - view.read_at > _OLD else None,
        "base": f"/status/{view.name}",
        "asset": page.console.assets.url,
        "language": page.language,
        "at": page.at,
        # To the minute: until it is over, a cache need not be told anything new.
        "as_of": view.at - view.at % MINUTE,
    }
    return page.console.templates.render("status.html", page.language, context)


async def document(page: Page) -> Response:
    """Return a status page as JSON, for any other page's script to read."""
    response = await _public(
        page, "application/json", lambda: json.dumps(page_document(_view(page)))
    )
    response.headers["access-control-allow-origin"] = "*"
    return response


async def feed(page: Page) -> Response:
    """Return the incidents of a status page as RSS."""

    def text() -> str:
        view = _view(page)
        return feed_of(view, _address(page, view.name))

    return await _public(page, "application/rss+xml", text)


async def badge(page: Page) -> Response:
    """Return the state of a service as a small picture, or its uptime with `?show=uptime`."""

    def text() -> str:
        view, name = _view(page), page.request.path_params["service"]
        service = view.service(name)
        if service is None:
            raise NotFound(f"there is no service {name!r}")
        words = _state_words(page)[service.state]
        if _shows_uptime(page):
            words = percent(page, service.ratio) or words
        return badge_of(name, words, service.state)

    return await _public(page, "image/svg+xml", text)


def _shows_uptime(page: Page) -> bool:
    return page.request.query_params.get("show") == "uptime"


def day_bar(page: Page, bar: Bar) -> drawing.Bar:
    """Return the drawing of a day: how long it was down decides, and is said."""
    day = format_date(datetime.fromtimestamp(bar.start / 1000, UTC), locale=page.language.locale)
    known = bar.up + bar.down
    if not known:
        if bar.maintenance:
            return drawing.Bar("maintenance", f"{day}: {page.say('planned maintenance')}")
        return drawing.Bar("unknown", f"{day}: {page.say('nothing is known')}")
    words = f"{day}: {percent(page, bar.ratio)}"
    if bar.maintenance:
        words += f", {page.say('planned maintenance')} {_long(page, bar.maintenance)}"
    if not bar.down:
        return drawing.Bar("up", words)
    words += f", {page.say('down for')} {_long(page, bar.down)}"
    share = bar.down / known
    return drawing.Bar("degraded" if share < _MILD else "down", words, share)


def percent(page: Page, ratio: float | None) -> str:
    """Return an uptime in per cent, never rounded up to a whole hundred."""
    if ratio is None:
        return ""
    shown = min(ratio * 100, 99.99) if ratio < 1 else 100.0
    return f"{format_decimal(shown, '0.##', locale=page.language.locale)} %"


def _line(page: Page, service: ServiceView) -> ServiceLine:
    spans = [day_bar(page, bar) for bar in service.bars]
    title = page.say("Uptime of each of the last 90 days")
    uptime = percent(page, service.ratio)
    return ServiceLine(service.name, service.state, uptime, drawing.bars(spans, title=title))


def _view(page: Page) -> PageView:
    return page.on.status_pages.view(page.request.path_params["page"])


@dataclass(frozen=True, slots=True)
class _Made:
    """A page as it is sent, plain and packed, and what tells it from an older one."""

    plain: bytes
    packed: bytes
    tag: str


async def _public(page: Page, media_type: str, make: Callable[[], str]) -> Response:
    """Return what anybody may see and keep; nothing of it when the reader has it already."""

    async def fill() -> _Made:
        plain = make().encode()
        tag = hashlib.sha256(plain).hexdigest()[:24]
        return _Made(plain, packed(plain), f'W/"{tag}"')

    key = f"{page.request.url.path} {page.language.code} {_shows_uptime(page)}"
    made = await page.on.cache.get(STATUS, key, fill)
    headers = {
        "cache-control": _CACHE,
        "etag": made.tag,
        "x-content-type-options": "nosniff",
        "vary": "accept-language, accept-encoding",
    }
    if is_known(page.request.headers.get("if-none-match", ""), made.tag):
        return Response(status_code=304, headers=headers)
    if made.packed and takes_packed(page.request):
        headers["content-encoding"] = "gzip"
        return Response(made.packed, media_type=media_type, headers=headers)
    return Response(made.plain, media_type=media_type, headers=headers)


def _address(page: Page, name: str) -> str:
    """Return the address of a page as its readers have it."""
    base = page.on.flags["web.external-url"].rstrip("/")
    host = page.on.status_pages.host_of(name)
    return f"{urlsplit(base).scheme}://{host}/" if host else f"{base}/status/{name}"


def _long(page: Page, seconds: float) -> str:
    return in_words(round(seconds * 1000), page.language.locale)


def _state_words(page: Page) -> Mapping[ServiceState, str]:
    return {
        ServiceState.OPERATIONAL: page.say("operational"),
        ServiceState.DEGRADED: page.say("degraded"),
        ServiceState.DOWN: page.say("down"),
        ServiceState.MAINTENANCE: page.say("maintenance"),
        ServiceState.UNKNOWN: page.say("unknown"),
    }


def _stage_words(page: Page) -> Mapping[str, str]:
    return {
        "investigating": page.say("Investigating"),
        "identified": page.say("Identified"),
        "monitoring": page.say("Monitoring"),
        "resolved": page.say("Resolved"),
    }


def _headline(page: Page, state: ServiceState) -> str:
    return {
        ServiceState.OPERATIONAL: page.say("All services are operational"),
        ServiceState.DEGRADED: page.say("Some services have problems"),
        ServiceState.DOWN: page.say("All services are down"),
        ServiceState.MAINTENANCE: page.say("Maintenance is under way"),
        ServiceState.UNKNOWN: page.say("The state of the services is not known yet"),
    }[state]
