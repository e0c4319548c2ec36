"""Every key that Prometheus, Alertmanager and blackbox_exporter know of HTTP clients is known."""

from typing import Any

import pytest

from controlplane.config.http_client import (
    AUTHORIZATION,
    BASIC_AUTH,
    HTTP_CLIENT,
    OAUTH2,
    PROXY,
    TLS,
)
from controlplane.config.schema import Section

_SECTIONS: list[tuple[Section[Any], str]] = [
    (BASIC_AUTH, "username username_file username_ref password password_file password_ref"),
    (AUTHORIZATION, "type credentials credentials_file credentials_ref"),
    (PROXY, "proxy_url no_proxy proxy_from_environment proxy_connect_header"),
    (
        TLS,
        "ca cert key ca_file cert_file key_file ca_ref cert_ref key_ref server_name"
        " insecure_skip_verify min_version max_version",
    ),
    (
        OAUTH2,
        "client_id client_secret client_secret_file client_secret_ref client_certificate_key_id"
        " client_certificate_key client_certificate_key_file client_certificate_key_ref grant_type"
        " signature_algorithm iss audience claims scopes token_url endpoint_params tls_config"
        " proxy_url no_proxy proxy_from_environment proxy_connect_header",
    ),
    (
        HTTP_CLIENT,
        "basic_auth authorization oauth2 bearer_token bearer_token_file tls_config"
        " follow_redirects enable_http2 http_headers proxy_url no_proxy proxy_from_environment"
        " proxy_connect_header",
    ),
]


@pytest.mark.parametrize(("section", "keys"), _SECTIONS, ids=lambda each: getattr(each, "name", ""))
def test_each_key_is_taken_or_refused_by_name(section: Section[Any], keys: str) -> None:
    """The lists are those of prometheus/common 0.70, which all three are built with."""
    known = section.names() | set(section.unsupported)
    assert set(keys.split()) <= known
