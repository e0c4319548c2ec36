"""The http prober beside blackbox_exporter: the same module, server and samples, save times."""

import asyncio
import gzip
import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import trustme

from controlplane.config.loader import load
from controlplane.probes.once import probe_once
from controlplane.probes.options import Module
from controlplane.probes.render import render_metrics
from controlplane.probes.table import PROBERS
from tests.conformance.probes.exporter import BINARY, ask, exporter, samples
from tests.support.web import answer, web
from tests.unit.probes.rig import Rig, rig

pytestmark = pytest.mark.skipif(BINARY is None, reason="blackbox_exporter is not installed")

_SERIAL: Final = re.compile(r'serialnumber="[^"]*",')
Compared = tuple[dict[str, float], dict[str, float]]

# How long things took differs from run to run.
TIMES: Final = ("probe_duration_seconds", "probe_dns_lookup_time_seconds", "probe_http_duration_")
# What Debian's 0.23 does not have: the time-out and the serial number came with later
# versions (both are in 0.28), as did the cipher; the reason of a failure is ours.
LATER: Final = ("probe_timeout_seconds", "probe_tls_cipher_info", "probe_failure_info")

CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
DATED: Final = answer(body=b"hello", headers=("Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT",))
# Servers by name: what each path answers.
SERVERS: Final[dict[str, bytes]] = {
    "/plain": DATED,
    "/chunked": CHUNKED,
    "/old": b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "/none": answer("204 No Content", length=False),
    "/missing": answer("404 Not Found", body=b"no"),
    "/broken": answer("500 Broken", body=b"oh"),
    "/empty": b"",
    "/odd": b"SSH-2.0-OpenSSH_9.2\r\n",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Le",
    "/gzip": answer(body=gzip.compress(b"hello", mtime=0)),
    "/hint": b"HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n" + answer(body=b"hello"),
    "/away": answer("302 Found", body=b"moved", headers=("Location: /plain",)),
    "/twice": answer("301 Moved", headers=("Location: /away",)),
    "/loop": answer("302 Found", body=b"moved", headers=("Location: /loop",)),
    "/ftp": answer("302 Found", headers=("Location: ftp://127.0.0.1/",)),
    "/nowhere": answer("302 Found"),
    "/headers": answer(headers=("X-Kind: red", "X-Kind: blue")),
}
MODULES: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "ip6": {"preferred_ip_protocol": "ip6", "ip_protocol_fallback": False},
    "valid": {"valid_status_codes": [302, 404, 204]},
    "old": {"valid_http_versions": ["HTTP/1.0"]},
    "head": {"method": "HEAD"},
    "post": {"method": "POST", "body": "data"},
    "ssl": {"fail_if_ssl": True},
    "not_ssl": {"fail_if_not_ssl": True},
    "stay": {"follow_redirects": False, "valid_status_codes": [200, 302]},
    "stay_body": {
        "follow_redirects": False,
        "valid_status_codes": [200, 302],
        "fail_if_body_matches_regexp": ["never"],
    },
    "body": {"fail_if_body_matches_regexp": ["hell"]},
    "no_body": {"fail_if_body_not_matches_regexp": ["hell"]},
    "header": {"fail_if_header_matches": [{"header": "x-kind", "regexp": "blue"}]},
    "no_header": {
        "fail_if_header_not_matches": [
            {"header": "X-Kind", "regexp": "green", "allow_missing": True}
        ]
    },
    "gzip": {"compression": "gzip", "fail_if_body_not_matches_regexp": ["^hello$"]},
    "small": {"body_size_limit": "4B"},
    "small_body": {"body_size_limit": "4B", "fail_if_body_not_matches_regexp": ["hell"]},
}
TLS: Final = {"plain", "valid", "ssl", "not_ssl", "head", "lax", "trust"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def modules(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All modules in blackbox.yml's syntax; those for TLS trust the authority, or nobody."""
    ca = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    keys = {
        **MODULES,
        "lax": {"tls_config": {"insecure_skip_verify": True}},
        "trust": {"tls_config": {"ca_file": str(ca)}},
    }
    keys["ssl"] = {**keys["ssl"], "tls_config": {"ca_file": str(ca)}}
    return {name: {"prober": "http", "timeout": "3s", "http": http} for name, http in keys.items()}


@pytest.fixture(scope="module")
def theirs(modules: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The exporter, once for all."""
    with exporter(tmp_path_factory.mktemp("exporter"), modules) as url:
        yield url


def same(page: str, other: str) -> Compared:
    """Return the samples of two pages without what must differ."""
    pair = [
        {
            _SERIAL.sub("", name): value
            for name, value in samples(text).items()
            if not name.startswith(LATER)
        }
        for text in (page, other)
    ]
    for one in pair:
        for name in one:
            if name.startswith(TIMES):
                one[name] = 0.0
    return pair[0], pair[1]


def read(modules: dict[str, Any], name: str, directory: Path) -> Module:
    """Return a module as our own loader reads it."""
    file = directory / "controlplane.yml"
    file.write_text(json.dumps({"modules": {name: modules[name]}}))
    return load(file).modules[name]


async def both(made: Rig, theirs: str, name: str, module: Module, target: str) -> Compared:
    """Return the samples of the exporter and of ours."""
    page = await asyncio.to_thread(ask, theirs, name, target)
    asked = await probe_once(made.tools, PROBERS, target, name, module, timeout=3.0)
    return same(page, render_metrics(asked))


@pytest.mark.parametrize("name", MODULES)
async def test_same_samples(
    name: str, modules: dict[str, Any], theirs: str, tmp_path: Path
) -> None:
    """Each server, asked with each module, has the same samples on both sides."""
    differing, module = {}, read(modules, name, tmp_path)
    async with web(lambda path: SERVERS[path]) as site, rig() as made:
        for path in SERVERS:
            expected, found = await both(made, theirs, name, module, site.url(path))
            if expected != found:
                differing[path] = sorted(set(expected.items()) ^ set(found.items()))
    assert differing == {}


@pytest.mark.parametrize("name", sorted(TLS))
async def test_same_samples_over_tls(
    name: str, modules: dict[str, Any], theirs: str, tmp_path: Path, authority: trustme.CA
) -> None:
    """Chains, versions and refusals of TLS are told alike."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1", "www.test").configure_cert(context)
    async with web(DATED, context=context) as site, rig() as made:
        module = read(modules, name, tmp_path)
        expected, found = await both(made, theirs, name, module, site.url())
    assert expected == found
