"""Every answer of `/api/v1`, also to nonsense, fits what the OpenAPI document says of it."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controlplane.api.application import bare_application
from controlplane.api.stream import sse
from tests.unit.api.conftest import application

DOCUMENT: Final = bare_application().openapi()
OPERATIONS: Final = sorted(
    (path, method)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    # A stream has no end to wait for; test_stream.py reads it.
    if path.startswith("/api/v1/") and path != sse.PATH
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
_TIMES = st.sampled_from(["2099-01-01T00:00:00Z", "1999-01-01T00:00:00+01:00", "soon", "99", ""])
_INTERVALS: Final = {
    "times": st.lists(
        st.fixed_dictionaries({"start_time": st.just("08:00"), "end_time": st.just("24:00")})
    ),
    "weekdays": st.lists(st.sampled_from(["monday:friday", "friday:monday", "someday"])),
    "days_of_month": st.lists(st.sampled_from(["1:5", "-1", 3, 0, "1:-1"])),
    "months": st.lists(st.sampled_from(["march", "1:3", 12, 13])),
    "years": st.lists(st.sampled_from([2026, "2026:2028", "9" * 30])),
    "location": st.sampled_from(["UTC", "Europe/Berlin", "Atlantis", "../..", ""]),
}
_SILENCE: Final = {
    "matchers": st.lists(
        st.sampled_from(['team="a"', 'x=~".+"', 'x!="b"', 'x=~"("', "", '"é "1"="2"', 'x=""'])
    ),
    "created_by": st.sampled_from(["ada", "", " "]),
    "comment": st.sampled_from(["deploy", "", "x" * 5_000]),
    "starts_at": _TIMES,
    "ends_at": _TIMES,
    "duration": _DURATIONS,
    "until_resolved": st.booleans(),
    "times": st.lists(st.fixed_dictionaries({}, optional=_INTERVALS), max_size=2),
    "annotations": _LABELS,
    "force": st.booleans(),
    "window": _DURATIONS,
}
_PLAUSIBLE_SILENCE = st.fixed_dictionaries(
    {
        "matchers": st.just(['team="a"', 'instance=~"web-.+"']),
        "created_by": st.just("ada"),
        "comment": st.just("deploy"),
        "duration": st.just("2h"),
    },
    optional={"times": _SILENCE["times"], "force": st.booleans()},
)
_CHANGES = st.fixed_dictionaries(
    {}, optional={name: _SILENCE[name] for name in ("ends_at", "duration", "comment")}
)
_MIXED_SILENCE = st.fixed_dictionaries(
    {}, optional={name: value | _JSON for name, value in _SILENCE.items()}
)
_SILENCES = _PLAUSIBLE_SILENCE | _CHANGES | _MIXED_SILENCE
_MIXED = st.fixed_dictionaries(
    {}, optional={name: value | _JSON for name, value in {**_FIELDS, "other": _JSON}.items()}
)
BODIES = _PLAUSIBLE | _MIXED | _JSON
SILENCE_BODIES = _SILENCES | _JSON
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.sampled_from(["1", "1000", "0", "1001", "x", ""]),
        "cursor": st.sampled_from(["c2hvcA", "MTI", "%", ""]) | st.text(max_size=5),
        "match[]": st.sampled_from(['{team="a"}', "up", "sum(up)", "{", ""]) | st.text(max_size=8),
        "state": st.sampled_from(["up", "firing", "active", "dead", "gone", ""]),
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
        kept = (await api.get("/api/v1/silences")).json()["items"]
        known += [item["id"] for item in kept]
        for name in ("target_id", "fingerprint", "message_id", "silence_id"):
            if name in url:
                url = url.replace(f"{{{name}}}", data.draw(st.sampled_from(known)))
        options: dict[str, Any] = {"params": data.draw(PARAMETERS)} if method == "get" else {}
        if method in ("post", "patch"):
            kind = data.draw(st.sampled_from(["application/json", "application/merge-patch+json"]))
            muting = "silence" in path or "acknowledge" in path
            body = json.dumps(data.draw(SILENCE_BODIES if muting else BODIES))
            options = {"content": body, "headers": {"content-type": kind}}
        answer = await api.request(method, url, **options)
        assert answer.status_code < 500, answer.text
        check(path, method, answer)


async def ask_a_new_one(data: st.DataObject) -> None:
    """Ask an application that nobody has asked anything."""
    with TemporaryDirectory() as directory:
        async with application(Path(directory)) as api:
            await ask(api, data)


# Each example is a whole application: to shrink a failing one would take minutes.
_EXAMPLES = settings(
    deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@settings(_EXAMPLES, max_examples=4)
@given(data=st.data())
def test_every_answer_is_as_documented(data: st.DataObject) -> None:
    """No status, type or shape comes that the document does not name; nothing is a 500."""
    asyncio.run(ask_a_new_one(data))


@pytest.mark.slow
@settings(_EXAMPLES, max_examples=40)
@given(data=st.data())
def test_every_answer_to_a_great_many_is_as_documented(data: st.DataObject) -> None:
    """The same, longer."""
    asyncio.run(ask_a_new_one(data))


async def test_the_document_is_served(api: httpx.AsyncClient) -> None:
    """What clients fetch is what these tests check against."""
    assert (await api.get("/api/v1/openapi.json")).json() == DOCUMENT
