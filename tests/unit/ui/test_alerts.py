"""The page of all alerts: groups, filters that are addresses, and what can be done there."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.mute.silence import Silence
from controlplane.ui.pages.alert_filter import AlertFilter, Standing
from controlplane.ui.pages.alert_groups import MOST_ROWS, Survey, group_id, standing, survey
from tests.support.alerting import firing, resolved
from tests.unit.ui.console import Reader, console, words

_BY_TEAM = {"receiver": "ops", "group_by": ["team"], "group_wait": "0s", "group_interval": "1s"}


def said(labels: Mapping[str, str], now: int, summary: str = "it is broken") -> Alert:
    """Return an alert that fires and says so."""
    return Alert(
        Labels(labels), now, now + 3_600_000, now, annotations=Labels({"summary": summary})
    )


async def seen(reader: Reader, **given: str) -> Survey:
    """Return what a filter shows."""
    return await survey(reader.on, AlertFilter.read(given), reader.now)


async def test_an_empty_list_says_what_to_do_next(tmp_path: Path) -> None:
    """Nothing fires is good news; nothing like this is not."""
    async with console(tmp_path) as reader:
        assert "Nothing fires" in await reader.get("/alerts")
        page = await reader.get("/alerts?match=team%3D%22x%22")
        assert "No alert is like this" in page
        assert 'href="/alerts">Show all that fire' in page


async def test_alerts_stand_in_their_groups(tmp_path: Path) -> None:
    """By receiver and group labels, the worst first; what a stranger says is text only."""
    async with console(tmp_path, route=_BY_TEAM) as reader:
        now, script = reader.now, "<script>alert(1)</script>"
        await reader.on.alerts.put(
            [
                said({"alertname": "Minor", "team": "a", "severity": "info"}, now),
                said({"alertname": "Major", "team": "b", "severity": "critical"}, now, script),
                said({"alertname": "Other", "team": "b", "severity": "warning", "x": script}, now),
            ]
        )
        page = await reader.get("/alerts")
    assert "<script>alert" not in page
    text = words(page)
    assert text.index("team =b") < text.index("team =a")
    assert text.index("Major") < text.index("Other") < text.index("Minor")
    assert "All that fire 3" in text
    assert script in text


async def test_the_address_is_the_filter(tmp_path: Path) -> None:
    """By matchers, a word, receiver, severity and state; together they narrow."""
    async with console(tmp_path, route=_BY_TEAM) as reader:
        now = reader.now
        await reader.on.alerts.put(
            [
                firing(now, team="a", severity="critical", instance="web-1"),
                firing(now, team="b", severity="warning", instance="web-2"),
            ]
        )

        async def instances(**given: str) -> list[str]:
            found = await seen(reader, **given)
            return sorted(
                r.alert.labels.value("instance") for group in found.groups for r in group.rows
            )

        assert await instances() == ["web-1", "web-2"]
        assert await instances(match='team="a"') == ["web-1"]
        assert await instances(match='{instance=~"web-.", team!="a"}') == ["web-2"]
        assert await instances(match="WEB-1") == ["web-1"]
        assert await instances(severity="warning") == ["web-2"]
        assert await instances(receiver="ops") == ["web-1", "web-2"]
        assert await instances(receiver="nobody") == []
        assert await instances(state="silenced,firing") == ["web-1", "web-2"]
        assert await instances(state="silenced") == []
        page = await reader.get("/alerts?severity=warning&receiver=ops")
        assert "<option selected>warning</option>" in page
        assert "web-1" not in page
        assert (await seen(reader)).severities == ["critical", "warning"]


def test_a_filter_is_written_as_it_was_read() -> None:
    """The address that it makes reads back as the same."""
    given = {"match": 'a="b&c"', "receiver": "ops", "state": "firing,muted", "severity": "x"}
    wanted = AlertFilter.read(given)
    assert wanted.fields == given
    assert wanted.address.startswith("/alerts?match=a%3D%22b%26c%22&receiver=ops")
    assert wanted.only().fields == {"match": 'a="b&c"', "receiver": "ops", "severity": "x"}
    assert AlertFilter.read({}).address == "/alerts"
    with pytest.raises(InvalidInput, match="'asleep' is no state"):
        AlertFilter.read({"state": "asleep"})


async def test_a_bad_filter_is_said_where_it_stands(tmp_path: Path) -> None:
    """The field keeps what was typed; nothing else is shown in its place."""
    async with console(tmp_path) as reader:
        await reader.on.alerts.put([firing(reader.now, team="a")])
        page = await reader.get("/alerts?match=team%3D%7E%22(%22", 422)
    assert 'aria-invalid="true" aria-describedby="filter-error"' in page
    assert "invalid regular expression" in words(page)
    assert 'id="groups"' not in page


def test_a_persons_reason_comes_first() -> None:
    """Of all that keeps an alert from being told."""
    silence = Silence((Matcher("a", MatchOp.EQUAL, "b"),), 0, 9, "ada", "x")
    taken = Silence((Matcher("a", MatchOp.EQUAL, "b"),), 0, 9, "ada", "x", until_resolved=True)
    assert standing((), (), (), ended=False) is Standing.FIRING
    assert standing((), (), ("nights",), ended=False) is Standing.MUTED
    assert standing((), ("f",), ("nights",), ended=False) is Standing.INHIBITED
    assert standing((silence,), ("f",), ("nights",), ended=False) is Standing.SILENCED
    assert standing((silence, taken), ("f",), (), ended=False) is Standing.ACKNOWLEDGED
    assert standing((taken,), (), (), ended=True) is Standing.RESOLVED


async def test_acknowledging_says_who_and_goes_back(tmp_path: Path) -> None:
    """To the very address that the reader came from, never to somebody else's."""
    async with console(tmp_path) as reader:
        alert = firing(reader.now, team="a")
        await reader.on.alerts.put([alert])
        page = await reader.get("/alerts")
        assert ">Acknowledge<" in page
        fields = {"fingerprint": alert.fingerprint, "next": "/alerts?match=a"}
        answer = await reader.send("/alerts", fields)
        assert answer.headers["location"] == "/alerts?match=a"
        (silence,) = reader.on.silences.list()
        assert (silence.created_by, silence.until_resolved) == ("local", True)
        page = words(await reader.get("/alerts"))
        assert "acknowledged 1" in page
        assert "local : acknowledged in the console until it has ended" in page
        assert "Acknowledged: nobody is told of it again" in page
        assert "Acknowledge Silence" not in page
        away = await reader.send("/alerts", {**fields, "next": "https://elsewhere.example/"})
        assert away.headers["location"] == "/alerts"


async def test_a_group_is_acknowledged_together(tmp_path: Path) -> None:
    """One silence that covers those that fire, and no alert of another group."""
    async with console(tmp_path, route=_BY_TEAM) as reader:
        now = reader.now
        mine = [firing(now, team="a", n=str(n)) for n in range(3)]
        other = firing(now, team="b", n="1")
        await reader.on.alerts.put([*mine, other])
        key = next(
            group_id(group)
            for group in reader.on.groups(now)
            if group.group_labels.value("team") == "a"
        )
        await reader.send("/alerts", {"group": key, "comment": "mine"})
        assert len(reader.on.silences.list()) == 1
        counts = (await seen(reader)).counts
        assert counts == {Standing.ACKNOWLEDGED: 3, Standing.FIRING: 1}
        assert "mine" in await reader.get("/alerts?state=acknowledged")


async def test_what_cannot_be_acknowledged_is_refused(tmp_path: Path) -> None:
    """An alert that nobody knows, one that has ended, a group without alerts; nor without token."""
    async with console(tmp_path) as reader:
        over = resolved(firing(reader.now - 9), reader.now - 1)
        await reader.on.alerts.put([over])
        await reader.send("/alerts", {"fingerprint": "0" * 16}, 404)
        await reader.send("/alerts", {"fingerprint": over.fingerprint}, 409)
        await reader.send("/alerts", {"group": "0" * 12}, 404)
        forged = await reader.client.post("/alerts", data={"fingerprint": over.fingerprint})
        assert forged.status_code == 403
        assert reader.on.silences.list() == []


async def test_a_large_group_shows_its_first_alerts(tmp_path: Path) -> None:
    """Alone it shows more; how many are left out is always said."""
    async with console(tmp_path, route=_BY_TEAM) as reader:
        now = reader.now
        many = [firing(now, team="a", n=str(n)) for n in range(MOST_ROWS + 5)]
        await reader.on.alerts.put([*many, firing(now, team="b")])
        found = await seen(reader)
        large = next(group for group in found.groups if group.total > 1)
        assert (len(large.rows), large.unseen) == (12, MOST_ROWS - 7)
        assert f"{MOST_ROWS - 7} more in this group" in await reader.get("/alerts")
        alone = await reader.get(f"/alerts?group={large.key}")
        assert alone.count('class="alert"') == MOST_ROWS
        assert "5 more: narrow the filter" in alone


async def test_ended_alerts_are_found_by_their_state(tmp_path: Path) -> None:
    """Those that ended last; one that fires again is not among them."""
    async with console(tmp_path) as reader:
        now = reader.now
        over = [resolved(firing(now - 100, n=str(n)), now - 50 + n) for n in range(3)]
        await reader.on.alerts.put(over)
        await reader.on.ledger.flush()
        await reader.on.alerts.put([firing(now, n="2")])
        found = await seen(reader, state="resolved", match='n=~"[12]"')
        assert [row.alert.labels.value("n") for row in found.ended] == ["1"]
        assert "Ended last" in await reader.get("/alerts?state=resolved")


async def test_hours_and_other_alerts_are_named(tmp_path: Path) -> None:
    """Why a group is not told, and what inhibits an alert, with its page."""
    night = {"name": "never", "time_intervals": [{"years": ["2020"]}]}
    route = {**_BY_TEAM, "active_time_intervals": ["never"]}
    inhibit = {"source_matchers": ['n="1"'], "target_matchers": ['n="2"']}
    extra = {
        "route": _BY_TEAM | {"routes": [route]},
        "time_intervals": [night],
        "inhibit_rules": [inhibit],
    }
    async with console(tmp_path, **extra) as reader:
        source = firing(reader.now, n="1", team="a")
        await reader.on.alerts.put([source, firing(reader.now, n="2", team="a")])
        page = await reader.get("/alerts")
        text = words(page)
        assert "not told now, by its hours: never" in text
        assert "out of hours 1" in text
        assert f'because of <a href="/alerts/{source.fingerprint}">Broken</a>' in page


async def test_a_part_is_asked_for_alone(tmp_path: Path) -> None:
    """With the filter of the page around it."""
    async with console(tmp_path) as reader:
        await reader.on.alerts.put([firing(reader.now, n="1"), firing(reader.now, n="2")])
        page = await reader.get("/alerts?match=n%3D%221%22")
        assert 'hx-get="/alerts?match=n%3D%221%22&amp;part=groups"' in page
        part = await reader.get("/alerts?match=n%3D%221%22&part=groups")
        assert "<h1" not in part
        assert part.count('class="alert"') == 1
