"""One probe on demand, as `GET /probe` of blackbox_exporter does it."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from controlplane.errors import InvalidInput
from controlplane.probes.options import Module
from controlplane.probes.outcome import Evidence, Outcome, Reason
from controlplane.probes.prober import Prober, Tools

# What blackbox_exporter takes when nobody names a time-out, in seconds.
_DEFAULT_SECONDS = 120.0
# Prometheus' time-out less this is ours, so that the answer still arrives.
TIMEOUT_OFFSET = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """A probe on demand and its end. `timeout` is in seconds."""

    target: str
    module_name: str
    module: Module
    timeout: float
    outcome: Outcome


def scrape_timeout(header: str | None, module: Module, *, offset: float = TIMEOUT_OFFSET) -> float:
    """Return the seconds a probe may take, from `X-Prometheus-Scrape-Timeout-Seconds`.

    The smaller of the module's time-out and the header's less the offset.
    Raises InvalidInput for a header that is no number.
    """
    try:
        asked = float(header) if header else 0.0
    except ValueError:
        raise InvalidInput(f"not a number of seconds: {header!r}") from None
    if not math.isfinite(asked):
        raise InvalidInput(f"not a number of seconds: {header!r}")
    most = (asked or _DEFAULT_SECONDS) - offset
    own = module.timeout / 1000
    return own if 0 < own < most or most < 0 else most


def with_hostname(module: Module, hostname: str) -> Module:
    """Return the module asking for another host, as the parameter `hostname` demands.

    Raises InvalidInput where the module names another one itself.
    """
    if not hostname:
        return module
    if module.prober == "tcp":
        if module.tcp.tls_config.server_name:
            return module
        tls = replace(module.tcp.tls_config, server_name=hostname)
        return replace(module, tcp=replace(module.tcp, tls_config=tls))
    for name, value in module.http.headers.items():
        if name.lower() == "host" and value != hostname:
            raise InvalidInput(f"the module's Host header is {value!r}, not {hostname!r}")
    headers = {name: value for name, value in module.http.headers.items() if name.lower() != "host"}
    return replace(module, http=replace(module.http, headers={**headers, "Host": hostname}))


async def probe_once(
    tools: Tools,
    probers: Mapping[str, Prober],
    target: str,
    module_name: str,
    module: Module,
    *,
    timeout: float,
) -> Asked:
    """Probe `target` once, within `timeout` seconds. A failure is an outcome, not an exception."""
    prober = probers.get(module.prober)
    if prober is None:
        error = f"there is no prober {module.prober!r}"
        outcome = Outcome(
            success=False, duration=0.0, reason=Reason.CONFIG, evidence=Evidence(error)
        )
        return Asked(target, module_name, module, timeout, outcome)
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def done(outcome: Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    prober(replace(tools, verbose=True), target, module)(timeout, done)
    return Asked(target, module_name, module, timeout, await future)
