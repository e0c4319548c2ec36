"""The table of pages, and how they are hung into the application."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controlplane.api.guard import PROGRAMS, WORKER
from controlplane.api.problems import kind_of
from controlplane.auth.guard import Guard
from controlplane.errors import ControlPlaneError, NotFound, Unavailable
from controlplane.telemetry.correlation import correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.ui.assets import PREFIX, Assets
from controlplane.ui.compression import compressed
from controlplane.ui.console import HEADERS, Console, Page, PageFunction
from controlplane.ui.pages import (
    alert,
    alerts,
    autoscaling,
    autoscaling_policy,
    incidents,
    jobs,
    login,
    overview,
    overview_cells,
    query,
    receivers,
    rule,
    rules,
    silence,
    silence_new,
    silences,
    status,
    system,
    target,
    target_form,
    targets,
)
from controlplane.ui.rendering import Templates

log = get_logger(__name__)

_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Place:
    """A path, and what is there: `show` on GET, `act` on POST."""

    path: str
    show: PageFunction | None = None
    act: PageFunction | None = None


PLACES: Final[Sequence[Place]] = (
    Place("/", overview.show),
    Place("/fleet", overview_cells.show),
    Place("/fleet/{cell}", overview_cells.follow),
    Place("/targets", targets.show, targets.act),
    Place("/targets/new", target_form.show_new, target_form.add),
    Place("/targets/{target_id}", target.show, target.act),
    Place("/targets/{target_id}/edit", target_form.show_edit, target_form.change),
    Place("/targets/{target_id}/delete", target_form.show_delete, target_form.delete),
    Place("/targets/{target_id}/probe", act=target.probe),
    Place("/query", query.show),
    Place("/alerts", alerts.show, alerts.act),
    Place("/alerts/{fingerprint}", alert.show),
    Place("/silences", silences.show),
    Place("/silences/new", silence_new.show, silence_new.act),
    Place("/silences/{silence_id}", silence.show, silence.act),
    Place("/rules", rules.show),
    Place("/rules/{rule_id}", rule.show),
    Place("/autoscaling", autoscaling.show),
    Place("/autoscaling/{policy}", autoscaling_policy.show),
    Place("/incidents", incidents.show, incidents.act),
    Place("/status/{page}.json", status.document),
    Place("/status/{page}", status.show),
    Place("/status/{page}/feed.xml", status.feed),
    Place("/status/{page}/badge/{service:path}.svg", status.badge),
    Place("/receivers", receivers.show, receivers.act),
    Place("/jobs", jobs.show, jobs.act),
    Place("/system", system.show, system.act),
    Place("/login", login.show, login.act),
    Place("/logout", act=login.leave),
)


def mount(application: Starlette, guard: Guard) -> None:
    """Hang all pages and files into the application."""
    console = Console(guard, Assets(), Templates())
    pages = [_route(console, place) for place in PLACES]
    pages.append(Route(PREFIX + "{path:path}", partial(_file, console.assets)))
    pages.append(Route(WORKER, partial(_worker, console.assets)))
    application.routes[:0] = pages
    told = application.exception_handlers[HTTPException]
    application.add_exception_handler(HTTPException, partial(_nowhere, console, told))


def _route(console: Console, place: Place) -> Route:
    methods = [m for m, f in (("GET", place.show), ("POST", place.act)) if f is not None]
    return Route(place.path, partial(_answer, console, place), methods=methods)


async def _nowhere(console: Console, told: Any, request: Request, error: Exception) -> Response:
    """Answer a browser that asked for a page that is not there; programs are told as ever."""
    accepts = "text/html" in request.headers.get("accept", "")
    missing = isinstance(error, HTTPException) and error.status_code == 404
    if missing and accepts and not request.url.path.startswith(PROGRAMS):
        return _trouble(Page(console, request), NotFound("there is no such page"))
    answer: Response = await told(request, error)
    return answer


async def _answer(console: Console, place: Place, request: Request) -> Response:
    """Answer by the page of a place; an error of ours becomes a page as well."""
    # Named in logs and metrics by its template, as the API's routes are.
    request.scope["route"] = place
    page = Page(console, request)
    function = place.act if request.method == "POST" else place.show
    try:
        if function is None:
            raise NotFound("there is no such page")
        return await function(page)
    except ControlPlaneError as error:
        return _trouble(page, error)


def _trouble(page: Page, error: ControlPlaneError) -> Response:
    kind, detail = kind_of(error), str(error)
    if type(error) is Unavailable:
        # Its words name hosts and files of ours.
        log.warning("a dependency does not answer", path=page.request.url.path, reason=detail)
        detail = page.say("Something that this page needs does not answer; the log says what.")
    context = {"title": kind.title, "detail": detail, "correlation_id": correlation_id()}
    return page.render("trouble.html", context, status=kind.status)


async def _file(assets: Assets, request: Request) -> Response:
    asset = assets.at(request.url.path)
    if asset is None:
        raise HTTPException(404)
    headers = {"cache-control": _FOREVER}
    return compressed(
        request, Response(asset.content, headers=headers, media_type=asset.media_type)
    )


async def _worker(assets: Assets, _request: Request) -> Response:
    """Serve the service worker, which must stand at the root and be looked at anew."""
    asset = assets.named("worker.js")
    if asset is None:
        raise HTTPException(404)
    headers = {**HEADERS, "cache-control": "no-cache"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)
