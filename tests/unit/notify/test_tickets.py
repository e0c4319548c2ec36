"""Jira and incident.io: an issue, an incident for each group, from its start to its end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import pytest
from aiohttp import web

from controlplane.errors import InvalidInput
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.incidentio.options import IncidentioConfig
from controlplane.notify.integrations.jira.options import JiraConfig, JiraText
from controlplane.notify.integrations.jira.render import search_url
from controlplane.notify.integrations.table import build_integrations
from controlplane.notify.message import Content, FailureReason, Notification, Outcome
from controlplane.notify.options import Receiver
from controlplane.notify.ports import Integration
from controlplane.transport.options import Authorization, BasicAuth, HTTPClientConfig
from tests.support.outbound import surroundings
from tests.support.recorder import Recorder, Request, fine, recorder

NOW = 1_700_000_000_000
KEY = '{}:{alertname="Broken"}'
LABEL = f"ALERT{{{sha256(KEY.encode()).hexdigest()}}}"


def alert(name: str = "a", *, ends_at: int = NOW + 1, **labels: str) -> Alert:
    named = Labels({"alertname": "Broken", "instance": name, **labels})
    return Alert(named, NOW - 90_000, ends_at, NOW, annotations=Labels({"summary": "it broke"}))


def notification(*alerts: Alert) -> Notification:
    content = Content(KEY, Labels(), Reason.FIRST, alerts or (alert(),), NOW)
    return Notification("ops", "x/0", KEY, content)


FIRING = notification(alert(severity="critical"))
RESOLVED = notification(alert(ends_at=NOW - 1))


@asynccontextmanager
async def sender(**configs: Any) -> AsyncIterator[Integration]:
    """Build the one integration of a receiver as the program does."""
    async with surroundings() as around:
        [(_, [made])] = build_integrations([Receiver("ops", **configs)], around).items()
        yield made
        await made.close()


@dataclass
class JiraProject:
    """A project of Jira: issues that are searched, written and moved."""

    issues: list[dict[str, Any]] = field(default_factory=list)
    transitions: dict[str, str] = field(default_factory=lambda: {"Done": "31", "Reopen": "41"})
    done: set[str] = field(default_factory=set)
    searches: list[dict[str, Any]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> web.Response:
        match request.method, request.path.removeprefix("/rest/api/2/").split("/"):
            case "POST", ["search"]:
                self.searches.append(request.body)
                return web.json_response({"issues": self._found(request.body["jql"])})
            case "POST", ["issue"]:
                key = f"OPS-{len(self.issues) + 1}"
                self.issues.append({"key": key, **request.body["fields"]})
                return web.json_response({"key": key}, status=201)
            case "PUT", ["issue", key]:
                next(each for each in self.issues if each["key"] == key).update(
                    request.body["fields"]
                )
                return web.Response(status=204)
            case "GET", ["issue", _, "transitions"]:
                offered = [{"id": id_, "name": name} for name, id_ in self.transitions.items()]
                return web.json_response({"transitions": offered})
            case "POST", ["issue", key, "transitions"]:
                self._move(key, request.body["transition"]["id"])
                return web.Response(status=204)
        return web.Response(status=404)

    def _found(self, jql: str) -> list[dict[str, Any]]:
        return [
            {"key": each["key"], "fields": {"status": self._status(each["key"])}}
            for each in self.issues
            if any(json.dumps(label) in jql for label in each["labels"])
            and (each["key"] not in self.done or "statusCategory != Done" not in jql)
        ]

    def _status(self, key: str) -> dict[str, Any]:
        return {"name": "x", "statusCategory": {"key": "done" if key in self.done else "new"}}

    def _move(self, key: str, transition: str) -> None:
        name = next(name for name, id_ in self.transitions.items() if id_ == transition)
        self.moved.append((key, name))
        (self.done.add if name == "Done" else self.done.discard)(key)


def jira(site: Recorder, **options: Any) -> dict[str, Any]:
    config = JiraConfig(f"{site.url}/rest/api/2", "OPS", "Bug", **options)
    return {"jira_configs": (config,)}


async def test_a_group_is_an_issue_from_its_start_to_its_end() -> None:
    """Opened once, changed by what comes later, closed by its transition, opened again."""
    project = JiraProject()
    ways = {
        "resolve_transition": "Done",
        "reopen_transition": "Reopen",
        "reopen_duration": 3_600_000,
    }
    async with recorder(project) as site, sender(**jira(site, **ways, labels=("b", "Z"))) as made:
        opened = await made.send(FIRING)
        await made.send(notification(alert("a"), alert("b")))
        (issue,) = project.issues
        assert issue["summary"].startswith("[FIRING:2]")
        assert project.moved == []
        await made.send(RESOLVED)
        assert project.moved == [("OPS-1", "Done")]
        await made.send(FIRING)
    assert project.moved == [("OPS-1", "Done"), ("OPS-1", "Reopen")]
    assert len(project.issues) == 1
    assert opened.status_code == 201
    assert issue["labels"] == sorted(["b", "Z", LABEL])
    assert (issue["project"], issue["issuetype"]) == ({"key": "OPS"}, {"name": "Bug"})
    assert issue["priority"] == {"name": "High"}


async def test_without_a_transition_back_a_new_issue_is_opened() -> None:
    """A closed issue is history; what has no transition to its end stays open."""
    project = JiraProject()
    async with recorder(project) as site, sender(**jira(site)) as made:
        await made.send(FIRING)
        await made.send(RESOLVED)
        assert (len(project.issues), project.moved) == (1, [])
        project.done.add("OPS-1")
        await made.send(FIRING)
    assert len(project.issues) == 2


async def test_the_end_of_what_has_no_issue_opens_none() -> None:
    """Somebody closed it: there is nothing to say."""
    project = JiraProject()
    async with recorder(project) as site, sender(**jira(site)) as made:
        await made.send(RESOLVED)
    assert project.issues == []


@pytest.mark.parametrize(
    ("options", "message", "jql"),
    [
        ({}, FIRING, "statusCategory != Done and "),
        (
            {"reopen_transition": "Reopen", "reopen_duration": 5_400_000},
            FIRING,
            "(resolutiondate is EMPTY OR resolutiondate >= -90m) and ",
        ),
        (
            {"reopen_transition": "Reopen", "reopen_duration": 5_400_000},
            RESOLVED,
            "statusCategory != Done and ",
        ),
        (
            {"wont_fix_resolution": 'Won\'t "do"'},
            FIRING,
            '(resolution is EMPTY or resolution != "Won\'t \\"do\\"") and '
            "statusCategory != Done and ",
        ),
    ],
)
async def test_the_search_names_what_may_be_changed(
    options: dict[str, Any], message: Notification, jql: str
) -> None:
    """Open issues; closed ones while they may be opened again; none that will not be fixed."""
    project = JiraProject()
    async with recorder(project) as site, sender(**jira(site, **options)) as made:
        await made.send(message)
    (asked,) = project.searches
    rest = f'project="OPS" and labels="{LABEL}" order by status ASC,resolutiondate DESC'
    assert asked == {"jql": jql + rest, "maxResults": 2, "fields": ["status"]}


@pytest.mark.parametrize(
    ("url", "kind", "expected"),
    [
        (
            "https://x.atlassian.net/rest/api/2",
            "auto",
            "https://x.atlassian.net/rest/api/3/search/jql",
        ),
        (
            "https://x.atlassian.net/rest/api/2/",
            "datacenter",
            "https://x.atlassian.net/rest/api/2/search",
        ),
        (
            "https://jira.example.org/rest/api/2",
            "auto",
            "https://jira.example.org/rest/api/2/search",
        ),
        (
            "https://jira.example.org/rest/api/2",
            "cloud",
            "https://jira.example.org/rest/api/3/search/jql",
        ),
    ],
)
def test_the_cloud_is_searched_elsewhere(url: str, kind: str, expected: str) -> None:
    """Jira's cloud has ended the search of version 2; its own program has no other."""
    assert search_url(JiraConfig(url, "OPS", "Bug", api_type=kind)) == expected


async def test_texts_are_cut_and_fields_of_ones_own_are_rendered() -> None:
    """Summary and description end within Jira's limits; a field wins over ours of its name."""
    project = JiraProject()
    options = {
        "summary": JiraText("s" * 256),
        "description": JiraText("d" * 32_768),
        "priority": "",
        "fields": {"customfield_1": {"value": "{{ .Status }}"}, "labels": ("x",)},
    }
    async with recorder(project) as site, sender(**jira(site, **options)) as made:
        await made.send(FIRING)
    (issue,) = project.issues
    assert issue["summary"] == "s" * 254 + "…"
    assert issue["description"] == "d" * 32_766 + "…"
    assert "priority" not in issue
    assert (issue["customfield_1"], issue["labels"]) == ({"value": "firing"}, ["x"])


async def test_what_people_have_written_may_be_left_alone() -> None:
    """Without `enable_update` summary and description are written once."""
    project = JiraProject()
    options = {
        "summary": JiraText("{{ len .Alerts }}", enable_update=False),
        "description": JiraText("{{ len .Alerts }}", enable_update=False),
    }
    async with recorder(project) as site, sender(**jira(site, **options)) as made:
        await made.send(FIRING)
        await made.send(notification(alert("a"), alert("b")))
    (issue,) = project.issues
    assert (issue["summary"], issue["description"]) == ("1", "1")


@pytest.mark.parametrize(
    ("text", "sent"), [('{"type": "doc"}', {"type": "doc"}), (" ", None), ("words", DeliveryError)]
)
async def test_version_3_takes_a_document(text: str, sent: Any) -> None:
    """Its description is JSON; a text that is none is refused before anything is written."""
    written: list[Any] = []

    def version_3(request: Request) -> web.Response:
        if request.path.endswith("/search"):
            return web.json_response({"issues": []})
        written.append(request.body["fields"].get("description"))
        return web.json_response({})

    async with recorder(version_3) as site:
        config = JiraConfig(f"{site.url}/rest/api/3/", "OPS", "Bug", description=JiraText(text))
        async with sender(jira_configs=(config,)) as made:
            if sent is DeliveryError:
                with pytest.raises(DeliveryError, match="version 3") as caught:
                    await made.send(FIRING)
                assert (caught.value.temporary, written) == (False, [])
            else:
                await made.send(FIRING)
                assert written == [sent]


async def test_a_transition_that_is_not_offered_is_an_error() -> None:
    """It is named, and no other try will find it."""
    project = JiraProject(transitions={})
    options = {"resolve_transition": "Done"}
    async with recorder(project) as site, sender(**jira(site, **options)) as made:
        await made.send(FIRING)
        with pytest.raises(DeliveryError, match="can't find transition Done for issue OPS-1"):
            await made.send(RESOLVED)


@pytest.mark.parametrize(
    ("status", "body", "temporary"),
    [
        (500, "", True),
        (429, "", True),
        (401, "", False),
        (200, "<html>", True),
        (200, "[]", True),
        (200, '{"issues": [{"key": "OPS-1", "fields": {}}]}', True),
    ],
)
async def test_jira_may_refuse_or_not_be_understood(
    status: int, body: str, temporary: bool
) -> None:
    """A server's error and an answer that is none may be tried again; a clear no is for good."""

    def refuse(_request: Request) -> web.Response:
        return web.Response(status=status, text=body)

    client = HTTPClientConfig(basic_auth=BasicAuth("me", Secret("s3cr3t")))
    async with recorder(refuse) as site, sender(**jira(site, http_config=client)) as made:
        with pytest.raises(DeliveryError) as caught:
            await made.send(FIRING)
        (request,) = site.requests
    assert caught.value.temporary is temporary
    assert request.headers["Authorization"].startswith("Basic ")


def incidentio(site: Recorder, **options: Any) -> dict[str, Any]:
    options.setdefault("alert_source_token", Secret("s3cr3t-token"))
    return {"incidentio_configs": (IncidentioConfig(Secret(f"{site.url}/v2/x"), **options),)}


async def test_incidentio_gets_the_group_as_json() -> None:
    """Alertmanager's fields, version 1, the group's key and the token."""
    async with recorder() as site, sender(**incidentio(site, max_alerts=1)) as made:
        delivery = await made.send(notification(alert("a"), alert("b")))
        (request,) = site.requests
    assert request.headers["Authorization"] == "Bearer s3cr3t-token"
    assert (request.body["version"], request.body["groupKey"]) == ("1", KEY)
    assert (len(request.body["alerts"]), request.body["truncatedAlerts"]) == (1, 1)
    assert delivery.cut == 1


async def test_a_group_that_is_too_large_for_incidentio_keeps_its_first_alert() -> None:
    """It makes one incident of a group: the others are left out, and counted."""
    large = [replace(alert(str(n)), annotations=Labels({"x": "y" * 60_000})) for n in range(10)]
    async with recorder() as site, sender(**incidentio(site)) as made:
        delivery = await made.send(notification(*large))
        (request,) = site.requests
    assert [each["labels"]["instance"] for each in request.body["alerts"]] == ["0"]
    assert (request.body["truncatedAlerts"], delivery.cut) == (9, 9)


@pytest.mark.parametrize(
    ("status", "said", "temporary", "words"),
    [
        (429, '{"message": "slow", "errors": ["a", "b"]}', True, "code 429: slow: a, b"),
        (422, '{"error": "no s3cr3t-token"}', False, "code 422: no <secret>"),
        (500, "<html>", True, "code 500"),
    ],
)
async def test_incidentio_says_what_is_wrong(
    status: int, said: str, temporary: bool, words: str
) -> None:
    """Its words are repeated, but for the token."""

    def refuse(_request: Request) -> web.Response:
        return web.Response(status=status, text=said)

    async with recorder(refuse) as site, sender(**incidentio(site)) as made:
        with pytest.raises(DeliveryError) as caught:
            await made.send(FIRING)
    assert str(caught.value).endswith(words)
    assert caught.value.temporary is temporary
    assert (caught.value.outcome is Outcome.UNKNOWN) == (status == 500)
    assert caught.value.reason is not FailureReason.OTHER


async def test_incidentio_takes_the_authorization_of_the_client() -> None:
    """One way to say who we are is needed, and not two."""
    client = HTTPClientConfig(authorization=Authorization(credentials=Secret("other")))
    options = {"alert_source_token": None, "http_config": client}
    async with recorder(fine) as site, sender(**incidentio(site, **options)) as made:
        await made.send(FIRING)
        assert site.requests[0].headers["Authorization"] == "Bearer other"
    with pytest.raises(InvalidInput, match="when using"):
        IncidentioConfig(Secret("x"), http_config=client, alert_source_token=Secret("y"))
    with pytest.raises(InvalidInput, match="at least one of"):
        IncidentioConfig(Secret("x"))
