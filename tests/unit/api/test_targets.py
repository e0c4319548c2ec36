"""`/api/v1/targets` through HTTP: shapes, codes, filters, and every way to ask for nonsense."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.api.conftest import ON_SHARED

_PATH = "/api/v1/targets"
_PATCH = {"content-type": "application/merge-patch+json"}


async def register(api: httpx.AsyncClient, name: str = "shop", **fields: Any) -> dict[str, Any]:
    """Register a target; return the answer."""
    body = {"name": name, "url": "http://10.0.0.5/", **fields}
    answer = await api.post(_PATH, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def owned(api: httpx.AsyncClient) -> str:
    """Return the id of the target that the file owns."""
    found: str = (await api.get(_PATH, params={"provenance": "file"})).json()["items"][0]["id"]
    return found


async def refused(answer: httpx.Response, status: int, *pointers: str) -> None:
    """Check that an answer is a problem that names these places."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    assert [place["pointer"] for place in problem["errors"]] == list(pointers)


async def test_post_creates_then_replaces(api: httpx.AsyncClient) -> None:
    """201 with a location, then 200 with all that was not said again at its default."""
    body: dict[str, object] = {"name": "shop", "url": "http://10.0.0.5/"}
    body |= {"interval": "1m30s", "lease": "90s"}
    body |= {"depends_on": ["db", '{job="gateway", zone="a"}'], "dashboard": "red"}
    made = await api.post(_PATH, json={**body, "labels": {"team": "shop"}})
    assert made.status_code == 201
    target = made.json()
    assert made.headers["location"] == f"{_PATH}/{target['id']}"
    assert (target["interval"], target["lease"]) == ("1m30s", "1m30s")
    assert (target["module"], target["provenance"]) == ("http_2xx", "api")
    assert target["expires_at"] > target["renewed_at"]
    again = await api.post(_PATH, json={"name": "shop", "url": "http://10.0.0.6/"})
    assert again.status_code == 200
    assert again.json()["id"] == target["id"]
    assert (again.json()["labels"], again.json()["lease"]) == ({}, None)
    assert target["depends_on"] == ["db", '{job="gateway",zone="a"}']
    assert again.json()["depends_on"] == []
    assert (target["dashboard"], again.json()["dashboard"]) == ("red", None)


async def test_what_a_file_owns_is_read_only(api: httpx.AsyncClient) -> None:
    """POST, DELETE and PATCH of its registration are 409."""
    path = f"{_PATH}/{await owned(api)}"
    await refused(await api.post(_PATH, json={"name": "owned", "url": "http://a/"}), 409)
    await refused(await api.delete(path), 409)
    await refused(await api.patch(path, json={"interval": "5s"}), 409)


async def test_the_operators_part_is_kept_apart(api: httpx.AsyncClient) -> None:
    """Paused and overrides are set by PATCH, with their actor, on any target; POST keeps them."""
    target = await register(api)
    for target_id in (target["id"], await owned(api)):
        patch = {"paused": True, "label_overrides": {"team": "night"}}
        found = (await api.patch(f"{_PATH}/{target_id}", json=patch)).json()
        assert (found["state"], found["paused"]) == ("paused", True)
        assert found["label_overrides"] == {"team": "night"}
        assert found["operator"]["actor"] == "local"
    assert (await register(api, labels={"a": "b"}))["paused"] is True
    path = f"{_PATH}/{target['id']}"
    found = (await api.patch(path, json={"label_overrides": {"team": None, "x": "y"}})).json()
    assert found["label_overrides"] == {"x": "y"}
    found = (await api.patch(path, json={"paused": None, "label_overrides": None})).json()
    assert (found["paused"], found["label_overrides"]) == (False, {})


async def test_patch_is_a_merge(api: httpx.AsyncClient) -> None:
    """Null removes, objects merge, what is not named stays."""
    target = await register(api, labels={"a": "1", "b": "2"}, interval="30s", lease="1m")
    path = f"{_PATH}/{target['id']}"
    patch = {"labels": {"a": None, "c": "3"}, "interval": None}
    found = (await api.patch(path, content=json.dumps(patch), headers=_PATCH)).json()
    assert (found["labels"], found["interval"]) == ({"b": "2", "c": "3"}, None)
    assert found["lease"] == "1m"


async def test_lists_page_and_filter(api: httpx.AsyncClient) -> None:
    """Every target once over all pages; filters are alternatives within, and apply together."""
    for number in range(5):
        await register(api, f"t{number}", labels={"team": "ab"[number % 2]})
    names, cursor = [], None
    while True:
        given = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await api.get(_PATH, params=given)).json()
        names += [item["name"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert names == ["owned", "t0", "t1", "t2", "t3", "t4"]

    async def found(query: str) -> list[str]:
        return [item["name"] for item in (await api.get(f"{_PATH}?{query}")).json()["items"]]

    assert await found("match[]={team=%22a%22}") == ["t0", "t2", "t4"]
    assert await found("match[]={job=%22t1%22}&match[]={team=%22infra%22}") == ["owned", "t1"]
    assert await found("provenance=file") == ["owned"]
    assert await found("state=up&state=down") == []
    assert await found("state=unknown&match[]={team=%22b%22}") == ["t1", "t3"]


async def test_delete_renew_and_failures(api: httpx.AsyncClient) -> None:
    """204 without a body; what is gone is 404 everywhere."""
    target = await register(api, lease="1m")
    path = f"{_PATH}/{target['id']}"
    assert (await api.post(f"{path}/renew")).json()["renewed_at"] >= target["renewed_at"]
    assert (await api.get(f"{path}/failures")).json() == {"items": [], "next_cursor": None}
    gone = await api.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    for answer in (
        await api.get(path),
        await api.delete(path),
        await api.post(f"{path}/renew"),
        await api.get(f"{path}/failures"),
        await api.patch(path, json={}),
    ):
        await refused(answer, 404)


@ON_SHARED
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"url": "http://a/"}, ["/name"]),
        ({"name": "a"}, ["/url"]),
        ({"name": "A!", "url": "http://a/"}, ["/name"]),
        ({"name": "a", "url": "ftp://a/"}, ["/url"]),
        ({"name": "a", "url": "http://u:p@a/"}, ["/url"]),
        ({"name": "a", "url": "http://a/", "address": "a:1"}, ["/url"]),
        ({"name": "a", "url": "http://a/", "module": "nope"}, ["/module"]),
        ({"name": "a", "address": "a:1"}, ["/module"]),
        ({"name": 1, "url": "http://a/", "intervall": "1s", "lease": 5}, ["/name", "/lease"]),
        ({"name": "a", "url": "http://a/", "interval": "soon"}, ["/interval"]),
        ({"name": "a", "url": "http://a/", "labels": {"a": 1, "b/c~": None}}, ["/labels/a"]),
        ({"name": "a", "url": "http://a/", "labels": {"__x": "1"}}, ["/labels/__x"]),
        ({"name": "a", "url": "http://a/", "labels": {"a": "\ud800"}}, ["/labels/a"]),
        ({"name": "a", "url": "http://a/", "labels": {f"l{i}": "" for i in range(10_000)}}, None),
    ],
)
async def test_bad_fields_are_named(
    shared: httpx.AsyncClient, body: dict[str, Any], pointers: list[str] | None
) -> None:
    """Each fault is told by its place in the body."""
    headers = {"content-type": "application/json"}
    answer = await shared.post(_PATH, content=json.dumps(body), headers=headers)
    assert answer.status_code == 422
    found = [place["pointer"] for place in answer.json()["errors"]]
    assert found[: len(pointers or ["/labels"])] == (pointers or ["/labels"])
    assert not [d for d in answer.json()["errors"] if d["detail"].startswith("Value error")]


async def test_every_fault_is_told_at_once(api: httpx.AsyncClient) -> None:
    """Unknown fields too; a pointer escapes what RFC 6901 says."""
    body = {"name": 1, "url": "http://a/", "nope": 1, "labels": {"b/c~": 2}}
    await refused(await api.post(_PATH, json=body), 422, "/name", "/labels/b~1c~0", "/nope")
    target = await register(api)
    patch = {"paused": "perhaps", "nope": 1, "labels": {"a": 1}}
    answer = await api.patch(f"{_PATH}/{target['id']}", json=patch)
    await refused(answer, 422, "/labels/a", "/paused", "/nope")


_DEEP = "[" * 100_000
_BROKEN: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"name": "a"',
    "list": b"[1]",
    "not utf-8": b'{"name": "\xff"}',
    "deep list": _DEEP.encode(),
    "deep object": b'{"a":' * 50_000,
    "long number": b'{"name": ' + b"1" * 5000 + b"}",
    "surrogate key": b'{"\\ud800": 1}',
}


@ON_SHARED
@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("name", _BROKEN)
async def test_broken_bodies_are_refused(shared: httpx.AsyncClient, method: str, name: str) -> None:
    """Whatever it is that was sent, the answer is 422 and in our shape."""
    path = _PATH if method == "POST" else f"{_PATH}/{await owned(shared)}"
    headers = {"content-type": "application/json"}
    answer = await shared.request(method, path, content=_BROKEN[name], headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "urn:controlplane:problem:invalid-input"
    assert len(answer.json()["errors"]) >= 1


async def test_a_deep_patch_is_refused(api: httpx.AsyncClient) -> None:
    """A depth that JSON can be read at, but not merged."""
    target = await register(api)
    patch = '{"labels":' * 900 + "1" + "}" * 900
    answer = await api.patch(f"{_PATH}/{target['id']}", content=patch, headers=_PATCH)
    assert answer.status_code == 422


@ON_SHARED
@pytest.mark.parametrize("kind", ["application/xml", "text/json", "application/octet-stream"])
async def test_other_types_are_415(shared: httpx.AsyncClient, kind: str) -> None:
    """Nothing is guessed about a body."""
    body, headers = b'{"name": "a", "url": "http://a/"}', {"content-type": kind}
    await refused(await shared.post(_PATH, content=body, headers=headers), 415)
    path = f"{_PATH}/{await owned(shared)}"
    await refused(await shared.patch(path, content=body, headers=headers), 415)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
async def test_forms_of_foreign_pages_are_forbidden(api: httpx.AsyncClient, kind: str) -> None:
    """A page could send these without asking."""
    body, headers = b'{"name": "a", "url": "http://a/"}', {"content-type": kind}
    await refused(await api.post(_PATH, content=body, headers=headers), 403)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"host": "evil.example"}, {"origin": "null"}],
    ids=str,
)
async def test_foreign_pages_are_forbidden(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """A foreign Host or Origin is refused, also for reads, also for health."""
    await refused(await api.get(_PATH, headers=headers), 403)
    await refused(await api.get("/health", headers=headers), 403)


@ON_SHARED
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "?limit"),
        ("limit=1001", "?limit"),
        ("limit=x", "?limit"),
        ("cursor=%25", "?cursor"),
        ("cursor=%C3%A9", "?cursor"),
        ("match[]=up{", "?match[]"),
        ("match[]=up&match[]=sum(up)", "?match[]"),
        ("state=gone", "?state"),
        ("provenance=me", "?provenance"),
        ("states=up", "?states"),
        ("match[]=" + "(" * 5000, "?match[]"),
    ],
)
async def test_bad_parameters_are_named(
    shared: httpx.AsyncClient, query: str, pointer: str
) -> None:
    """Unknown ones too: a filter that was misspelt must not show everything."""
    await refused(await shared.get(f"{_PATH}?{query}"), 422, pointer)
