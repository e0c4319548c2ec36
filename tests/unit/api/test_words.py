"""The words of a story, one by one."""

from dataclasses import replace

import pytest

from controlplane.alerts.decision import Decision, Kind
from controlplane.api.v1 import words
from controlplane.model.alert import AlertStatus
from controlplane.model.labels import Labels
from controlplane.notify.incident import Reason, Told
from controlplane.notify.message import Attempt, Content, FailureReason, Message, Outcome

NOW = 1_700_000_000_000
THEN = "2023-11-14T22:13:20.000Z"
PLACE = "ops/slack/0"
CONTENT = Content("{}:{}", Labels(), Reason.REPEAT, (), NOW)
MESSAGE = Message(7, "i", "ops", "slack/0", Told(), CONTENT, NOW, NOW, NOW)


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        (
            Kind.RECEIVED,
            {"starts_at": NOW},
            f"began to fire: its source said so; it counts from {THEN}",
        ),
        (Kind.RECEIVED, {}, "it counts from a time that was not kept"),
        (Kind.RESOLVED, {}, "it ended: its source said so, or fell silent"),
        (Kind.RESOLVED, {"timeout": True}, "nobody spoke of it again within resolve_timeout"),
        (
            Kind.GROUPED,
            {"route": '{}/{a="b"}', "group_key": "g", "group_wait": 90_000},
            'the route {}/{a="b"} takes it, as one of the group g, first told after 1m30s',
        ),
        (Kind.SILENCED, {"by": ["s-1", "s-2"]}, f"{PLACE} is not told: silenced by mia's, s-2"),
        (Kind.INHIBITED, {"by": ["s-1"]}, f"{PLACE} is not told: inhibited by mia's"),
        (Kind.MUTED, {"by": ["night"]}, f"{PLACE} is not told: by the hours of its route: night"),
        (
            Kind.DEPENDENT,
            {"by": ["target/db"]},
            f"{PLACE} is not told: it depends on target/db, which is down",
        ),
        (Kind.HELD, {"by": ["storm"]}, f"{PLACE} is not told yet: held for a short while: storm"),
        (
            Kind.DEDUPLICATED,
            {"reason": "told already", "repeat_at": NOW},
            f"{PLACE} is not told again: nothing has changed since; it is repeated after {THEN}",
        ),
        (
            Kind.DEDUPLICATED,
            {"reason": "send_resolved is false"},
            f"{PLACE} is not told: send_resolved is false",
        ),
        (Kind.QUEUED, {"message": 7}, f"{PLACE} is to be told: message 7"),
        (
            Kind.UNKNOWN,
            {"state": "no_data", "reason": "1 series could not be read"},
            "it stays as it was: its rule cannot tell (no_data): 1 series could not be read",
        ),
        (Kind.KNOWN, {}, "its rule can tell again"),
        (
            Kind.CLICKED,
            {"by": ["s-1"], "author": "slack:ada", "action": "acknowledge", "until": NOW},
            f"slack:ada acknowledged it until it has ended, at most until {THEN}: a button in the "
            f"message of {PLACE} was clicked: silence mia's",
        ),
        (
            Kind.CLICKED,
            {"by": ["s-1"], "author": "slack:ada", "action": "silence_1h", "until": NOW},
            f"slack:ada silenced it until {THEN}",
        ),
    ],
)
def test_decisions(kind: Kind, detail: dict[str, object], said: str) -> None:
    """What, and because of what; ids that are known have a name."""
    decision = Decision("f" * 16, NOW, kind, PLACE, detail)
    assert said in ": ".join(words.of_decision(decision, {"s-1": "mia's"}))


def test_every_kind_has_words() -> None:
    """A decision without any could not be told."""
    for kind in Kind:
        what, _ = words.of_decision(Decision("f" * 16, NOW, kind, PLACE), {})
        assert what


def test_messages() -> None:
    """What is told, and why now."""
    assert words.of_message(MESSAGE, AlertStatus.FIRING) == (
        f"{PLACE} is to be told that it fires",
        "repeat interval elapsed",
    )
    ended, _ = words.of_message(MESSAGE, AlertStatus.RESOLVED)
    assert ended == f"{PLACE} is to be told that it has ended"


def test_attempts() -> None:
    """The number, how it came out, and the answer or the lack of one."""
    arrived = Attempt(7, 2, NOW, 0.25, Outcome.DELIVERED, 200)
    assert words.of_attempt(arrived, MESSAGE) == (
        f"attempt 2 to tell {PLACE} arrived",
        "status 200 after 0.250 s",
    )
    failed = Attempt(7, 1, NOW, 1, Outcome.REFUSED, None, FailureReason.OTHER, "no route to host")
    assert words.of_attempt(failed, MESSAGE) == (
        f"attempt 1 to tell {PLACE} failed",
        "after 1.000 s, other: no route to host",
    )


def test_what_becomes_of_a_message() -> None:
    """It is tried again, given up or taken back."""
    failed = replace(MESSAGE, attempts=2, failure="unexpected status code 500")
    assert words.of_next_try(failed) == (
        f"attempt 3 to tell {PLACE} is due",
        "unexpected status code 500",
    )
    assert words.of_next_try(MESSAGE)[1] == "it waits for its turn"
    assert words.of_dead(failed) == (
        f"the message to {PLACE} was given up",
        "unexpected status code 500",
    )
    assert words.of_superseded(failed)[0] == f"the message to {PLACE} was taken back"
