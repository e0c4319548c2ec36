"""Probes on demand: whose time-out counts, which host is asked for, what is answered."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.probes.once import probe_once, scrape_timeout, with_hostname
from controlplane.probes.options import Module, TCPProbe
from controlplane.probes.outcome import Reason
from controlplane.probes.table import PROBERS
from controlplane.transport.options import TLSConfig
from tests.support.web import answer, web
from tests.unit.probes.rig import Rig, module


@pytest.mark.parametrize(
    ("header", "own", "seconds"),
    [
        (None, 0, 119.5),
        (None, 5000, 5.0),
        ("10", 0, 9.5),
        ("10", 5000, 5.0),
        ("10", 20_000, 9.5),
        ("0", 0, 119.5),
        ("0.2", 5000, 5.0),
        ("", 1500, 1.5),
    ],
)
def test_timeout(header: str | None, own: int, seconds: float) -> None:
    """The module's time-out within what Prometheus leaves, as blackbox_exporter reckons it."""
    assert scrape_timeout(header, Module("http", timeout=own)) == seconds


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "1s"])
def test_timeout_that_is_no_number(header: str) -> None:
    """A header that cannot be read is refused."""
    with pytest.raises(InvalidInput):
        scrape_timeout(header, Module("http"))


def test_hostname_for_http() -> None:
    """The parameter becomes the Host header, without touching the module; a conflict is refused."""
    plain = module(headers={"X-A": "1"})
    assert with_hostname(plain, "a.test").http.headers == {"X-A": "1", "Host": "a.test"}
    assert plain.http.headers == {"X-A": "1"}
    assert with_hostname(plain, "") is plain
    named = module(headers={"host": "a.test"})
    assert with_hostname(named, "a.test").http.headers == {"Host": "a.test"}
    with pytest.raises(InvalidInput, match=r"a\.test"):
        with_hostname(named, "b.test")


def test_hostname_for_tcp() -> None:
    """The parameter is the name for TLS, unless the module has one of its own."""
    plain = with_hostname(Module("tcp", tcp=TCPProbe(tls=True)), "a.test")
    own = Module("tcp", tcp=TCPProbe(tls_config=TLSConfig(server_name="own.test")))
    assert plain.tcp.tls_config.server_name == "a.test"
    assert with_hostname(own, "a.test") is own


async def test_success_has_evidence_too(prober: Rig) -> None:
    """Whoever asks by hand is told the story of a success."""
    async with web(answer(body=b"hello")) as site:
        asked = await probe_once(prober.tools, PROBERS, site.url(), "m", module(), timeout=3.0)
    assert asked.outcome.success
    assert asked.outcome.evidence is not None
    assert asked.outcome.evidence.error == ""
    assert any("status 200" in line for line in asked.outcome.evidence.log)


async def test_unknown_prober(prober: Rig) -> None:
    """A module of a prober that is not there is an outcome, not an exception."""
    asked = await probe_once(prober.tools, PROBERS, "x", "m", Module("icmp"), timeout=1.0)
    assert asked.outcome.reason is Reason.CONFIG
