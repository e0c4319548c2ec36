"""Alertmanager's API v2: bodies, codes, filters and errors as upstream's."""

import json
from itertools import permutations
from typing import Any
from uuid import uuid4

import httpx
import pytest

from controlplane.api.alertmanager.answers import unhurried
from controlplane.api.alertmanager.groups import in_order
from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.routing.ports import Flush
from tests.unit.api.conftest import ON_SHARED

_API = "/alertmanager/api/v2"
_NOBODY = "5d3b9a0e-0000-4000-8000-000000000000"


async def post(api: httpx.AsyncClient, *alerts: dict[str, Any]) -> httpx.Response:
    """Post alerts."""
    return await api.post(f"{_API}/alerts", json=list(alerts))


async def names(api: httpx.AsyncClient, **parameters: Any) -> set[str]:
    """Return the names of the alerts that are listed."""
    found = (await api.get(f"{_API}/alerts", params=parameters)).raise_for_status().json()
    return {each["labels"]["alertname"] for each in found}


def silence(**other: Any) -> dict[str, Any]:
    """Return a silence of the alert `a`."""
    return {
        "matchers": [{"name": "alertname", "value": "a", "isRegex": False}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "ops",
        "comment": "known",
        **other,
    }


async def test_an_alert_is_shown_with_what_was_left_out(api: httpx.AsyncClient) -> None:
    """Without a start it begins now, without an end it lasts five minutes; empty labels go."""
    given = {"labels": {"alertname": "a", "empty": ""}, "annotations": {"summary": "s"}}
    answer = await post(api, given)
    assert (answer.status_code, answer.content) == (200, b"")
    (shown,) = (await api.get(f"{_API}/alerts")).json()
    assert shown["labels"] == {"alertname": "a"}
    assert shown["annotations"] == {"summary": "s"}
    assert shown["receivers"] == [{"name": "nobody"}]
    assert shown["startsAt"] == shown["updatedAt"] < shown["endsAt"]
    assert shown["fingerprint"] == Labels({"alertname": "a"}).fingerprint()
    state = {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert shown["status"] == state
    assert "generatorURL" not in shown


async def test_the_unset_time_of_go_is_no_time(api: httpx.AsyncClient) -> None:
    """amtool sends the year 1 for what nobody said."""
    unset = "0001-01-01T00:00:00.000Z"
    await post(api, {"labels": {"alertname": "a"}, "startsAt": unset, "endsAt": unset})
    (shown,) = (await api.get(f"{_API}/alerts")).json()
    assert shown["startsAt"] == shown["updatedAt"]


async def test_one_bad_alert_holds_up_no_other(api: httpx.AsyncClient) -> None:
    """The answer names each reason; what can be used is kept."""
    late = {"startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}
    answer = await post(
        api,
        {"labels": {}},
        {"labels": {"alertname": "a"}},
        {"labels": {"alertname": "b"}, **late},
        {"labels": {"": "x"}},
        {"labels": {"alertname": "c"}, "annotations": {"": "x"}},
    )
    assert answer.status_code == 400
    assert answer.json().split("\n") == [
        "at least one label pair required",
        "start time must be before end time",
        'invalid label set: invalid name ""',
        'invalid annotations: invalid name ""',
    ]
    assert await names(api) == {"a"}


async def test_an_alert_that_is_resolved_is_no_longer_shown(api: httpx.AsyncClient) -> None:
    """Sending it again, with an end that has come, resolves it; twice is as good as once."""
    alert = {"labels": {"alertname": "a"}}
    await post(api, alert)
    (shown,) = (await api.get(f"{_API}/alerts")).json()
    for _ in range(2):
        ended = {**alert, "startsAt": shown["startsAt"], "endsAt": shown["updatedAt"]}
        assert (await post(api, ended)).status_code == 200
    assert await names(api) == set()


@ON_SHARED
@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (b"", 422, 602, "alerts in body is required"),
        (b"[{}]", 422, 602, "0.labels in body is required"),
        (b"[null]", 422, 602, "0.labels in body is required"),
        (b'[{"labels": null}]', 422, 602, "0.labels in body is required"),
        (
            b'[{"labels": {"a": "b"}, "generatorURL": "not a url"}]',
            422,
            601,
            '0.generatorURL in body must be of type uri: "not a url"',
        ),
        (b"{}", 400, 400, 'parsing alerts body from "" failed'),
        (b"[", 400, 400, 'parsing alerts body from "" failed'),
        (b'[{"labels": {"a": 5}}]', 400, 400, "0.labels.a"),
        (b'[{"labels": {"a": "b"}, "startsAt": "soon"}]', 400, 400, 'parsing time "soon"'),
        (b'[{"labels": {"a": "b"}, "startsAt": 5}]', 400, 400, "a time is a text"),
        (
            b'[{"labels": {"a": "b"}, "endsAt": "9999-12-31T23:59:59-14:00"}]',
            400,
            400,
            "outside of range",
        ),
        (b"[" * 100_000, 400, 400, "nested too deeply"),
    ],
)
async def test_what_is_no_alert_is_refused_with_a_code(
    shared: httpx.AsyncClient, body: bytes, status: int, code: int, message: str
) -> None:
    """What upstream's layers refuse before Alertmanager sees it."""
    answer = await shared.post(
        f"{_API}/alerts", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert message in answer.json()["message"]


async def test_bodies_are_read_as_go_reads_them(api: httpx.AsyncClient) -> None:
    """Names in any case, null for nothing, unknown keys, no alerts at all."""
    odd = {
        "Labels": {"alertname": "a", "gone": None, "half": "\ud800"},
        "annotations": None,
        "startsAt": None,
        "generatorurl": "http://x/y",
        "unknown": 1,
    }
    for body in ([], None, [odd]):
        answer = await api.post(
            f"{_API}/alerts",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 200
    (shown,) = (await api.get(f"{_API}/alerts")).json()
    assert shown["labels"] == {"alertname": "a", "half": "\ufffd"}
    assert shown["generatorURL"] == "http://x/y"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05.123456789Z",
        "2026-01-02t03:04:05.123z",
        "2026-01-02T04:04:05.123+01:00",
        "2026-01-02T04:04:05.123+0100",
        "2026-01-02 03:04:05.123",
    ],
)
async def test_times_are_read_in_every_form_that_upstream_reads(
    api: httpx.AsyncClient, text: str
) -> None:
    """A zone that is missing is UTC; less than a millisecond is cut off."""
    await post(api, {"labels": {"alertname": "a"}, "startsAt": text})
    (shown,) = (await api.get(f"{_API}/alerts")).json()
    assert shown["startsAt"] == "2026-01-02T03:04:05.123Z"


async def test_alerts_are_filtered(api: httpx.AsyncClient) -> None:
    """By matchers, all of which count, by receiver, and by state."""
    await post(api, *({"labels": {"alertname": name, "team": "db"}} for name in "abc"))
    await api.post(f"{_API}/silences", json=silence())
    assert await names(api, filter='alertname=~"a|b"') == {"a", "b"}
    assert await names(api, filter=['alertname=~"a|b"', "alertname!=a"]) == {"b"}
    assert await names(api, filter='"team"=db', receiver="no.*") == {"a", "b", "c"}
    assert await names(api, receiver="body") == set()
    assert await names(api, receiver_matchers="owner=me") == set()
    assert await names(api, receiver_matchers="owner=") == {"a", "b", "c"}
    assert await names(api, silenced="false") == {"b", "c"}
    assert await names(api, active="no") == {"a"}
    assert await names(api, active="", unprocessed="false", inhibited="0") == {"a", "b", "c"}


@ON_SHARED
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("alerts?filter=bad", "bad matcher format: bad"),
        ("alerts?filter={a=b}", "unexpected open or close brace: {a=b}"),
        ("alerts?receiver=(", "failed to parse receiver param: "),
        ("alerts?receiver_matchers=x", "failed to parse receiver_matchers param: "),
        ("alerts/groups?filter=bad", "bad matcher format: bad"),
        ("alerts/groups?receiver=(", "failed to parse receiver param: "),
        ("silences?filter=bad", "bad matcher format: bad"),
        ("receivers?receiver_matchers=x", "failed to parse receiver_matchers param: "),
    ],
)
async def test_a_bad_filter_is_answered_with_a_text(
    shared: httpx.AsyncClient, path: str, message: str
) -> None:
    """400 and a JSON text, no object."""
    answer = await shared.get(f"{_API}/{path}")
    assert answer.status_code == 400
    assert answer.json().startswith(message)


async def test_groups_hold_the_alerts_that_are_asked_for(api: httpx.AsyncClient) -> None:
    """A group without one of them is left out."""
    await post(api, {"labels": {"alertname": "a"}}, {"labels": {"alertname": "b"}})
    (group,) = (await api.get(f"{_API}/alerts/groups")).json()
    assert group["receiver"] == {"name": "nobody"}
    assert (group["labels"], group["routeLabels"]) == ({}, {})
    assert [each["labels"]["alertname"] for each in group["alerts"]] == ["a", "b"]
    assert group["alerts"][0]["receivers"] == [{"name": "nobody"}]
    for empty in ({"filter": "alertname=c"}, {"active": "false"}, {"receiver": "x"}):
        assert (await api.get(f"{_API}/alerts/groups", params=empty)).json() == []


def test_groups_are_in_upstreams_order() -> None:
    """Shorter label sets first, then who lacks the first name, then values, then receivers."""

    def flush(receiver: str = "r", **labels: str) -> Flush:
        return Flush("", Labels(labels), "", receiver, 1, (), 1)

    ordered = [
        flush(),
        flush(b="1"),
        flush(a="1"),
        flush(a="2", receiver="q"),
        flush(a="2", receiver="r"),
        flush(a="1", b="1"),
    ]
    for mixed in permutations(ordered):
        assert in_order(mixed) == ordered


async def test_a_long_answer_lets_others_run() -> None:
    """Between some of its parts the event loop turns, and nothing is lost."""
    turns: list[float] = []

    class Turns(SystemClock):
        async def sleep(self, seconds: float) -> None:
            turns.append(seconds)

    assert [item async for item in unhurried(range(1000), Turns())] == list(range(1000))
    assert turns == [0] * 20


async def test_a_silence_is_set_shown_changed_and_ended(api: httpx.AsyncClient) -> None:
    """The id stays while its past does; an ended one stays listed; ending twice is once."""
    await post(api, {"labels": {"alertname": "a"}})
    name = (await api.post(f"{_API}/silences", json=silence())).json()["silenceID"]
    shown = (await api.get(f"{_API}/silence/{name}")).json()
    matcher = {"name": "alertname", "value": "a", "isRegex": False, "isEqual": True}
    assert shown["matchers"] == [matcher]
    assert shown["startsAt"] == shown["updatedAt"]
    assert (shown["status"], shown["annotations"]) == ({"state": "active"}, {})
    (alert,) = (await api.get(f"{_API}/alerts")).json()
    assert (alert["status"]["state"], alert["status"]["silencedBy"]) == ("suppressed", [name])

    longer = {**shown, "endsAt": "2098-01-01T00:00:00Z", "comment": "more"}
    assert (await api.post(f"{_API}/silences", json=longer)).json() == {"silenceID": name}
    other = {**longer, "matchers": [{**matcher, "value": "b"}]}
    new = (await api.post(f"{_API}/silences", json=other)).json()["silenceID"]
    assert new != name
    listed = (await api.get(f"{_API}/silences")).json()
    states = [(each["id"], each["status"]["state"]) for each in listed]
    assert states == [(new, "active"), (name, "expired")]
    for _ in range(2):
        assert (await api.delete(f"{_API}/silence/{new}")).status_code == 200
    assert (await api.get(f"{_API}/silences", params={"expired": "false"})).json() == []


async def test_silences_are_filtered_by_their_very_matchers(api: httpx.AsyncClient) -> None:
    """Each filter must stand in the silence, letter by letter; pending ones come after active."""
    later = silence(startsAt="2098-01-01T00:00:00Z", comment="later")
    for each in (later, silence()):
        await api.post(f"{_API}/silences", json=each)

    async def comments(**parameters: str) -> list[str]:
        found = (await api.get(f"{_API}/silences", params=parameters)).json()
        return [each["comment"] for each in found]

    assert await comments() == ["known", "later"]
    assert await comments(filter="alertname=a", pending="false") == ["known"]
    assert await comments(filter='alertname=~"a"') == []


@ON_SHARED
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"endsAt": "2020-01-01T00:00:00Z"}, "start time must be before end time"),
        ({"endsAt": "2020-01-02T00:00:00Z"}, "end time can't be in the past"),
        (
            {"matchers": [{"name": "a", "value": "", "isRegex": False}]},
            "at least one matcher must not match the empty string",
        ),
        (
            {"matchers": [{"name": "a", "value": "(", "isRegex": True}]},
            "invalid silence: invalid label matcher 0: ",
        ),
        ({"matchers": [{"name": "", "value": "x", "isRegex": False}]}, "invalid label matcher 0"),
    ],
)
async def test_a_silence_that_cannot_be_is_refused_with_a_text(
    shared: httpx.AsyncClient, change: dict[str, Any], message: str
) -> None:
    """400 and upstream's words."""
    answer = await shared.post(f"{_API}/silences", json=silence(**change))
    assert answer.status_code == 400
    assert message in answer.json()


@ON_SHARED
@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, 602, "comment in body is required"),
        (silence(matchers=[]), 612, "matchers in body should have at least 1 items"),
        (
            silence(matchers=[{"name": "a", "value": "b"}]),
            602,
            "matchers.0.isRegex in body is required",
        ),
    ],
)
async def test_a_silence_that_lacks_a_part_is_refused_with_a_code(
    shared: httpx.AsyncClient, body: dict[str, Any], code: int, message: str
) -> None:
    """422 and go-openapi's words, the first of them."""
    answer = await shared.post(f"{_API}/silences", json=body)
    assert answer.status_code == 422
    assert answer.json() == {"code": code, "message": message}


async def test_a_silence_that_is_not_there(api: httpx.AsyncClient) -> None:
    """404, with a text only where upstream has one; 422 for what is no id."""
    for method in ("GET", "DELETE"):
        answer = await api.request(method, f"{_API}/silence/{_NOBODY}")
        assert (answer.status_code, answer.content) == (404, b"")
        answer = await api.request(method, f"{_API}/silence/abc")
        assert answer.status_code == 422
        wrong = 'silenceID in path must be of type uuid: "abc"'
        assert answer.json() == {"code": 601, "message": wrong}
    answer = await api.post(f"{_API}/silences", json=silence(id=str(uuid4())))
    assert (answer.status_code, answer.json()) == (404, "silence not found")


async def test_status_and_receivers(api: httpx.AsyncClient) -> None:
    """What the schema requires of a status; the receivers' names."""
    status = (await api.get(f"{_API}/status")).json()
    assert status["cluster"] == {"status": "disabled", "peers": []}
    assert status["versionInfo"]["version"] == "0.34.0"
    assert "receiver: nobody" in status["config"]["original"]
    assert "scrape_interval" not in status["config"]["original"]
    assert status["uptime"].endswith("Z")
    assert (await api.get(f"{_API}/receivers")).json() == [
        {"name": "nobody", "labels": {"name": "nobody"}}
    ]
    found = await api.get(f"{_API}/receivers", params={"receiver_matchers": "owner=me"})
    assert found.json() == []


async def test_paths_and_methods_that_are_not_there(api: httpx.AsyncClient) -> None:
    """A code and a message, as what never reached Alertmanager."""
    answer = await api.get(f"{_API}/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
    answer = await api.put(f"{_API}/alerts", json=[])
    assert (answer.status_code, answer.json()["code"]) == (405, 405)


async def test_what_watches_the_process(api: httpx.AsyncClient) -> None:
    """Healthy, ready, reloaded, measured, in Alertmanager's words."""
    for path in ("healthy", "ready"):
        assert (await api.get(f"/alertmanager/-/{path}")).text == "OK"
    assert (await api.post("/alertmanager/-/reload")).status_code == 200
    assert "controlplane_alerts" in (await api.get("/alertmanager/metrics")).text
