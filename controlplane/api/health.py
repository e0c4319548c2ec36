"""Is it alive, is it ready, what does it count: for machines, without a login."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client.exposition import choose_encoder

from controlplane.api.guard import is_anonymous
from controlplane.api.surface import Check, On, Surface
from controlplane.errors import ControlPlaneError
from controlplane.model.share import ALL_ROLES, Role
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

router = APIRouter(tags=["health"])

_CHECK_SECONDS: Final = 2.0
# Who cannot do its work while something is wrong; of what is not named here: everybody.
# Probing goes on without the database, delivering without the samples.
_SUFFERING: Final = {
    "database": frozenset({Role.API, Role.EVALUATOR, Role.NOTIFIER}),
    "store": frozenset({Role.API, Role.PROBER, Role.EVALUATOR}),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found and how long it took."""

    problem: str
    seconds: float

    def as_json(self, *, in_full: bool) -> dict[str, Any]:
        """Return the verdict for `/ready`; the problem itself names hosts and files of ours."""
        found = {"ok": not self.problem, "seconds": round(self.seconds, 6)}
        return {**found, "problem": self.problem} if self.problem and in_full else found


async def run_checks(checks: Mapping[str, Check]) -> dict[str, Verdict]:
    """Run all checks at once, each within its time."""
    verdicts = await asyncio.gather(*(_run(name, check) for name, check in checks.items()))
    return dict(zip(checks, verdicts, strict=True))


@router.get("/health")
async def health() -> dict[str, str]:
    """Answer while the event loop turns: restart the process when this stays away."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(request: Request, on: On) -> Response:
    """Answer 200 when every dependency and loop works, else 503 and which does not.

    What is wrong with it is told to those who may ask everything, and the log. A check-in that
    is withheld makes nothing unready: those who can be answered still are.
    """
    verdicts = await _verdicts(request, on)
    good = not any(verdict.problem for verdict in verdicts.values())
    body: dict[str, Any] = {
        "status": "ready" if good else "unready",
        "checks": {
            name: verdict.as_json(in_full=not is_anonymous(request)) | _suffering(name, verdict, on)
            for name, verdict in verdicts.items()
        },
    }
    check_ins = on.trying.check_ins.statuses()
    if check_ins and not is_anonymous(request):
        body["check_ins"] = {
            each.name: {"result": each.result, "problem": each.problem} for each in check_ins
        }
    return JSONResponse(body, status_code=200 if good else 503)


@router.get("/-/healthy")
@router.get("/prometheus/-/healthy", include_in_schema=False)
async def healthy() -> Response:
    """Answer as Prometheus does."""
    return PlainTextResponse("Prometheus Server is Healthy.\n")


@router.get("/-/ready")
@router.get("/prometheus/-/ready", include_in_schema=False)
async def prometheus_ready(request: Request, on: On) -> Response:
    """Answer as Prometheus does; the reasons are at `/ready`."""
    verdicts = await _verdicts(request, on)
    if any(verdict.problem for verdict in verdicts.values()):
        return PlainTextResponse("Service Unavailable", status_code=503)
    return PlainTextResponse("Prometheus Server is Ready.\n")


@router.get("/metrics")
async def metrics(request: Request, on: On) -> Response:
    """Return our own metrics as text or, when asked for, OpenMetrics."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(on.registry), media_type=content_type)


@router.post("/-/reload")
async def reload(on: On) -> Response:
    """Load the configuration file anew; a bad one is refused and the old stays in force."""
    await on.reload()
    return PlainTextResponse("reloaded\n")


def _suffering(name: str, verdict: Verdict, on: Surface) -> dict[str, list[str]]:
    """Return which roles of this replica suffer from what is wrong."""
    if not verdict.problem:
        return {}
    return {"roles": sorted(_SUFFERING.get(name, ALL_ROLES) & on.roles)}


async def _verdicts(request: Request, on: Surface) -> dict[str, Verdict]:
    if request.app.state.leaving.begun:
        return {"leaving": Verdict("this process is about to end", 0.0)}
    return await run_checks(on.checks)


async def _run(name: str, check: Check) -> Verdict:
    begin = time.perf_counter()
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            problem = await check()
    except TimeoutError:
        problem = f"no answer within {_CHECK_SECONDS:g} s"
    except ControlPlaneError as error:
        problem = str(error)
    except Exception:
        log.exception("readiness check failed", check=name)
        problem = "the check itself failed; see the log"
    if problem:
        log.warning("not ready", check=name, problem=problem)
    return Verdict(problem, time.perf_counter() - begin)
