"""The modules that exist without a file, against what a user has on his machine."""

import ssl

import pytest

from controlplane.config.probes import DEFAULT_MODULES
from controlplane.probes.once import probe_once
from controlplane.probes.outcome import Reason
from controlplane.probes.table import PROBERS
from tests.support.web import answer, web
from tests.unit.probes.rig import Rig, values


@pytest.mark.parametrize(
    ("name", "scheme", "reason"),
    [("http_2xx", "http://", None), ("tcp_connect", "", None), ("tls_connect", "", Reason.TLS)],
)
async def test_localhost_reaches_a_server_on_ipv4_only(
    prober: Rig, context: ssl.SSLContext, name: str, scheme: str, reason: Reason | None
) -> None:
    """localhost has addresses of both kinds: the older one is tried, where most servers listen."""
    async with web(answer(), context=context if name == "tls_connect" else None) as site:
        target = f"{scheme}localhost:{site.port}"
        module = DEFAULT_MODULES[name]
        asked = await probe_once(prober.tools, PROBERS, target, name, module, timeout=2.0)
    assert asked.outcome.reason is reason
    assert values(asked.outcome)["probe_ip_protocol"] == 4
