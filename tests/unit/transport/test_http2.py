"""HTTP/2 over TLS, as nginx speaks it: negotiated, told, and refused where it is not wanted."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Final

import pycurl
import pytest
import trustme

from controlplane.clock import SystemClock
from controlplane.transport.client import Call, Client
from controlplane.transport.exchange import Options
from controlplane.transport.options import HTTPClientConfig, TLSConfig
from controlplane.transport.profile import Profile
from controlplane.transport.url import parse_url

NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
HAS_HTTP2: Final = bool(pycurl.version_info()[4] & pycurl.VERSION_HTTP2)
pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif(not HAS_HTTP2, reason="the libcurl here speaks no HTTP/2"),
]

CONF: Final = """
daemon off; master_process off; pid {home}/pid; error_log stderr crit; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
  uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
    location / {{ add_header X-Spoken $server_protocol; return 200 "hello"; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def url(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run nginx with TLS and HTTP/2."""
    home: Path = tmp_path_factory.mktemp("nginx")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(home / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(home / "cert.pem"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / "nginx.conf").write_text(CONF.format(home=home, port=port))
    running = subprocess.Popen(
        [str(NGINX), "-p", str(home), "-c", str(home / "nginx.conf"), "-e", "stderr"],
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield f"https://127.0.0.1:{port}/"
    finally:
        running.terminate()
        running.wait()


def _wait_for(port: int) -> None:
    clock, pause = SystemClock(), Event()
    deadline = clock.monotonic() + 15
    while clock.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pause.wait(0.05)
        else:
            return
    raise TimeoutError("nginx did not start")


async def get(
    client: Client, url: str, authority: trustme.CA, *, http2: bool, options: Options
) -> Call:
    tls = TLSConfig(ca=authority.cert_pem.bytes().decode())
    profile = Profile(HTTPClientConfig(tls_config=tls, enable_http2=http2), options)
    # The header that probes send: over HTTP/2 it has no place, and must not get there.
    request = profile.request(parse_url(url), (("Connection", "close"), ("X-Own", "1")))
    return await client.fetch(request, 5.0)


@pytest.mark.parametrize("options", [Options(keep=100), Options(method="POST", body=b"x" * 100)])
async def test_version_two_is_negotiated(
    client: Client, url: str, authority: trustme.CA, options: Options
) -> None:
    """Over TLS the newer version is spoken, connection headers are left out, the head is whole."""
    call = await get(client, url, authority, http2=True, options=options)
    final = call.final
    assert call.failure is None
    assert final is not None
    assert (final.status, final.http_version, final.size) == (200, 3, 5)
    assert final.header_lines[0].startswith(b"HTTP/2 200")
    assert b"x-spoken: HTTP/2.0\r\n" in final.header_lines


async def test_version_two_can_be_declined(client: Client, url: str, authority: trustme.CA) -> None:
    """enable_http2 false stays with HTTP/1.1, whatever the server offers."""
    call = await get(client, url, authority, http2=False, options=Options())
    assert call.final is not None
    assert call.final.http_version == 2
    assert b"X-Spoken: HTTP/1.1\r\n" in call.final.header_lines


async def test_connections_of_version_two_may_be_kept(
    client: Client, url: str, authority: trustme.CA
) -> None:
    """Requests at once over kept connections all come back."""
    tls = TLSConfig(ca=authority.cert_pem.bytes().decode())
    profile = Profile(HTTPClientConfig(tls_config=tls), Options(fresh=False, keep=100))
    request = profile.request(parse_url(url))
    for _ in range(2):
        calls = [await client.fetch(request, 5.0) for _ in range(5)]
        assert [call.final.body for call in calls if call.final is not None] == [b"hello"] * 5
