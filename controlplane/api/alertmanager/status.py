"""`status` and `receivers` of Alertmanager, and what watches its process."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from controlplane import __version__
from controlplane.api import health
from controlplane.api.alertmanager.answers import DESCRIBED, done, found
from controlplane.api.alertmanager.parameters import Filters, receiver_matchers_of
from controlplane.api.surface import On
from controlplane.errors import ControlPlaneError
from controlplane.model.duration import format_time
from controlplane.model.matchers import matches_all

router = APIRouter(prefix="/alertmanager", tags=["alertmanager"], responses=DESCRIBED)


# The version whose API is spoken here; clients choose what they ask by it.
_SPEAKS: Final = "0.34.0"


@router.get("/api/v2/status")
async def status(on: On) -> Response:
    """Return what this is, since when, and the part of the configuration that is Alertmanager's.

    There are no peers to gossip with: `cluster` is `disabled`.
    """
    return found(
        {
            "cluster": {"peers": [], "status": "disabled"},
            "config": {"original": on.alerting_configuration()},
            "uptime": format_time(on.started),
            "versionInfo": {
                "branch": "",
                "buildDate": "",
                "buildUser": "",
                "goVersion": "",
                "revision": f"controlplane-{__version__}",
                "version": _SPEAKS,
            },
        }
    )


@router.get("/api/v2/receivers")
async def receivers(on: On, receiver_matchers: Annotated[Filters, Query()]) -> Response:
    """Return the names and labels of the receivers, in the file's order."""
    wanted = receiver_matchers_of(receiver_matchers)
    return found(
        [
            {"name": name, "labels": dict(labels.pairs)}
            for name, labels in on.receiver_labels().items()
            if matches_all(wanted, labels)
        ]
    )


@router.get("/-/healthy")
async def healthy() -> Response:
    """Answer as Alertmanager does."""
    return PlainTextResponse("OK")


@router.get("/-/ready")
async def ready(on: On) -> Response:
    """Answer as Alertmanager does; the reasons are at `/ready`."""
    verdicts = await health.run_checks(on.checks)
    if any(verdict.problem for verdict in verdicts.values()):
        return PlainTextResponse("Service Unavailable", status_code=503)
    return PlainTextResponse("OK")


@router.post("/-/reload")
async def reload(on: On) -> Response:
    """Load the configuration file anew; a bad one is refused and the old stays in force."""
    try:
        await on.reload()
    except ControlPlaneError as error:
        return PlainTextResponse(f"failed to reload config: {error}\n", status_code=500)
    return done()


@router.get("/metrics")
async def metrics(request: Request, on: On) -> Response:
    """Return our own metrics, as at `/metrics`."""
    return await health.metrics(request, on)
