"""What becomes of one run of a fire drill, by the messages that told of it."""

from dataclasses import replace
from typing import Any

import pytest

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.cron import Cron
from controlplane.model.labels import Labels
from controlplane.notify.channels import Channel
from controlplane.notify.drill import DrillOptions, Run, Stage, judge
from controlplane.notify.incident import Reason, Told
from controlplane.notify.message import Content, Message, MessageState

NOW = 1_700_000_000_000
SLACK, MAIL = ("ops", "slack/0"), ("ops", "email/0")
DRILL = DrillOptions("weekly", receiver="ops", interval=3_600_000, deliver_within=60_000)
RUN = Run(DRILL, DRILL.alert(NOW, "c"), (SLACK, MAIL), frozenset({SLACK}))


def message(
    number: int,
    channel: Channel,
    at: Timestamp | None,
    state: MessageState = MessageState.DELIVERED,
    *,
    firing: bool = True,
    failure: str = "",
) -> Message:
    """Return a message about the run's alert."""
    name = frozenset({RUN.alert.fingerprint})
    told = Told(firing=name) if firing else Told(resolved=name)
    content = Content("g", Labels(), Reason.FIRST, (RUN.alert,), NOW)
    plain = Message(number, "i", *channel, told, content, NOW, NOW, NOW, state=state)
    return replace(plain, finished_at=at, failure=failure)


def test_an_alert_says_that_it_was_made_up() -> None:
    """By a label and in words; each run has an alert of its own."""
    alert = RUN.alert
    assert alert.is_test
    assert dict(alert.labels) == {
        "alertname": "FireDrill",
        "controlplane_test": "true",
        "drill": "weekly",
        "receiver": "ops",
        "run": "2023-11-14T22:13:20.000Z",
    }
    assert "nothing is broken" in alert.annotations.value("summary")
    assert DRILL.alert(NOW + 1000, "c").fingerprint != alert.fingerprint
    by_labels = DrillOptions("d", labels=Labels({"alertname": "X", "team": "a"}), interval=60_000)
    labels = by_labels.alert(NOW, "").labels
    assert (labels.value("alertname"), labels.value("team")) == ("X", "a")
    assert "receiver" not in labels


def test_it_is_delivered_when_every_channel_was_told() -> None:
    """The last of them counts for the time that it took."""
    first = message(1, SLACK, NOW + 1_000)
    assert judge(RUN, [first], NOW + 59_999) == RUN
    both = [first, message(2, MAIL, NOW + 9_000), message(3, SLACK, NOW + 20_000)]
    after = judge(RUN, both, NOW + 30_000)
    assert (after.stage, after.delivered_at) == (Stage.DELIVERED, NOW + 9_000)
    assert judge(RUN, both, NOW + 90_000).stage is Stage.DELIVERED, "nobody had looked in time"


def test_one_that_was_not_told_in_time_fails_it() -> None:
    """With what its message met, or that there was none, or that it came too late."""
    queued = message(2, MAIL, None, MessageState.QUEUED, failure="status 500")
    after = judge(RUN, [message(1, SLACK, NOW + 61_000), queued], NOW + 60_000)
    assert (after.stage, after.missing, after.ended_at) == (
        Stage.FAILED,
        (SLACK, MAIL),
        NOW + 60_000,
    )
    assert after.failure == (
        "ops/slack/0 was not told within 1m: its message came too late; "
        "ops/email/0 was not told within 1m: its message is queued: status 500"
    )
    assert "there is no message for it" in judge(RUN, [], NOW + 60_000).failure


def test_with_nobody_to_tell_it_fails_at_once() -> None:
    """A receiver without integrations never answers."""
    after = judge(replace(RUN, channels=()), [], NOW)
    assert (after.stage, after.missing) == (Stage.FAILED, ())
    assert "nobody is told" in after.failure


def test_it_is_over_when_those_who_want_to_heard_of_its_end() -> None:
    """The one that is not told of ends is not waited for."""
    delivered = replace(RUN, stage=Stage.DELIVERED, delivered_at=NOW)
    fired = message(1, SLACK, NOW)
    assert judge(delivered, [fired], NOW + 1) == delivered
    after = judge(delivered, [fired, message(2, SLACK, NOW + 5, firing=False)], NOW + 6)
    assert (after.stage, after.ended_at) == (Stage.RESOLVED, NOW + 6)
    assert judge(after, [], NOW + 10**9) == after


def test_an_end_that_nobody_heard_of_fails_it() -> None:
    """A receiver that is told of beginnings alone would keep its incident for ever."""
    delivered = replace(RUN, stage=Stage.DELIVERED, delivered_at=NOW)
    dead = message(2, SLACK, NOW + 5, MessageState.DEAD, firing=False, failure="status 403")
    after = judge(delivered, [dead], NOW + DRILL.resolve_within)
    assert (after.stage, after.missing) == (Stage.FAILED, (SLACK,))
    assert after.failure == (
        "ops/slack/0 was not told of its end within 15m: its message is dead: status 403"
    )


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"interval": 60_000}, "/name"),
        ({"interval": 60_000, "receiver": "a", "labels": Labels({"a": "b"})}, "/name"),
        ({"receiver": "a"}, "/name"),
        ({"receiver": "a", "interval": 60_000, "schedule": "* * * * *"}, "/name"),
        ({"receiver": "a", "interval": 59_999}, "/interval"),
        ({"receiver": "a", "schedule": "61 * * * *"}, "/schedule"),
        ({"labels": Labels({"run": "b"}), "interval": 60_000}, "/labels"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], pointer: str
) -> None:
    """At the key that they concern."""
    with pytest.raises(InvalidInput) as caught:
        DrillOptions("d", **options)
    assert caught.value.pointer == pointer


def test_when_it_is_run() -> None:
    """By the calendar, or each so often."""
    assert DRILL.when() == 3_600_000
    assert isinstance(DrillOptions("d", receiver="a", schedule="0 9 * * *").when(), Cron)
