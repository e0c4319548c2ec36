"""The page of one alert: its story, its plot, who was told; also of one that has ended."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.api.v1.schemas import EntryOut
from controlplane.clock import Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model import links
from controlplane.model.alert import Alert
from controlplane.model.duration import DAY, HOUR, MINUTE
from controlplane.model.labels import Labels
from controlplane.model.matchers import MatchOp
from controlplane.ui.pages.alert_filter import AlertFilter
from controlplane.ui.pages.alert_plot import window
from controlplane.ui.pages.alert_story import alike, lines, notes, reading, runbook, web_link
from tests.support.alerting import firing, resolved
from tests.unit.ui.console import Reader, console, words


async def told(reader: Reader, fingerprint: str) -> str:
    """Return the page of an alert once a message about it has arrived."""
    async with asyncio.timeout(30):
        while True:
            page = await reader.get(f"/alerts/{fingerprint}")
            if "sent ops" in words(page):
                return page
            await reader.on.clock.sleep(0.05)


async def test_the_story_is_told_in_order(tmp_path: Path) -> None:
    """From its beginning to the message that arrived, and who was told; strangers' text escaped."""
    async with console(tmp_path) as reader:
        alert = firing(reader.now, team="<script>x</script>", severity="critical")
        await reader.on.alerts.put([alert])
        page = await told(reader, alert.fingerprint)
    text = words(page)
    assert text.index("it began to fire") < text.index("it is for ops") < text.index("arrived")
    assert "sent ops/webhook/0 first notification" in text
    assert "It is for ops ." in text
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page


async def test_an_alert_that_ended_keeps_its_page(tmp_path: Path) -> None:
    """As long as the ledger knows it; it says how long it took, and offers nothing to end."""
    async with console(tmp_path) as reader:
        began = reader.now - 5 * HOUR
        alert = resolved(firing(began, team="a"), began + 3 * HOUR)
        await reader.on.alerts.put([alert])
        await reader.on.ledger.flush()
        await reader.on.alerts.gc(reader.now)
        assert reader.on.alerts.get(alert.fingerprint) is None
        text = words(await reader.get(f"/alerts/{alert.fingerprint}"))
    assert "it took 3 hours" in text
    assert "Acknowledge" not in text.partition("Its story")[0].replace("Acknowledged", "")


async def test_an_alert_that_nobody_knows_has_no_page(tmp_path: Path) -> None:
    """It says so, under the status that says so."""
    async with console(tmp_path) as reader:
        assert "there is no alert" in await reader.get("/alerts/0000000000000000", 404)


async def test_it_is_acknowledged_with_a_comment_and_taken_back(tmp_path: Path) -> None:
    """Who has it stands on the page, with the button that gives it back."""
    async with console(tmp_path) as reader:
        alert = firing(reader.now, team="a")
        await reader.on.alerts.put([alert])
        here = f"/alerts/{alert.fingerprint}"
        assert f'name="next" value="{here}"' in await reader.get(here)
        fields = {"fingerprint": alert.fingerprint, "comment": "on it", "next": here}
        answer = await reader.send("/alerts", fields)
        assert answer.headers["location"] == here
        text = words(await reader.get(here))
        assert "local : on it until it has ended Take it back" in text
        assert "acknowledged" in text
        (silence,) = reader.on.silences.list()
        await reader.send(f"/silences/{silence.id}", {"action": "expire", "next": here})
        assert "Take it back" not in await reader.get(here)


async def test_links_of_strangers_are_web_pages_or_text(tmp_path: Path) -> None:
    """A runbook that is a script is shown, never followed."""
    async with console(tmp_path) as reader:
        now = reader.now
        annotations = {
            "runbook_url": "https://runbooks.example/x?a=1&b=2",
            "dashboard": "javascript:alert(1)",
        }
        alert = Alert(
            Labels({"alertname": "A"}),
            now,
            now + HOUR,
            now,
            annotations=Labels(annotations),
            generator_url="javascript:alert(2)",
        )
        await reader.on.alerts.put([alert])
        page = await reader.get(f"/alerts/{alert.fingerprint}")
    assert '<a class="button" href="https://runbooks.example/x?a=1&amp;b=2"' in page
    assert 'href="javascript' not in page
    assert "<dd>javascript:alert(1)</dd>" in page


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (" https://a.example/b ", "https://a.example/b"),
        ("http://a", "http://a"),
        ("ftp://a/b", ""),
        ("//a/b", ""),
        ("https:///b", ""),
        ("https://a/b and more", ""),
        ("http://[a", ""),
        ("", ""),
    ],
)
def test_what_may_be_followed(text: str, link: str) -> None:
    """Addresses of web pages with a host, and nothing beside them."""
    assert web_link(text) == link


def test_annotations_are_shown_by_name() -> None:
    """The first of a runbook's names that is an address counts."""
    given = {"runbook": "http://a/b", "runbook_url": "ask ada", "summary": "x"}
    assert [(note.name, note.href) for note in notes(given)] == [
        ("runbook", "http://a/b"),
        ("runbook_url", ""),
        ("summary", ""),
    ]
    assert runbook(given) == "http://a/b"
    assert runbook({"summary": "http://a/b"}) == ""


@given(
    st.dictionaries(
        st.text('ab "\\\\,}é', min_size=1), st.text('a"\\\\,{}=\n\U0001f600'), max_size=3
    )
)
def test_labels_lead_to_all_alerts_that_share_them(labels: dict[str, str]) -> None:
    """Whatever is in them: the filter of the address takes what has the label."""
    for name, value, href in alike(labels):
        wanted = AlertFilter.read(dict(parse_qsl(urlsplit(href).query)))
        (matcher,) = wanted.matchers
        assert (matcher.name, matcher.op, matcher.value) == (name, MatchOp.EQUAL, value)


def entry(kind: str, **detail: object) -> EntryOut:
    return EntryOut(
        at=0, what="w", because="b", place="", kind=kind, detail=detail, correlation_id=""
    )


def test_causes_are_led_to() -> None:
    """A silence to its page, an alert to its own, a target that is down to none."""
    made = lines(
        [
            entry("silenced", by=["s/1"]),
            entry("inhibited", by=["abc"]),
            entry("dependent", by=["target/db"]),
            entry("attempt", outcome="unknown"),
            entry("attempt", outcome="delivered"),
            entry("grouped"),
        ]
    )
    assert [line.links for line in made] == [
        [("silence", "/silences/s%2F1")],
        [("alert", "/alerts/abc")],
        [],
        [],
        [],
        [],
    ]
    assert [line.sign for line in made] == [
        "silenced",
        "inhibited",
        "inhibited",
        "failed",
        "sent",
        "info",
    ]


_RULES = """
groups:
  - name: g
    interval: 1s
    rules:
      - alert: TooMuch
        expr: sum(vector(7)) > 5
        labels: {severity: critical}
        annotations: {summary: too much of it}
"""


async def fired(reader: Reader, name: str) -> str:
    """Return the fingerprint of an alert once its rule has raised it."""
    async with asyncio.timeout(30):
        while True:
            found = [alert for alert in reader.on.alerts.list() if alert.name == name]
            if found:
                return found[0].fingerprint
            await reader.on.clock.sleep(0.05)


async def test_a_rule_of_ours_is_plotted_around_the_moment(tmp_path: Path) -> None:
    """With its limit and the moment it fired; what it stands at; where it comes from, by path."""
    (tmp_path / "rules.yml").write_text(_RULES)
    extra = {"rule_files": ["rules.yml"], "global": {"external_labels": {"site": "one"}}}
    async with console(tmp_path, **extra) as reader:
        fingerprint = await fired(reader, "TooMuch")
        async with asyncio.timeout(30):
            while "7 &gt; 5</span>" not in (page := await reader.get(f"/alerts/{fingerprint}")):
                await reader.on.clock.sleep(0.05)
        part = await reader.get(f"/alerts/{fingerprint}?part=standing")
    assert '<path class="threshold"' in page
    assert '<text class="mark"' in page
    assert "limit &gt; 5" in page
    assert f'href="/query?expr={quote("sum(vector(7)) > 5", safe="")}"' in page
    assert "7 &gt; 5</span>" in part
    assert "<svg" not in part


async def test_a_plot_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the page stands."""

    async def refused(*_given: object) -> None:
        raise ControlPlaneError("too many samples")

    monkeypatch.setattr("controlplane.ui.pages.alert_plot.over_range", refused)
    async with console(tmp_path) as reader:
        now = reader.now
        url = links.graph(reader.on.flags["web.external-url"], "nothing > 1")
        alert = Alert(Labels({"alertname": "A"}), now, now + HOUR, now, generator_url=url)
        await reader.on.alerts.put([alert])
        page = await reader.get(f"/alerts/{alert.fingerprint}")
        monkeypatch.undo()
        empty = await reader.get(f"/alerts/{alert.fingerprint}")
    assert "It cannot be drawn: too many samples" in words(page)
    assert "There are no samples of that time" in empty


def at(hours: float) -> Timestamp:
    """Return an instant so many hours after a morning."""
    morning = datetime(2026, 11, 22, 8, tzinfo=UTC)
    return round(morning.timestamp() * 1000 + hours * HOUR)


def test_the_window_is_around_the_moment() -> None:
    """An hour before; until now, a while after its end, or as far as a day reaches."""
    assert window(at(0), None, at(2)) == (at(-1), at(2))
    assert window(at(0), at(1), at(9)) == (at(-1), at(1) + 15 * MINUTE)
    assert window(at(0), None, at(100)) == (at(-1), at(-1) + DAY)
    assert window(at(0), at(0), at(0)) == (at(-1), at(0))


async def test_a_rule_tells_what_its_alert_stands_at(tmp_path: Path) -> None:
    """By its labels as they are sent; of an alert that it did not raise it tells nothing."""
    (tmp_path / "rules.yml").write_text(_RULES)
    async with console(tmp_path, rule_files=["rules.yml"]) as reader:
        await fired(reader, "TooMuch")
        labels = Labels({"alertname": "TooMuch", "severity": "critical"})
        async with asyncio.timeout(30):
            while reading(reader.on.rules(), labels, {}) != "7 > 5":
                await reader.on.clock.sleep(0.05)
        assert reading(reader.on.rules(), labels.merge({"a": "b"}), {}) == ""
