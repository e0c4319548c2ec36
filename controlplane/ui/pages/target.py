"""One target: how it stands, its past, why it failed; paused, resumed, probed at once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.responses import Response

from controlplane.clock import Timestamp
from controlplane.errors import ControlPlaneError, InvalidInput
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.duration import DAY, HOUR
from controlplane.model.target import Provenance, Target
from controlplane.probes.once import probe_once, scrape_timeout
from controlplane.probes.render import render_debug
from controlplane.probes.table import PROBERS
from controlplane.promql.values import Matrix, Vector
from controlplane.targets.index import State
from controlplane.ui.asking import at_instant, over_range, step_for
from controlplane.ui.console import Page
from controlplane.ui.drawing import Bar, bars, line_chart
from controlplane.ui.figures import Figure
from controlplane.ui.forms import read_form
from controlplane.ui.pages.grafana import GrafanaLink, of_labels
from controlplane.ui.pages.target_form import address, wanted_target
from controlplane.ui.pages.targets import pause
from controlplane.ui.target_past import bar_of, lookup_and_rest, phases, selector, since
from controlplane.ui.times import moment
from controlplane.uptime.reading import Bar as Past
from controlplane.uptime.reading import Span, total

RANGES: Final[Mapping[str, int]] = {"1h": HOUR, "6h": 6 * HOUR, "24h": DAY, "7d": 7 * DAY}
_FAILURES_SHOWN: Final = 10
# A browser waits no longer than this for a probe (seconds).
_LONGEST_PROBE: Final = 30.0
_PROBE_GRACE: Final = 5.0

Context = Mapping[str, Any]


async def show(page: Page) -> Response:
    """Show a target, or the part of its page that is asked for."""
    target = wanted_target(page)
    wanted = [page.part] if page.part in _PARTS else list(_PARTS)
    context: dict[str, Any] = {
        "target": target,
        "address": address(target),
        "owned": target.provenance is Provenance.FILE,
        "ranges": list(RANGES),
        "chosen": _range(page),
        "grafana": _grafana(page, target),
    }
    for found in await asyncio.gather(*(_PARTS[part](page, target) for part in wanted)):
        context |= found
    return page.render("target.html", context)


def _grafana(page: Page, target: Target) -> list[GrafanaLink]:
    """Return links to the dashboards that show a target, over the range that is looked at."""
    labels, start = dict(target.labels()), page.now - RANGES[_range(page)]
    about = [{name: labels.get(name, "") for name in ("job", "instance")}]
    if target.spec.metrics_url:
        about.append({"job": labels.get("job", "")})
    found = [of_labels(page, each, start, None) for each in about]
    return [each for each in found if each is not None]


async def act(page: Page) -> Response:
    """Pause a target or probe it again."""
    target = wanted_target(page)
    what = (await read_form(page.request)).text("do")
    if what not in ("pause", "resume"):
        raise InvalidInput("what is to be done is `pause` or `resume`")
    await pause(page, target.id, paused=what == "pause")
    said = page.say("It is not probed any more.") if what == "pause" else page.say("It is probed.")
    return page.redirect(address(target), said)


async def probe(page: Page) -> Response:
    """Probe a target once, now, and show what was found; it leaves no sample."""
    target = wanted_target(page)
    module = page.on.modules().get(target.spec.module)
    if module is None:
        raise InvalidInput(f"there is no module {target.spec.module!r}")
    timeout = min(scrape_timeout(None, module), _LONGEST_PROBE)
    async with asyncio.timeout(timeout + _PROBE_GRACE):
        asked = await probe_once(
            page.on.tools, PROBERS, target.endpoint, target.spec.module, module, timeout=timeout
        )
    outcome = asked.outcome
    context = {
        "target": target,
        "address": address(target),
        "outcome": outcome,
        "samples": list(outcome.samples()),
        "story": render_debug(asked),
    }
    return page.render("target_probe.html", context)


async def _state(page: Page, target: Target) -> Context:
    """Return how the target stands and since when, and its last numbers."""
    state = page.on.targets.state(target)
    return {
        "state": state,
        "since": await _quiet(_since(page, target, state)),
        "latency": await _quiet(_newest(page, target, "probe_duration_seconds")),
        "status_code": await _quiet(_newest(page, target, "probe_http_status_code")),
        "expiry": await _quiet(_expiry(page, target)),
    }


async def _since(page: Page, target: Target, state: State) -> Timestamp | None:
    """Return when the target took its state, as far as a day back."""
    if state is State.PAUSED:
        return target.operator.changed_at
    expr = f"{selector('probe_success', target.labels())}[1d]"
    value = (await at_instant(page, expr, page.now)).value
    if not isinstance(value, Matrix) or not len(value.labels):
        return None
    shown = value.present[0]
    times = value.times[0] if value.times.ndim > 1 else value.times
    return since(times[shown], value.values[0][shown])


async def _newest(page: Page, target: Target, metric: str) -> float | None:
    value = (await at_instant(page, selector(metric, target.labels()), page.now)).value
    if not isinstance(value, Vector) or not len(value.labels):
        return None
    return float(value.values[0])


async def _expiry(page: Page, target: Target) -> Timestamp | None:
    seconds = await _newest(page, target, "probe_ssl_earliest_cert_expiry")
    return None if seconds is None else round(seconds * 1000)


async def _uptime(page: Page, target: Target) -> Context:
    """Return the bars of each span, with the uptime over all of it."""
    try:
        found = await asyncio.gather(
            *(page.on.uptime.bars(target.id, span, page.now) for span in Span)
        )
    except ControlPlaneError:
        return {"spans": None}
    rows = []
    for span, past in zip(Span, found, strict=True):
        ratio = total(past).ratio
        drawn = [_bar(page, each) for each in past]
        rows.append(
            {
                "length": _length(page, span),
                "ratio": ratio,
                "svg": bars(drawn, title=_told(page, span, ratio)),
            }
        )
    return {"spans": rows}


def _told(page: Page, span: Span, ratio: float | None) -> str:
    if ratio is None:
        return page.say("Nothing is known of the last %s") % _length(page, span)
    said = page.say("Up %(percent).3f %% of the last %(span)s")
    return said % {"percent": ratio * 100, "span": _length(page, span)}


def _length(page: Page, span: Span) -> str:
    lengths = {
        Span.DAY: page.say("24 hours"),
        Span.MONTH: page.say("30 days"),
        Span.QUARTER: page.say("90 days"),
    }
    return lengths[span]


def _bar(page: Page, past: Past) -> Bar:
    """Return a span as it is drawn, with when it was and how it went in words."""
    parts = [moment(past.start, page.language.locale)]
    if past.ratio is not None:
        parts.append(f"{past.ratio * 100:.2f}%")
    for seconds, word in (
        (past.down, page.say("down")),
        (past.maintenance, page.say("planned maintenance")),
        (past.unknown, page.say("unknown")),
    ):
        if seconds >= 1:
            parts.append(f"{word} {page.words(round(seconds * 1000))}")
    return bar_of(past, " · ".join(parts))


async def _latency(page: Page, target: Target) -> Context:
    figure = await _quiet(_figure(page, target))
    svg = None if figure is None else line_chart(figure, title=page.say("Latency by phase"))
    return {"figure": figure, "latency_svg": svg}


async def _figure(page: Page, target: Target) -> Figure:
    """Return how long probes took, by phase where they are requests."""
    length = RANGES[_range(page)]
    step = step_for(length)
    labels = target.labels()

    async def over(metric: str) -> Matrix:
        expr = selector(metric, labels)
        if length > 6 * HOUR:  # between two points lie many probes
            expr = f"avg_over_time({expr}[{step // 1000}s])"
        value = (await over_range(page, expr, page.now - length, page.now, step)).value
        if not isinstance(value, Matrix):
            raise InvalidInput("not a range of values")
        return value

    requests = await over("probe_http_duration_seconds")
    if len(requests.labels):
        return phases(requests)
    lookup, whole = await asyncio.gather(
        over("probe_dns_lookup_time_seconds"), over("probe_duration_seconds")
    )
    return lookup_and_rest(lookup, whole)


async def _alerts(page: Page, target: Target) -> Context:
    labels = target.labels()
    about = [alert for alert in page.on.alerts.list() if _is_about(alert, labels)]
    about.sort(key=lambda alert: (alert.status(page.now).value, -alert.starts_at))
    statuses = {alert.fingerprint: alert.status(page.now) for alert in about}
    return {"alerts": about, "statuses": statuses, "FIRING": AlertStatus.FIRING}


def _is_about(alert: Alert, labels: Mapping[str, str]) -> bool:
    """Tell whether an alert names this target: its job and its instance."""
    return all(alert.labels.value(name) == labels.get(name, "") for name in ("job", "instance"))


async def _failures(page: Page, target: Target) -> Context:
    try:
        found = await page.on.failures.list(target.id)
    except ControlPlaneError:
        return {"failures": None}
    return {"failures": found[:_FAILURES_SHOWN]}


async def _quiet(reading: Awaitable[Any]) -> Any:
    """Return what is read, None where it cannot be: a page of facts is worth more than none."""
    try:
        return await reading
    except ControlPlaneError:
        return None


def _range(page: Page) -> str:
    asked = page.request.query_params.get("range", "")
    return asked if asked in RANGES else "6h"


_PARTS: Final[Mapping[str, Callable[[Page, Target], Awaitable[Context]]]] = {
    "state": _state,
    "uptime": _uptime,
    "latency": _latency,
    "alerts": _alerts,
    "failures": _failures,
}
