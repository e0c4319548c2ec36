"""`/api/v1/discovery/prometheus`: the registered services, as a Prometheus elsewhere finds them."""

import re
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from controlplane.api.responses import problems
from controlplane.api.surface import On
from controlplane.api.tagged import tagged
from controlplane.clock import Duration
from controlplane.model.duration import SECOND, format_duration
from controlplane.model.target import Target

router = APIRouter(prefix="/api/v1/discovery", tags=["discovery"], responses=problems())


_LONGEST_SCRAPE: Final[Duration] = 10 * SECOND
# A Prometheus before 3.0 refuses a whole answer for one name that is not of this form.
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


class TargetGroup(BaseModel):
    """A group of `http_sd_configs`: one address, and the labels that its scrape begins with."""

    model_config = ConfigDict(frozen=True)

    targets: Annotated[list[str], Field(description="`host:port` to scrape")]
    labels: dict[str, str]


_GROUPS: Final = TypeAdapter(list[TargetGroup])


@router.get(
    "/prometheus",
    response_model=list[TargetGroup],
    responses={304: {"description": "Nothing is another than what `If-None-Match` names"}},
)
async def prometheus(request: Request, on: On) -> Response:
    """List what has a `metrics_url`, for `http_sd_configs` of a Prometheus.

    A paused target is left out. Its series carry the labels that ours carry,
    `job` and `instance` among them; `__meta_controlplane_*` is for relabelling.
    """
    found = (_group(target) for target in on.targets if not target.operator.paused)
    groups = [group for group in found if group is not None]
    body = _GROUPS.dump_json(groups)
    return tagged(request, body, "application/json", cache_control="private, no-cache")


def _group(target: Target) -> TargetGroup | None:
    """Return how a target is scraped; None when it tells no metrics."""
    if target.spec.metrics_url is None:
        return None
    url = urlsplit(target.spec.metrics_url)
    labels = {
        **target.labels(),
        **_parameters(url.query),
        **_pace(target.spec.interval),
        "__scheme__": url.scheme,
        "__metrics_path__": url.path or "/",
        "__meta_controlplane_target_id": target.id,
        "__meta_controlplane_target_name": target.name,
        "__meta_controlplane_module": target.spec.module,
        "__meta_controlplane_provenance": target.provenance.value,
    }
    return TargetGroup(
        targets=[url.netloc],
        labels={name: value for name, value in labels.items() if _LABEL.match(name)},
    )


def _parameters(query: str) -> dict[str, str]:
    """Return a query as labels, which hold the first value of each parameter."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(f"__param_{name}", value)
    return found


def _pace(interval: Duration | None) -> dict[str, str]:
    """Return the labels of a target's own interval; the scraping Prometheus has a default."""
    if interval is None:
        return {}
    return {
        "__scrape_interval__": format_duration(interval),
        "__scrape_timeout__": format_duration(min(interval, _LONGEST_SCRAPE)),
    }
