"""What fires now, and what changed last."""

from controlplane.events.event import Data, Event, Kind
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.ui.happening import CHANGES_SHOWN, changes, firing

_NOW = 1_000_000


def alert(name: str, severity: str, instance: str = "", start: int = 1, end: int = 0) -> Alert:
    """Return an alert that fires, or has ended."""
    labels = Labels({"alertname": name, "severity": severity, "instance": instance})
    return Alert(labels, start, end or _NOW + 1_000, _NOW)


def event(kind: Kind, time: int, subject: str = "", **data: str | bool) -> Event:
    """Return something that happened."""
    given: Data = data
    return Event(kind, subject, time, given)


def name_of(target_id: str) -> str | None:
    """Return the name of the one target that there is."""
    return "shop" if target_id == "id1" else None


def test_the_worst_comes_first() -> None:
    """Severities in their order, those nobody knows last; what has ended is not there."""
    found = firing(
        [
            alert("A", "info"),
            alert("B", "warning"),
            alert("C", "critical"),
            alert("D", "own"),
            alert("E", "critical", end=_NOW),
        ],
        _NOW,
    )
    assert [each.name for each in found] == ["critical", "warning", "info", "own"]
    assert found[0].selector == '{severity="critical"}'


def test_alerts_of_one_name_stand_together() -> None:
    """With their number, the newest few, and since when the first of them fires."""
    (severity,) = firing([alert("A", "x", f"i{n}", start=n + 1) for n in range(5)], _NOW)
    (named,) = severity.names
    assert (named.count, named.since, severity.count) == (5, 1, 5)
    assert [each.starts_at for each in named.newest] == [5, 4, 3]


def test_many_names_are_cut_and_counted() -> None:
    """Five hundred alerts make no endless page."""
    (severity,) = firing([alert(f"A{n:03}", "x") for n in range(500)], _NOW)
    assert len(severity.names) == 12
    assert (severity.count, severity.unseen) == (500, 488)


def test_changes_come_from_alerts_and_events_the_newest_first() -> None:
    """Beginnings and ends of alerts, targets that went down and came back, reloads, silences."""
    events = [
        event(Kind.SILENCE, 90),
        event(Kind.CONFIG, 80, good=False),
        event(Kind.TARGET, 70, "id1", change="state", state="up"),
        event(Kind.TARGET, 60, "id1", change="state", state="down", reason="dns"),
        event(Kind.ALERT, 50, "x", status="firing"),
    ]
    alerts = [alert("New", "x", "i", start=100), alert("Old", "x", start=10, end=65)]
    found = changes(events, alerts, name_of, _NOW)
    assert [(each.at, each.kind, each.state, each.subject) for each in found] == [
        (100, "alert", "firing", "New"),
        (90, "silence", "silenced", ""),
        (80, "config", "error", ""),
        (70, "target", "up", "shop"),
        (65, "alert", "resolved", "Old"),
        (60, "target", "down", "shop"),
    ]
    assert found[-1].detail == "dns"
    assert found[-1].link == "/targets/id1"


def test_a_first_probe_that_succeeds_is_no_news() -> None:
    """Nor is what happened to a target that is gone."""
    events = [
        event(Kind.TARGET, 3, "gone", change="state", state="down"),
        event(Kind.TARGET, 2, "id1", change="state", state="up"),
        event(Kind.TARGET, 1, "id1", change="added", name="shop"),
    ]
    assert changes(events, [], name_of, _NOW) == []


def test_only_the_last_changes_are_shown() -> None:
    """The newest dozen."""
    found = changes(
        [], [alert(f"A{n}", "x", start=n + 1) for n in range(50)], lambda _id: None, _NOW
    )
    assert len(found) == CHANGES_SHOWN
    assert found[0].at == 50
