"""Which id a message and an alert carry: that of what changed the state last."""

from dataclasses import replace

from controlplane.alerts.merge import merged
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.notify.incident import Reason
from controlplane.notify.message import Content

NOW = 1_700_000_000_000
MINUTE = 60_000


def alert(name: str, correlation_id: str, *, starts: int, ends: int = NOW + MINUTE) -> Alert:
    """Return an alert that its source spoke of now."""
    labels = Labels({"alertname": name})
    return Alert(labels, starts, ends, NOW, correlation_id=correlation_id)


def content(*alerts: Alert) -> Content:
    """Return what a message about these alerts holds."""
    return Content("{}:{}", Labels(), Reason.FIRST, alerts, NOW)


def test_a_message_carries_the_id_of_the_newest_change() -> None:
    """An alert that joins a group leads to its own evaluation, not to that of an older one."""
    old, new = alert("a", "old", starts=NOW - MINUTE), alert("b", "new", starts=NOW - 1)
    assert content(old, new).correlation_id() == "new"
    assert content(new, old).correlation_id() == "new"
    ended = alert("c", "ended", starts=NOW - MINUTE, ends=NOW)
    assert content(old, new, ended).correlation_id() == "ended"


def test_alerts_without_an_id_give_none() -> None:
    """Nothing is made up."""
    assert content(alert("a", "", starts=NOW)).correlation_id() == ""
    assert content().correlation_id() == ""


def test_saying_the_same_again_keeps_the_id() -> None:
    """A repeated firing alert leads to the evaluation in which it began to fire."""
    first = alert("a", "first", starts=NOW - MINUTE)
    again = alert("a", "again", starts=NOW - MINUTE, ends=NOW + 2 * MINUTE)
    assert merged(first, again, NOW).correlation_id == "first"
    anew = alert("a", "anew", starts=NOW, ends=NOW + 2 * MINUTE)
    assert merged(replace(first, ends_at=NOW - 1), anew, NOW).correlation_id == "anew"
    resolved = alert("a", "resolved", starts=NOW - MINUTE, ends=NOW)
    assert merged(first, resolved, NOW).correlation_id == "resolved"
