"""Silences in the console: listed, set with a preview, extended, ended; each with its history."""

from pathlib import Path

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.duration import DAY, HOUR, MINUTE, parse_time
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.mute.silence import LONGEST_ACKNOWLEDGED, Silence, SilenceState
from controlplane.ui.forms import Form
from controlplane.ui.pages.silence_draft import Draft, parse_length, written
from controlplane.ui.pages.silence_view import hours
from tests.support.alerting import firing
from tests.unit.ui.console import Reader, console, words

# A Wednesday.
NOW = parse_time("2026-11-18T12:00:00Z")
_FIELDS = {"match": 'team="shop"', "comment": "deploy", "lasts": "2h", "action": "create"}


def draft(**fields: str | list[str]) -> Draft:
    """Return a draft of a form with some fields."""
    return Draft.read(Form({name: [v] if isinstance(v, str) else v for name, v in fields.items()}))


def made(**fields: str | list[str]) -> Silence:
    """Return the silence of a draft without a fault."""
    silence, wrong = written(draft(**{"match": 'a="b"', "comment": "x", **fields}), "ada", NOW)
    assert wrong == {}
    assert silence is not None
    return silence


async def keep(
    reader: Reader, comment: str = "deploy", *, begins: int = 0, lasts: int = HOUR
) -> Silence:
    """Have a silence on the shop's alerts kept."""
    start, team = reader.now + begins, Matcher("team", MatchOp.EQUAL, "shop")
    return await reader.on.silences.set(Silence((team,), start, start + lasts, "ada", comment))


def test_a_draft_becomes_a_silence() -> None:
    """Matchers of all lines and fields, sorted; two hours, if nothing else is said."""
    silence = made(match=['b="c", a=~"x.*"', '{d!="e"}\nf="g"'])
    assert [str(m) for m in silence.matchers] == ['a=~"x.*"', 'b="c"', 'd!="e"', 'f="g"']
    assert (silence.starts_at, silence.ends_at) == (NOW, NOW + 2 * HOUR)
    assert (silence.created_by, silence.comment, silence.times) == ("ada", "x", ())
    assert draft(match='{b="c",a="d"}').match == 'a="d"\nb="c"'


def test_times_are_those_of_the_zone() -> None:
    """An end that is named counts, not a length; a beginning in the past is now."""
    silence = made(starts="2026-11-18T20:00", ends="2026-11-19T06:30", zone="Europe/Berlin")
    assert silence.starts_at == parse_time("2026-11-18T19:00:00Z")
    assert silence.ends_at == parse_time("2026-11-19T05:30:00Z")
    assert made(starts="2020-01-01T00:00").starts_at == NOW
    assert made(until_resolved="1").ends_at == NOW + LONGEST_ACKNOWLEDGED
    assert made(lasts="30m", starts="2026-11-18T13:00").ends_at == NOW + HOUR + 30 * MINUTE


def test_hours_over_midnight_belong_to_the_day_they_begin_on() -> None:
    """Friday's night lasts into Saturday, not from Thursday's."""
    silence = made(weekdays=["friday"], from_time="22:00", to_time="06:00", lasts="30d")
    inside = ["2026-11-20T22:00:00Z", "2026-11-20T23:59:00Z", "2026-11-21T05:59:00Z"]
    outside = ["2026-11-20T05:00:00Z", "2026-11-20T21:59:00Z", "2026-11-21T06:00:00Z"]
    assert all(silence.in_hours(parse_time(text)) for text in inside)
    assert not any(silence.in_hours(parse_time(text)) for text in outside)
    assert [hours(interval) for interval in silence.times] == [
        "friday 22:00-24:00 UTC",
        "saturday 00:00-06:00 UTC",
    ]


def test_hours_of_a_day_and_days_alone() -> None:
    """Either part may stand alone; the end of a day is its midnight."""
    (office,) = made(from_time="09:00", to_time="17:00", zone="Europe/Berlin").times
    assert hours(office) == "09:00-17:00 Europe/Berlin"
    (weekend,) = made(weekdays=["saturday", "sunday"]).times
    assert hours(weekend) == "sunday, saturday 00:00-24:00 UTC"
    (evening,) = made(from_time="20:00", to_time="00:00").times
    assert hours(evening) == "20:00-24:00 UTC"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"match": ""}, "match"),
        ({"match": "team"}, "match"),
        ({"match": 'team=~"("'}, "match"),
        ({"comment": " "}, "comment"),
        ({"lasts": "soon"}, "ends"),
        ({"lasts": "0s"}, "ends"),
        ({"ends": "tomorrow"}, "ends"),
        ({"ends": "2020-01-01T00:00"}, "ends"),
        ({"starts": "later"}, "starts"),
        ({"weekdays": ["friday"], "zone": "Atlantis"}, "times"),
        ({"from_time": "25:00"}, "times"),
    ],
    ids=str,
)
def test_faults_are_named_by_their_fields(fields: dict[str, str], field: str) -> None:
    """Nothing is made of a draft with one."""
    silence, wrong = written(draft(**{"match": 'a="b"', "comment": "x", **fields}), "ada", NOW)
    assert silence is None
    assert list(wrong) == [field]


def test_a_length_is_a_duration() -> None:
    """And longer than nothing."""
    assert parse_length("1d12h") == DAY + 12 * HOUR
    for text in ("", "0s", "x"):
        with pytest.raises(InvalidInput):
            parse_length(text)


async def test_a_silence_is_set_and_shown(tmp_path: Path) -> None:
    """By who is logged in; asked for again it is the same one."""
    async with console(tmp_path) as reader:
        answer = await reader.send("/silences/new", _FIELDS)
        (silence,) = reader.on.silences.list()
        assert answer.headers["location"] == f"/silences/{silence.id}"
        assert (silence.created_by, silence.comment) == ("local", "deploy")
        page = words(await reader.get(f"/silences/{silence.id}"))
        assert "The silence is set." in page
        assert 'team="shop"' in page
        assert "set by local" in page
        await reader.send("/silences/new", {**_FIELDS, "lasts": "3h"})
        (again,) = reader.on.silences.list()
        assert (again.id, again.ends_at > silence.ends_at) == (silence.id, True)


async def test_a_faulty_form_comes_back_as_it_was(tmp_path: Path) -> None:
    """With the fault at its field; strangers' text is escaped."""
    async with console(tmp_path) as reader:
        fields = {**_FIELDS, "match": 'team="<script>"', "comment": "", "lasts": "soon"}
        page = (await reader.send("/silences/new", fields, 422)).text
        assert reader.on.silences.list() == []
    assert "team=&#34;&lt;script&gt;&#34;</textarea>" in page
    assert 'aria-invalid="true" aria-describedby="wrong-comment"' in page
    assert 'value="soon" autocomplete="off" aria-invalid="true"' in page
    assert "It is not set yet" in page


async def test_what_hides_nearly_everything_has_to_be_meant(tmp_path: Path) -> None:
    """The box appears with the preview, and is asked for."""
    async with console(tmp_path) as reader:
        await reader.on.alerts.put([firing(reader.now, team="shop")])
        everything = {**_FIELDS, "match": 'alertname=~".+"'}
        assert 'name="force"' not in await reader.get("/silences/new")
        page = (await reader.send("/silences/new", {**everything, "action": "preview"}, 200)).text
        assert "It hides nearly every alert." in page
        assert 'name="force"' in page
        refused = (await reader.send("/silences/new", everything, 422)).text
        assert "it hides nearly every alert, 1 now" in refused
        await reader.send("/silences/new", {**everything, "force": "1"})
        assert len(reader.on.silences.list()) == 1


async def test_one_without_alerts_cannot_end_with_them(tmp_path: Path) -> None:
    """What the API refuses stands at the field it is about."""
    async with console(tmp_path) as reader:
        page = (await reader.send("/silences/new", {**_FIELDS, "until_resolved": "1"}, 422)).text
    assert 'id="wrong-until_resolved">no alert that it matches fires now' in page


async def test_the_preview_says_what_it_hides(tmp_path: Path) -> None:
    """Now, and in the last days; alone for the script, with the faults of half a matcher."""
    async with console(tmp_path) as reader:
        await reader.on.alerts.put([firing(reader.now, team="shop", n=str(n)) for n in range(25)])
        await reader.on.ledger.flush()
        part = await reader.get("/silences/new?part=preview&match=team%3D%22shop%22&comment=")
        assert "<form" not in part
        text = words(part)
        assert text.startswith("25 alerts that fire now")
        assert "5 more" in text
        assert "it would have hidden 25 alerts" in text
        assert "error" in await reader.get("/silences/new?part=preview&match=team%3D~%22(")
        assert "Nothing yet" in await reader.get("/silences/new?part=preview&match=")
        night = "&weekdays=monday&from_time=00%3A00&to_time=00%3A01&zone=Asia%2FTokyo"
        assert "alerts that fire now" in await reader.get(
            f"/silences/new?part=preview&match=team%3D%22shop%22{night}"
        )


async def test_the_list_is_by_state_and_words(tmp_path: Path) -> None:
    """Not those that are over, unless asked for; how many alerts each hides now."""
    async with console(tmp_path) as reader:
        assert "Nothing is silenced" in await reader.get("/silences")
        now = reader.now
        await keep(reader, "deploy")
        await keep(reader, "tomorrow", begins=DAY)
        over = await keep(reader, "<script>")
        await reader.on.silences.expire(over.id)
        await reader.on.alerts.put([firing(now, team="shop"), firing(now, team="mail")])
        page = await reader.get("/silences")
        text = words(page)
        assert "Not over 2 In force 1 To come 1 Over 1" in text
        assert "ada · hides 1 alert now" in text
        assert text.index("deploy") < text.index("tomorrow")
        gone = await reader.get("/silences?state=expired")
        assert "&lt;script&gt;" in gone
        assert "<script>" not in gone.partition("<main")[2]
        assert "Set one like it" in gone
        assert "tomorrow" not in await reader.get("/silences?search_for=deploy")
        assert "No silence is like this" in await reader.get("/silences?search_for=nothing")
        assert "<h1" not in await reader.get("/silences?part=silences")
        await reader.get("/silences?state=asleep", 422)


async def test_many_silences_come_in_pages(tmp_path: Path) -> None:
    """A hundred at once; the next ones by a link."""
    async with console(tmp_path) as reader:
        for number in range(103):
            await keep(reader, f"number {number}")
        page = await reader.get("/silences")
        assert page.count('class="alert"') == 100
        assert 'href="/silences?skip=100">3 more' in page
        assert (await reader.get("/silences?skip=100")).count('class="alert"') == 3


async def test_it_is_extended_changed_and_ended(tmp_path: Path) -> None:
    """Each by who is logged in, and in its history; an ended one stays as it is."""
    async with console(tmp_path) as reader:
        silence = await keep(reader)
        where = f"/silences/{silence.id}"
        answer = await reader.send(where, {"action": "extend", "lasts": "1h", "next": "/silences"})
        assert answer.headers["location"] == "/silences"
        assert reader.on.silences.get(silence.id).ends_at == silence.ends_at + HOUR
        await reader.send(where, {"action": "comment", "comment": "longer deploy"})
        await reader.send(where, {"action": "comment", "comment": ""}, 422)
        await reader.send(where, {"action": "dance"}, 422)
        await reader.send(where, {"action": "expire"})
        ended = reader.on.silences.get(silence.id)
        assert ended.state(reader.now) is SilenceState.EXPIRED
        text = words(await reader.get(where))
        assert [change.by for change in await reader.on.silences.history(silence.id)] == [
            "ada",
            "local",
            "local",
            "local",
        ]
        assert text.index("ended by local") < text.index("changed by local")
        assert text.index("changed by local") < text.index("set by ada")
        await reader.send(where, {"action": "extend", "lasts": "1h"}, 409)
        await reader.send("/silences/nope", {"action": "expire"}, 404)
        await reader.get("/silences/nope", 404)


async def test_its_alerts_stand_on_its_page(tmp_path: Path) -> None:
    """What it matches now, with the hours that keep it from hiding them."""
    async with console(tmp_path) as reader:
        fields = {**_FIELDS, "weekdays": "monday", "from_time": "00:00", "to_time": "00:01"}
        await reader.send("/silences/new", fields)
        (silence,) = reader.on.silences.list()
        await reader.on.alerts.put([firing(reader.now, team="shop"), firing(reader.now)])
        page = await reader.get(f"/silences/{silence.id}")
        assert page.count('href="/alerts/') == 1
        assert "monday 00:00-00:01 UTC" in page
        part = await reader.get(f"/silences/{silence.id}?part=hidden")
        assert part.count('href="/alerts/') == 1
        assert "<h2" not in part


async def test_a_form_of_somebody_else_sets_nothing(tmp_path: Path) -> None:
    """Without the token of a page of ours."""
    async with console(tmp_path) as reader:
        answer = await reader.client.post("/silences/new", data=_FIELDS)
        assert answer.status_code == 403
        assert reader.on.silences.list() == []
