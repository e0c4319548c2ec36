"""Which proxy a request goes by: no_proxy as Go reads it, and the environment."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.transport.options import ProxyConfig
from controlplane.transport.proxies import is_excluded, parse_proxy, proxy_for
from controlplane.transport.url import parse_url


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "excluded"),
    [
        ("", "a.test", 80, False),
        ("*", "a.test", 80, True),
        ("a.test", "a.test", 80, True),
        ("a.test", "A.TEST.", 80, True),
        ("a.test", "b.a.test", 80, True),
        ("a.test", "ba.test", 80, False),
        (".a.test", "a.test", 80, False),
        (".a.test", "b.a.test", 80, True),
        ("*.a.test", "b.a.test", 80, True),
        ("a.test:80", "a.test", 80, True),
        ("a.test:81", "a.test", 80, False),
        ("x.test, a.test", "a.test", 80, True),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "a.test", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3:80", "10.1.2.3", 80, True),
        ("::1", "::1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:81", "::1", 80, False),
        ("fd00::/8", "fd12::1", 80, True),
        (",,", "a.test", 80, False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, port: int, excluded: bool) -> None:
    """Names with what is below them, networks, ports, and the star."""
    assert is_excluded(no_proxy, host, port) is excluded


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scheme has its variable; loopback never goes by a proxy from there."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:3128")
    monkeypatch.setenv("no_proxy", "inner.test")
    config = ProxyConfig(proxy_from_environment=True)
    found = {
        url: proxy_for(config, parse_url(url))
        for url in (
            "https://a.test/", "http://a.test/", "https://inner.test/",
            "https://localhost/", "https://127.0.0.5/", "https://[::1]/",
        )
    }  # fmt: skip
    assert found.pop("https://a.test/") == "http://proxy.test:3128"
    assert set(found.values()) == {""}


def test_variable_that_a_client_can_set_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under CGI HTTP_PROXY is a header's child."""
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://evil.test")
    config = ProxyConfig(proxy_from_environment=True)
    assert proxy_for(config, parse_url("http://a.test/")) == "http://evil.test"
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert proxy_for(config, parse_url("http://a.test/")) == ""


def test_proxy_urls() -> None:
    """A scheme that proxies speak, a host, and the scheme's port without one."""
    made = parse_proxy("http://u:p@[::1]:3128")
    assert (made.scheme, made.host, made.port, made.userinfo) == ("http", "::1", 3128, "u:p")
    assert parse_proxy("socks5h://proxy.test").port == 1080
    for text in ("ftp://proxy.test", "http://", "proxy.test:3128", "http://a:99999"):
        with pytest.raises(InvalidInput):
            parse_proxy(text)


def test_password_is_not_shown() -> None:
    """A proxy's URL may hold a password: repr leaves it out."""
    assert "pass" not in repr(ProxyConfig(proxy_url="http://u:pass@proxy.test"))
