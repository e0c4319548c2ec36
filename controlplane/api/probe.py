"""`GET /probe`: one probe on demand, asked for and answered as blackbox_exporter does."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from controlplane.api.surface import On
from controlplane.errors import InvalidInput
from controlplane.probes.once import probe_once, scrape_timeout, with_hostname
from controlplane.probes.render import CONTENT_TYPE, render_debug, render_metrics
from controlplane.probes.table import PROBERS

router = APIRouter(tags=["probe"])

_DEFAULT_MODULE: Final = "http_2xx"
_TIMEOUT_HEADER: Final = "x-prometheus-scrape-timeout-seconds"
# Whoever asks names the time-out; nobody scrapes more slowly than this.
LONGEST_SECONDS: Final = 600.0


@router.get(
    "/probe",
    response_class=PlainTextResponse,
    responses={400: {"description": "No target, or no such module"}},
)
async def probe(
    request: Request,
    on: On,
    target: str = "",
    module: str = "",
    hostname: str = "",
    debug: str = "",
) -> Response:
    """Probe `target` with a module and return what was found as metrics.

    A failed probe is an answer too (`probe_success 0`). `debug=true` shows
    what happened, step by step.
    """
    name = module or _DEFAULT_MODULE
    found = on.modules().get(name)
    if found is None:
        return _bad_request(f"Unknown module {name!r}")
    if not target:
        return _bad_request("Target parameter is missing")
    try:
        timeout = scrape_timeout(request.headers.get(_TIMEOUT_HEADER), found)
        chosen = with_hostname(found, hostname)
    except InvalidInput as error:
        return _bad_request(error.reason)
    asked = await probe_once(
        on.tools, PROBERS, target, name, chosen, timeout=min(timeout, LONGEST_SECONDS)
    )
    if debug == "true":
        return PlainTextResponse(render_debug(asked))
    return Response(render_metrics(asked), media_type=CONTENT_TYPE)


def _bad_request(reason: str) -> Response:
    return PlainTextResponse(f"{reason}\n", status_code=400)
