"""`/api/v1/silences` and acknowledgements through HTTP: safe, idempotent, with their history."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from controlplane.model.labels import Labels
from tests.unit.api.conftest import ON_SHARED

_PATH = "/api/v1/silences"
_PREVIEW = f"{_PATH}/preview"
_SILENCE = {
    "matchers": ['team="shop"', 'instance=~"web-.+"'],
    "created_by": "ada",
    "comment": "deploy",
    "duration": "2h",
}


def moment(**ahead: int) -> str:
    """Return a time from now, as text."""
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()  # noqa: TID251 - what a client does


async def create(api: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """Create a silence; return the answer."""
    answer = await api.post(_PATH, json={**_SILENCE, **fields})
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def fire(api: httpx.AsyncClient, *, ended: bool = False, **labels: str) -> str:
    """Have an alert fire, or end; return its fingerprint."""
    alert = {
        "labels": {"alertname": "Down", **labels},
        "endsAt": moment(seconds=-1) if ended else moment(hours=1),
        "startsAt": moment(minutes=-1),
    }
    answer = await api.post("/alertmanager/api/v2/alerts", json=[alert])
    assert answer.status_code == 200, answer.text
    return Labels({"alertname": "Down", **labels}).fingerprint()


def pointers(answer: httpx.Response, status: int = 422) -> list[str]:
    """Check the status of a problem; return the places that it names."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [place["pointer"] for place in answer.json()["errors"]]


async def test_a_silence_is_created_once(api: httpx.AsyncClient) -> None:
    """201 with its place, then 200 for the same: its end is the one asked for last."""
    answer = await api.post(_PATH, json=_SILENCE)
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"{_PATH}/{made['id']}"
    assert (made["state"], made["in_hours"]) == ("active", True)
    assert made["matchers"] == ['instance=~"web-.+"', 'team="shop"']
    shuffled = {**_SILENCE, "matchers": _SILENCE["matchers"][::-1], "duration": "3h"}
    again = await api.post(_PATH, json=shuffled)
    assert (again.status_code, again.json()["id"]) == (200, made["id"])
    assert again.json()["ends_at"] > made["ends_at"]
    other = await create(api, comment="another deploy")
    assert other["id"] != made["id"]
    assert len((await api.get(_PATH)).json()["items"]) == 2


async def test_the_same_end_is_no_change(api: httpx.AsyncClient) -> None:
    """A request that is sent twice leaves one line in the history."""
    body = {**_SILENCE, "ends_at": "2099-01-01T00:00:00Z"}
    del body["duration"]
    first, second = [(await api.post(_PATH, json=body)).json() for _ in range(2)]
    assert first == second
    assert len((await api.get(f"{_PATH}/{first['id']}")).json()["history"]) == 1


@ON_SHARED
@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"created_by": " "}, ["/created_by"]),
        ({"comment": ""}, ["/comment"]),
        ({"matchers": []}, ["/matchers"]),
        ({"matchers": ['team="shop"', "team"]}, ["/matchers/1"]),
        ({"matchers": ['team=~"("', 5]}, ["/matchers/0", "/matchers/1"]),
        ({"matchers": ['team=""']}, ["/matchers"]),
        ({"duration": None}, ["/ends_at"]),
        ({"duration": "0s"}, ["/ends_at"]),
        ({"ends_at": "2099-01-01T00:00:00Z"}, ["/duration"]),
        ({"duration": None, "ends_at": "1999-01-01T00:00:00Z"}, ["/ends_at"]),
        ({"duration": None, "ends_at": "2099-01-01"}, ["/ends_at"]),
        ({"until_resolved": True}, ["/until_resolved"]),
        ({"times": [{"weekdays": ["someday"]}]}, ["/times/0/weekdays/0"]),
        ({"times": [{"location": "Atlantis"}]}, ["/times/0/location"]),
        (
            {"times": [{"times": [{"start_time": "09:00", "end_time": "08:00"}]}]},
            ["/times/0/times/0"],
        ),
        ({"starts": "now"}, ["/starts"]),
    ],
    ids=str,
)
async def test_bad_fields_are_named(
    shared: httpx.AsyncClient, fields: dict[str, Any], places: list[str]
) -> None:
    """Each fault by its place, and nothing is kept."""
    assert pointers(await shared.post(_PATH, json={**_SILENCE, **fields})) == places
    assert (await shared.get(_PATH)).json()["items"] == []


async def test_author_and_comment_are_required(api: httpx.AsyncClient) -> None:
    """Whoever comes at night wants to know who, and why."""
    assert pointers(await api.post(_PATH, json={"matchers": ['a="b"'], "duration": "1h"})) == [
        "/created_by",
        "/comment",
    ]


async def test_hiding_everything_needs_force(api: httpx.AsyncClient) -> None:
    """The problem names what to say; Alertmanager's own API refuses nothing of it."""
    await fire(api, team="shop")
    body = {**_SILENCE, "matchers": ['alertname=~".+"']}
    refused = await api.post(_PATH, json=body)
    assert pointers(refused) == ["/force"]
    assert "1 now" in refused.json()["detail"]
    assert (await api.post(_PATH, json={**body, "force": True})).status_code == 201
    matcher = {"name": "team", "value": ".+", "isRegex": True}
    upstream = {
        "matchers": [matcher],
        "startsAt": moment(),
        "endsAt": moment(hours=1),
        "createdBy": "ada",
        "comment": "",
    }
    answer = await api.post("/alertmanager/api/v2/silences", json=upstream)
    assert answer.status_code == 200, answer.text


async def test_recurring_hours_come_back_as_they_were_given(api: httpx.AsyncClient) -> None:
    """With the keys of the configuration file, numbers among them."""
    hours = {
        "times": [{"start_time": "00:00", "end_time": "24:00"}],
        "weekdays": ["friday:saturday", "monday"],
        "days_of_month": ["-3:-1", 1],
        "months": ["1:3", 12],
        "years": [1999],
        "location": "Europe/Berlin",
    }
    made = await create(api, times=[hours])
    assert made["times"] == [
        {**hours, "days_of_month": ["-3:-1", "1"], "months": ["1:3", "12"], "years": ["1999"]}
    ]
    assert (made["state"], made["in_hours"]) == ("active", False)
    fingerprint = await fire(api, team="shop", instance="web-1")
    alert = (await api.get(f"/api/v1/alerts/{fingerprint}")).json()
    assert (alert["suppressed"], alert["silenced_by"]) == (False, [])


async def test_a_silenced_alert_says_so(api: httpx.AsyncClient) -> None:
    """It fires and is suppressed, and names the silence."""
    fingerprint = await fire(api, team="shop", instance="web-1")
    made = await create(api)
    alert = (await api.get(f"/api/v1/alerts/{fingerprint}")).json()
    assert (alert["state"], alert["suppressed"]) == ("firing", True)
    assert (alert["silenced_by"], alert["inhibited_by"]) == ([made["id"]], [])
    await fire(api, ended=True, team="shop", instance="web-1")
    alert = (await api.get(f"/api/v1/alerts/{fingerprint}")).json()
    assert (alert["state"], alert["suppressed"]) == ("resolved", False)


async def test_a_silence_is_changed_and_ended(api: httpx.AsyncClient) -> None:
    """Under its id, each change with its actor; what has ended is not changed any more."""
    made = await create(api)
    path = f"{_PATH}/{made['id']}"
    patch = {"content-type": "application/merge-patch+json"}
    longer = await api.patch(path, content='{"duration": "9h"}', headers=patch)
    assert longer.json()["ends_at"] > made["ends_at"]
    assert (await api.patch(path, json={"comment": "still at it"})).json()[
        "comment"
    ] == "still at it"
    assert (await api.patch(path, json={})).status_code == 200
    assert (await api.delete(path)).status_code == 204
    assert (await api.delete(path)).status_code == 204
    found = (await api.get(path)).json()
    assert found["silence"]["state"] == "expired"
    assert [(each["action"], each["by"]) for each in found["history"]] == [
        ("created", "local"),
        ("changed", "local"),
        ("changed", "local"),
        ("expired", "local"),
    ]
    assert pointers(await api.patch(path, json={"duration": "1h"}), 409) == []


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"comment": None}, ["/comment"]),
        ({"comment": " "}, ["/comment"]),
        ({"ends_at": None}, ["/ends_at"]),
        ({"ends_at": "1999-01-01T00:00:00Z"}, ["/ends_at"]),
        ({"duration": "0"}, ["/ends_at"]),
        ({"duration": "1h", "ends_at": "2099-01-01T00:00:00Z"}, ["/duration"]),
        ({"matchers": ['a="b"']}, ["/matchers"]),
    ],
    ids=str,
)
async def test_bad_changes_are_named(
    api: httpx.AsyncClient, body: dict[str, Any], places: list[str]
) -> None:
    """What is hidden cannot be changed, nor an end be in the past; nothing is changed."""
    made = await create(api)
    path = f"{_PATH}/{made['id']}"
    assert pointers(await api.patch(path, json=body)) == places
    assert (await api.get(path)).json()["silence"] == made


async def test_unknown_silences_are_not_found(api: httpx.AsyncClient) -> None:
    """In every way to ask for one."""
    path = f"{_PATH}/nope"
    for answer in (
        await api.get(path),
        await api.delete(path),
        await api.patch(path, json={"comment": "x"}),
    ):
        assert pointers(answer, 404) == []


async def test_lists_page_and_filter(api: httpx.AsyncClient) -> None:
    """Those that end last first, each once over all pages; filters apply together."""
    names = []
    for number in range(5):
        made = await create(
            api, matchers=[f'team="{"ab"[number % 2]}"', f'n="{number}"'], duration=f"{number + 1}h"
        )
        names.append(made["id"])
    later = await create(api, starts_at="2099-01-01T00:00:00Z")
    await api.delete(f"{_PATH}/{names[0]}")

    async def found(**given: Any) -> list[str]:
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await api.get(_PATH, params={"limit": 2, **given, **cursor})
            page = answer.json()
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                return seen
            cursor = {"cursor": page["next_cursor"]}

    assert await found() == [later["id"], *names[:0:-1], names[0]]
    assert await found(state="pending") == [later["id"]]
    assert await found(state=["expired", "pending"]) == [later["id"], names[0]]
    assert await found(**{"match[]": '{team="a"}', "state": "active"}) == [names[4], names[2]]
    assert await found(**{"match[]": ['{n="1"}', '{n="2"}']}) == [names[2], names[1]]
    assert pointers(await api.get(_PATH, params={"cursor": "MTI"})) == ["?cursor"]
    assert pointers(await api.get(_PATH, params={"state": "gone"})) == ["?state"]


async def test_a_preview_tells_what_would_be_hidden(api: httpx.AsyncClient) -> None:
    """Now, by the hours that are asked for; it creates nothing."""
    shop = await fire(api, team="shop")
    await fire(api, team="web")
    body: dict[str, Any] = {"matchers": ['team="shop"']}
    found = (await api.post(_PREVIEW, json=body)).json()
    assert (found["hidden"], found["nearly_all"]) == (1, False)
    assert [alert["fingerprint"] for alert in found["alerts"]] == [shop]
    assert (found["past"]["notifications"], found["past"]["complete"]) == (0, True)
    assert found["past"]["since"] < moment(days=-6)
    everything = (await api.post(_PREVIEW, json={"matchers": ['alertname=~".+"']})).json()
    assert (everything["hidden"], everything["nearly_all"]) == (2, True)
    never = {**body, "times": [{"years": ["1999"]}], "window": "1h"}
    assert (await api.post(_PREVIEW, json=never)).json()["hidden"] == 0
    assert (await api.get(_PATH)).json()["items"] == []
    assert pointers(await api.post(_PREVIEW, json={"matchers": ['x=""']})) == ["/matchers"]


async def test_an_alert_is_acknowledged_once(api: httpx.AsyncClient) -> None:
    """A silence on exactly its labels, whoever asks again; others are told as before."""
    fingerprint, other = await fire(api, team="shop"), await fire(api, team="shop", n="2")
    path = f"/api/v1/alerts/{fingerprint}/acknowledge"
    body = {"created_by": "ada", "comment": "on it"}
    first = await api.post(path, json=body)
    assert first.status_code == 201
    made = first.json()
    assert made["matchers"] == ['alertname="Down"', 'team="shop"']
    assert (made["until_resolved"], made["created_by"]) == (True, "ada")
    again = await api.post(path, json={"created_by": "grace", "comment": "me too"})
    assert (again.status_code, again.json()) == (200, made)
    states = {
        each: (await api.get(f"/api/v1/alerts/{each}")).json()["silenced_by"]
        for each in (fingerprint, other)
    }
    assert states[fingerprint] == [made["id"]]


async def test_an_acknowledgement_ends_with_its_alert(api: httpx.AsyncClient) -> None:
    """Fired again it is told again, and what has resolved cannot be acknowledged."""
    fingerprint = await fire(api, team="shop")
    path = f"/api/v1/alerts/{fingerprint}/acknowledge"
    body = {"created_by": "ada", "comment": "on it"}
    made = (await api.post(path, json=body)).json()
    await fire(api, ended=True, team="shop")
    assert pointers(await api.post(path, json=body), 409) == []
    await fire(api, team="shop")
    alert = (await api.get(f"/api/v1/alerts/{fingerprint}")).json()
    assert (alert["state"], alert["silenced_by"]) == ("firing", [])
    new = await api.post(path, json=body)
    assert (new.status_code, new.json()["id"] != made["id"]) == (201, True)


async def test_only_a_known_alert_is_acknowledged_by_somebody(api: httpx.AsyncClient) -> None:
    """404 for another, 422 without an author and words."""
    body = {"created_by": "ada", "comment": "on it"}
    assert pointers(await api.post("/api/v1/alerts/nope/acknowledge", json=body), 404) == []
    path = f"/api/v1/alerts/{await fire(api, team='shop')}/acknowledge"
    assert pointers(await api.post(path, json={})) == ["/created_by", "/comment"]
    assert pointers(await api.post(path, json={**body, "duration": "0"})) == ["/duration"]


@pytest.mark.parametrize("kind", ["application/xml", "text/json"])
async def test_other_types_are_415(api: httpx.AsyncClient, kind: str) -> None:
    """Nothing is guessed about a body, here either."""
    for path in (_PATH, _PREVIEW, "/api/v1/alerts/x/acknowledge"):
        answer = await api.post(path, content=b"{}", headers={"content-type": kind})
        assert pointers(answer, 415) == []
