"""What kind of request a path is: for limits."""

from typing import Final

from controlplane.api.observe import INGEST
from controlplane.auth.limits import Limited

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# What watches over us, and files that are kept by browsers anyway.
_FREE_READS: Final = (
    "/health",
    "/ready",
    "/-/healthy",
    "/-/ready",
    "/alertmanager/-/healthy",
    "/alertmanager/-/ready",
    "/metrics",
    "/static/",
)
_QUERIES: Final = ("/prometheus/api/v1/", "/prometheus/federate", "/query", "/probe")
# Below `/prometheus/api/v1/`, but they change something.
_ADMIN: Final = "/prometheus/api/v1/admin/"
# Whoever acknowledges, silences or says that he is alive is never told to wait, nor is what
# tells us of alerts.
_FREE_WRITES: Final = (
    "/alerts",
    "/silences",
    "/api/v1/alerts/",
    "/api/v1/silences",
    "/api/v1/targets",
    "/api/v1/integrations/",
    "/alertmanager/api/v2/alerts",
    "/alertmanager/api/v2/silence",
)
_LOGIN: Final = "/login"


def class_of(method: str, path: str) -> Limited | None:
    """Return what a request counts as; None for what is never refused."""
    if path.startswith(INGEST):
        return Limited.INGEST
    if method in _READS:
        if path.startswith(_FREE_READS):
            return None
        return Limited.QUERY if path.startswith(_QUERIES) else Limited.READ
    if path.startswith(_ADMIN):
        return Limited.WRITE
    if path.startswith(_QUERIES):
        # Clients send long queries as forms.
        return Limited.QUERY
    if path == _LOGIN:
        return Limited.LOGIN
    return None if path.startswith(_FREE_WRITES) else Limited.WRITE
