"""The ASGI application: routers, the layers around them, the one error mapping."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from controlplane import __version__
from controlplane.api import health, otlp, probe
from controlplane.api.alertmanager import routes as alertmanager
from controlplane.api.alertmanager.answers import Malformed, on_malformed
from controlplane.api.connections import ConnectionLimits, ConnectionMetrics, bounded
from controlplane.api.fresh import FreshMiddleware
from controlplane.api.guard import GuardMiddleware
from controlplane.api.head import HeadMiddleware
from controlplane.api.leaving import Leaving, LeavingMiddleware
from controlplane.api.limits import LimitMiddleware, Limits
from controlplane.api.observe import HttpMetrics, ObserveMiddleware
from controlplane.api.problems import on_error, on_http_exception, on_validation_error
from controlplane.api.prometheus import (
    admin,
    expressions,
    federate,
    labels,
    metadata,
    process,
    query,
    rules,
    status,
    write,
)
from controlplane.api.responses import as_answered
from controlplane.api.roles import RoleMiddleware
from controlplane.api.status_host import StatusHostMiddleware
from controlplane.api.stream import sse, websocket
from controlplane.api.stream.encoded import Encoded
from controlplane.api.surface import Surface
from controlplane.api.throttle import Throttle, ThrottleMiddleware
from controlplane.api.v1 import (
    alerts,
    autoscaling,
    dead_letters,
    discovery,
    drills,
    incidents,
    interactions,
    jobs,
    maintenance,
    receivers,
    replicas,
    silences,
    targets,
    uptime,
)
from controlplane.auth.guard import Guard
from controlplane.errors import ControlPlaneError
from controlplane.model.share import Role

ROUTERS: Final = (
    targets.router,
    discovery.router,
    alerts.router,
    silences.router,
    dead_letters.router,
    receivers.router,
    drills.router,
    autoscaling.router,
    jobs.router,
    replicas.router,
    uptime.router,
    incidents.router,
    maintenance.router,
    interactions.router,
    sse.router,
    websocket.router,
    query.router,
    labels.router,
    rules.router,
    status.router,
    expressions.router,
    metadata.router,
    process.router,
    federate.router,
    admin.router,
    write.router,
    *alertmanager.ROUTERS,
    otlp.router,
    probe.router,
    health.router,
)


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made at the first asking."""
        if self.openapi_schema is None:
            self.openapi_schema = as_answered(super().openapi())
        return self.openapi_schema


def create_application(
    surface: Surface, guard: Guard, limits: Limits, throttle: Throttle
) -> FastAPI:
    """Return the application that answers with `surface`, to those whom `guard` admits."""
    leaving = Leaving()
    application = bare_application(
        # From the outside in: nothing is refused without an id and a line in the log.
        Middleware(ObserveMiddleware, metrics=HttpMetrics(surface.registry)),
        Middleware(LeavingMiddleware, leaving=leaving),
        Middleware(StatusHostMiddleware, at_host=surface.status_pages.at_host),
        Middleware(GuardMiddleware, guard=guard, clock=surface.clock),
        Middleware(
            RoleMiddleware,
            roles=", ".join(sorted(surface.roles)),
            serves=Role.API in surface.roles,
        ),
        Middleware(ThrottleMiddleware, throttle=throttle),
        Middleware(LimitMiddleware, limits=limits),
        Middleware(FreshMiddleware, fresh=surface.fresh),
        Middleware(HeadMiddleware),
    )
    application.state.surface = surface
    application.state.guard = guard
    application.state.leaving = leaving
    application.state.encoded = Encoded(sse.encode)
    application.state.sockets = websocket.Sockets(surface.registry)
    application.state.connections = ConnectionMetrics(surface.registry)
    return application


def protocol(application: FastAPI, limits: ConnectionLimits) -> type[HttpToolsProtocol]:
    """Return what uvicorn is to speak with the clients of an application."""
    return bounded(limits, application.state.connections)


def leave(application: FastAPI) -> None:
    """Have an application say that it is about to end, at `/ready` and in each answer."""
    application.state.leaving.begin()


def bare_application(*layers: Middleware) -> FastAPI:
    """Return the routes alone, within `layers`: enough to describe them, not to answer."""
    return _Application(
        title="controlplane",
        version=__version__,
        description="Targets, alerts and deliveries; Prometheus' API is under /prometheus, "
        "Alertmanager's under /alertmanager.",
        openapi_url="/api/v1/openapi.json",
        # Their pages load scripts from elsewhere; the document itself is enough.
        docs_url=None,
        redoc_url=None,
        middleware=list(layers),
        exception_handlers=_handlers(),
        # Including the routers would make each route, and what validates for it, a second time.
        routes=[route for router in ROUTERS for route in router.routes],
    )


def _handlers() -> dict[int | type[Exception], Any]:
    return {
        ControlPlaneError: on_error,
        Malformed: on_malformed,
        RequestValidationError: on_validation_error,
        HTTPException: on_http_exception,
    }
