"""A probe on demand as text: the exposition format, and a page without secrets."""

from prometheus_client.parser import text_string_to_metric_families

from controlplane.model.secret import Secret
from controlplane.probes.once import Asked
from controlplane.probes.options import HTTPProbe, Module, TCPProbe
from controlplane.probes.outcome import (
    Evidence,
    ProbeSample,
    Reason,
    outcome_of,
)
from controlplane.probes.render import HELP, render_debug, render_metrics
from controlplane.transport.options import (
    Authorization,
    BasicAuth,
    HeaderValues,
    HTTPClientConfig,
    OAuth2,
    ProxyConfig,
    TLSConfig,
)

SAMPLES = (
    ProbeSample("probe_http_status_code", 503),
    ProbeSample("probe_http_duration_seconds", 0.25, (("phase", "tls"),)),
    ProbeSample("probe_http_duration_seconds", 0.5, (("phase", "connect"),)),
    ProbeSample("probe_expect_info", 1, (("word", 'a"b\\c\nd'),)),
)
FAILED = outcome_of(SAMPLES, 1.5, Reason.STATUS, Evidence("status 503", log=("requesting x",)))


def asked(module: Module, target: str = "http://a.test/") -> Asked:
    return Asked(target, "m", module, 9.5, FAILED)


def test_metrics_are_read_back_as_they_were() -> None:
    """The text is Prometheus' format: each family once, with HELP and TYPE, in order of name."""
    text = render_metrics(asked(Module("http")))
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert names == sorted(set(names))
    assert all(family.type == "gauge" for family in families)
    assert all(family.documentation == HELP[family.name] for family in families)
    found = {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
    assert found == {
        ("probe_success", ()): 0,
        ("probe_duration_seconds", ()): 1.5,
        ("probe_timeout_seconds", ()): 9.5,
        ("probe_failure_info", (("reason", "status"),)): 1,
        **{(sample.name, sample.labels): sample.value for sample in SAMPLES},
    }


def test_page_tells_the_story_the_metrics_and_the_module() -> None:
    """The three parts that blackbox_exporter's page has, in its order."""
    page = render_debug(asked(Module("http", http=HTTPProbe(method="POST"), timeout=5000)))
    story = page.index("Logs for the probe:")
    metrics = page.index("Metrics that would have been returned:")
    module = page.index("Module configuration:")
    assert story < page.index("requesting x") < page.index("status: status 503") < metrics
    assert metrics < page.index("probe_success 0") < module
    assert "method: POST" in page[module:]
    assert "timeout: 5s" in page[module:]


def test_page_shows_what_was_turned_off() -> None:
    """False is told where the default is true."""
    client = HTTPClientConfig(follow_redirects=False, enable_http2=False)
    http = HTTPProbe(ip_protocol_fallback=False, http_client_config=client)
    page = render_debug(asked(Module("http", http=http)))
    for key in ("ip_protocol_fallback", "follow_redirects", "enable_http2"):
        assert f"{key}: false" in page


def test_page_holds_no_secret() -> None:
    """No credential of a module or of a target's URL is shown, wherever it stands."""
    hush = Secret("hush-hush")
    client = HTTPClientConfig(
        basic_auth=BasicAuth("user", hush),
        authorization=Authorization(credentials=hush),
        oauth2=OAuth2("id", "http://u:hush-hush@issuer.test/", hush),
        tls_config=TLSConfig(key=hush),
        proxy=ProxyConfig(
            proxy_url="http://u:hush@hush-hush@proxy.test:3128",
            proxy_connect_header={"X-Pass": (hush,)},
        ),
        http_headers={"X-Key": HeaderValues(secrets=(hush,))},
    )
    headers = {"Authorization": "hush-hush", "Cookie": "hush-hush", "X-Api-Key": "hush-hush"}
    http = HTTPProbe(headers=headers, http_client_config=client)
    module = Module("http", http=http, tcp=TCPProbe(tls_config=TLSConfig(key=hush)))
    page = render_debug(asked(module, "http://user:hush-hush@a.test/"))
    assert "hush" not in page
    assert "<secret>" in page
    assert "a.test" in page
    assert "hush" not in repr(module.http.http_client_config)
