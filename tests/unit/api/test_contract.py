"""Every answer of `/api/v1`, also to nonsense, fits what the OpenAPI document says of it."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controlplane.api.application import bare_application
from tests.unit.api.conftest import application

DOCUMENT: Final = bare_application().openapi()
OPERATIONS: Final = sorted(
    (path, method)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if path.startswith("/api/v1/")
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_URLS = st.sampled_from(["http://10.0.0.5/", "https://[::1]:8443/x?y", "ftp://a", "http://", ""])
_DURATIONS = st.sampled_from(["1s", "1m30s", "0", "0s", "1ms", "-1s", "soon", "9999999y"])
_LABELS = st.dictionaries(st.sampled_from(["team", "job", "__x", "a/b", "é", ""]), st.text())
_FIELDS: Final = {
    "name": st.sampled_from(["shop", "a" * 63, "a" * 64, "owned", "Shop", ""]),
    "url": _URLS,
    "address": st.sampled_from(["10.0.0.5:80", "a", ":1", "a:99999"]),
    "module": st.sampled_from(["http_2xx", "tcp_connect", "nope"]),
    "interval": _DURATIONS,
    "labels": _LABELS,
    "metrics_url": _URLS,
    "lease": _DURATIONS,
    "paused": st.booleans(),
    "label_overrides": _LABELS,
}
_PLAUSIBLE = st.fixed_dictionaries(
    {"name": st.just("shop"), "url": st.just("http://10.0.0.5/")},
    optional={name: value for name, value in _FIELDS.items() if name not in ("name", "url")},
)
_MIXED = st.fixed_dictionaries(
    {}, optional={name: value | _JSON for name, value in {**_FIELDS, "other": _JSON}.items()}
)
BODIES = _PLAUSIBLE | _MIXED | _JSON
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.sampled_from(["1", "1000", "0", "1001", "x", ""]),
        "cursor": st.sampled_from(["c2hvcA", "MTI", "%", ""]) | st.text(max_size=5),
        "match[]": st.sampled_from(['{team="a"}', "up", "sum(up)", "{", ""]) | st.text(max_size=8),
        "state": st.sampled_from(["up", "firing", "dead", "gone", ""]),
        "provenance": st.sampled_from(["file", "api", "me"]),
        "other": st.text(max_size=3),
    },
)


def check(path: str, method: str, answer: httpx.Response) -> None:
    """Check status, media type and body against the document."""
    responses = DOCUMENT["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, answer.text
    content = responses[str(answer.status_code)].get("content", {})
    if not content:
        assert answer.content == b""
        return
    assert answer.headers["content-type"] in content
    schema = content[answer.headers["content-type"]]["schema"]
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(answer.json())] == []


async def ask(api: httpx.AsyncClient, data: st.DataObject) -> None:
    """Send one request to each operation and check what comes back."""
    for path, method in OPERATIONS:
        items = (await api.get("/api/v1/targets")).json()["items"]
        known = [item["id"] for item in items] + ["1", "nope"]
        url = path
        for name in ("target_id", "fingerprint", "message_id"):
            if name in url:
                url = url.replace(f"{{{name}}}", data.draw(st.sampled_from(known)))
        options: dict[str, Any] = {"params": data.draw(PARAMETERS)} if method == "get" else {}
        if method in ("post", "patch"):
            kind = data.draw(st.sampled_from(["application/json", "application/merge-patch+json"]))
            body = json.dumps(data.draw(BODIES))
            options = {"content": body, "headers": {"content-type": kind}}
        answer = await api.request(method, url, **options)
        assert answer.status_code < 500, answer.text
        check(path, method, answer)


@settings(
    max_examples=10,
    deadline=None,
    # Each example is a whole application: to shrink a failing one would take minutes.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_answer_is_as_documented(data: st.DataObject) -> None:
    """No status, type or shape comes that the document does not name; nothing is a 500."""

    async def run() -> None:
        with TemporaryDirectory() as directory:
            async with application(Path(directory)) as api:
                await ask(api, data)

    asyncio.run(run())


async def test_the_document_is_served(api: httpx.AsyncClient) -> None:
    """What clients fetch is what these tests check against."""
    assert (await api.get("/api/v1/openapi.json")).json() == DOCUMENT
