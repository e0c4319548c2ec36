"""HEAD and OPTIONS, and what is said of methods that are not there."""

import httpx
import pytest

from tests.unit.api.conftest import ON_SHARED


@ON_SHARED
@pytest.mark.parametrize("path", ["/health", "/api/v1/targets", "/metrics"])
async def test_head_is_get_without_a_body(shared: httpx.AsyncClient, path: str) -> None:
    """Status, type and length are those of the GET."""
    got, head = await shared.get(path), await shared.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


async def test_a_method_that_is_not_there_is_405(api: httpx.AsyncClient) -> None:
    """The answer names those that are, over all routes of the path."""
    refused = await api.put("/api/v1/targets")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert refused.json()["type"] == "urn:controlplane:problem:method-not-allowed"
    refused = await api.delete("/prometheus/api/v1/rules")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert refused.json()["errorType"] == "bad_data"
    assert (await api.head("/-/reload")).status_code == 405


async def test_options_names_the_methods(api: httpx.AsyncClient) -> None:
    """Nothing is granted to pages from elsewhere."""
    found = await api.request("OPTIONS", "/api/v1/targets/anything")
    assert found.status_code == 204
    assert found.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert not [name for name in found.headers if name.startswith("access-control")]


async def test_nothing_is_404_in_the_right_shape(api: httpx.AsyncClient) -> None:
    """A problem of ours, or upstream's envelope."""
    assert (await api.get("/nothing")).json()["type"] == "urn:controlplane:problem:not-found"
    assert (await api.get("/prometheus/api/v1/nothing")).json()["errorType"] == "not_found"
