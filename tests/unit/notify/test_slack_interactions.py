"""Clicks: who may send them, what they are read as, and that each counts once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from controlplane.app.silencing import Silencing
from controlplane.demo.standins import SlackStandIn
from controlplane.demo.standins.slack_clicks import Press
from controlplane.errors import InvalidInput, Unauthorized, Unavailable
from controlplane.model.secret import Secret
from controlplane.mute.silence import SilenceState
from controlplane.notify.integrations.slack.clicks import clicks
from controlplane.notify.integrations.slack.interactions import Clicked, Interactions
from controlplane.notify.integrations.slack.metrics import SlackMetrics
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.slack.signature import is_signed, signature
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from tests.support.alerting import Alerting, alerting, firing

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ROUTE = Route(receiver="ops", group_by=("alertname",), group_wait=0, group_interval=50)
NOW = 1_700_000_000_000


def test_the_signature_is_the_one_that_slack_documents() -> None:
    """With the secret, time stamp and body of the example in Slack's documentation."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    wanted = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert signature(SECRET, "1531420618", body) == wanted
    assert is_signed(SECRET, "1531420618", body, wanted)
    assert not is_signed(SECRET, "1531420619", body, wanted)
    assert not is_signed(SECRET, "1531420618", body + b"x", wanted)
    assert not is_signed("", "1531420618", body, signature("", "1531420618", body))
    assert not is_signed(SECRET, "1531420618", body, "v0=\udcff")


def payload(action: str = "acknowledge", value: str = "i1", **changes: Any) -> dict[str, Any]:
    act = {"type": "button", "action_id": action, "value": value, "action_ts": "1700000000.25"}
    user = {"id": "U1", "username": "ada"}
    return {"type": "block_actions", "user": user, "actions": [act], **changes}


def test_a_click_is_read() -> None:
    """Who, what, on which message, when; the same click has the same id, another has not."""
    (click,) = clicks(Press.of(payload("silence_4h")).body)
    assert (click.user, click.action, click.incident_id) == ("ada", "silence_4h", "i1")
    assert (click.at, click.lasts) == (NOW + 250, 4 * 3_600_000)
    (again,) = clicks(Press.of(payload("silence_4h", trigger_id="another")).body)
    (other,) = clicks(Press.of(payload("silence_1h")).body)
    assert again.id == click.id != other.id


@pytest.mark.parametrize(
    "other",
    [
        payload("configured/0/restart"),
        {"type": "view_submission", "view": {}},
        payload(actions=[]),
    ],
)
def test_what_is_not_ours_is_no_click(other: dict[str, Any]) -> None:
    """Buttons of the configuration, and whatever else an app may be sent."""
    assert clicks(Press.of(other).body) == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"payload=",
        b"payload=%7B",
        b"payload=[]",
        b"payload=" + b"[" * 20_000,
        b"else=1",
        Press.of({"type": "block_actions"}).body,
        Press.of(payload(actions=["x"])).body,
        Press.of(payload(user="ada")).body,
        Press.of(payload(actions=[{"action_id": "acknowledge", "action_ts": "soon"}])).body,
        Press.of(payload(actions=[{"action_id": "acknowledge", "action_ts": "NaN"}])).body,
        Press.of(payload(actions=[{"action_id": "acknowledge", "action_ts": "-1"}])).body,
        urlencode({"payload": json.dumps("text")}).encode(),
    ],
)
def test_what_slack_does_not_send_is_refused(body: bytes) -> None:
    """In words, whatever it is."""
    with pytest.raises(InvalidInput):
        clicks(body)


class Room:
    """The alerting half with a Slack bot, and what takes its clicks."""

    def __init__(self, whole: Alerting, slack: SlackStandIn, secret: Secret) -> None:
        self.whole, self.slack = whole, slack
        self.acted: list[Clicked] = []
        silencing = Silencing(whole.silences, whole.clock)
        self.interactions = Interactions(
            whole.store,
            signing=lambda: [(("ops", "slack/0"), secret)],
            find_alert=whole.alerts.get,
            silence=silencing.silence,
            record=self.acted.append,
            metrics=SlackMetrics(whole.registry),
        )

    def press(self, action: str, *, late: int = 0) -> Press:
        now = self.whole.clock.now() / 1000
        return self.slack.press(self.slack.messages[0], action, user="ada", at=now - late)

    async def take(self, press: Press, **changed: str) -> None:
        headers = {name.lower(): text for name, text in {**press.headers, **changed}.items()}
        await self.interactions.take(headers, press.body, self.whole.clock.now())

    def counted(self, outcome: str) -> float:
        name = "controlplane_slack_interactions_total"
        return self.whole.registry.get_sample_value(name, {"outcome": outcome}) or 0.0

    def active(self) -> int:
        now = self.whole.clock.now()
        return sum(s.state(now) is SilenceState.ACTIVE for s in self.whole.silences.list())


def receiver(slack: SlackStandIn) -> Receiver:
    config = SlackConfig(
        app_token=Secret(slack.token),
        app_url=slack.app_url,
        signing_secret=Secret(slack.signing_secret),
        channel="#alerts",
        send_resolved=True,
    )
    return Receiver("ops", slack_configs=(config,))


async def test_a_click_silences_what_fires_and_nothing_else(tmp_path: Path) -> None:
    """By one silence in the name of whoever clicked; another instance is not covered."""
    async with (
        SlackStandIn() as slack,
        alerting(tmp_path, ROUTE, [receiver(slack)]) as whole,
    ):
        room = Room(whole, slack, Secret(slack.signing_secret))
        now = whole.clock.now()
        a, b, c = (firing(now, instance=name, rack=f"r{name}") for name in ("a", "b", "c+"))
        await whole.alerts.put([a, b])
        await slack.wait_for(lambda: bool(slack.messages))
        await whole.worker.idle()
        press = room.press("silence_1h")
        await room.take(press)
        (silence,) = whole.silences.list()
        assert (silence.created_by, silence.until_resolved) == ("slack:ada", False)
        assert abs(silence.ends_at - now - 3_600_000) < 10_000
        assert [silence.matches(each.labels) for each in (a, b, c)] == [True, True, False]
        (clicked,) = room.acted
        assert (len(clicked.alerts), clicked.silence.id) == (2, silence.id)
        assert room.counted("silenced") == 1


async def test_the_same_request_again_does_nothing_more(tmp_path: Path) -> None:
    """Not even once the silence has been ended, or after a restart: silences remember."""
    async with SlackStandIn() as slack:
        async with alerting(tmp_path, ROUTE, [receiver(slack)]) as whole:
            room = Room(whole, slack, Secret(slack.signing_secret))
            await whole.alerts.put([firing(whole.clock.now(), instance="a")])
            await slack.wait_for(lambda: bool(slack.messages))
            await whole.worker.idle()
            press = room.press("acknowledge")
            await room.take(press)
            await room.take(press)
            (silence,) = whole.silences.list()
            assert silence.until_resolved
            await whole.silences.expire(silence.id, by="bob")
            await room.take(press)
            assert room.active() == 0
            assert room.counted("repeated") == 2
        async with alerting(tmp_path, ROUTE, [receiver(slack)]) as whole:
            room = Room(whole, slack, Secret(slack.signing_secret))
            await room.take(press)
            assert (room.active(), room.counted("repeated")) == (0, 1)
            await room.take(room.press("acknowledge"))
            assert (room.active(), room.counted("silenced")) == (1, 1)


async def test_who_has_no_signature_of_now_is_refused_and_counted(tmp_path: Path) -> None:
    """Unsigned, forged, old, from the future, changed on its way: 401, and nothing happens."""
    async with (
        SlackStandIn() as slack,
        alerting(tmp_path, ROUTE, [receiver(slack)]) as whole,
    ):
        room = Room(whole, slack, Secret(slack.signing_secret))
        await whole.alerts.put([firing(whole.clock.now(), instance="a")])
        await slack.wait_for(lambda: bool(slack.messages))
        await whole.worker.idle()
        good = room.press("acknowledge")
        refused = [
            replace(good, headers={}),
            replace(good, headers={**good.headers, "X-Slack-Signature": ""}),
            replace(good, headers={**good.headers, "X-Slack-Request-Timestamp": "soon"}),
            good.signed("another secret", int(whole.clock.now() / 1000)),
            replace(good, body=good.body + b"&x=1"),
            room.press("acknowledge", late=301),
            room.press("acknowledge", late=-302),
        ]
        for press in refused:
            with pytest.raises(Unauthorized):
                await room.take(press)
        assert (room.active(), room.counted("refused")) == (0, len(refused))
        await room.take(room.press("acknowledge", late=290))
        assert room.active() == 1


async def test_a_secret_that_cannot_be_read_is_our_fault(tmp_path: Path) -> None:
    """Slack is told to come again, not that it forged something."""

    def unreadable() -> str:
        raise Unavailable("the file is gone")

    async with (
        SlackStandIn() as slack,
        alerting(tmp_path, ROUTE, [receiver(slack)]) as whole,
    ):
        room = Room(whole, slack, Secret(unreadable))
        at = whole.clock.now() / 1000
        press = Press.of(payload()).signed(slack.signing_secret, int(at))
        with pytest.raises(Unavailable):
            await room.take(press)


async def test_clicks_about_nothing_are_no_error(tmp_path: Path) -> None:
    """An incident that is not known, and alerts that have ended meanwhile."""
    async with (
        SlackStandIn() as slack,
        alerting(tmp_path, ROUTE, [receiver(slack)]) as whole,
    ):
        room = Room(whole, slack, Secret(slack.signing_secret))
        at = int(whole.clock.now() / 1000)
        await room.take(Press.of(payload(value="x")).signed(slack.signing_secret, at))
        assert room.counted("unknown") == 1
        alert = firing(whole.clock.now(), instance="a")
        await whole.alerts.put([alert])
        await slack.wait_for(lambda: bool(slack.messages))
        await whole.worker.idle()
        press = room.press("acknowledge")
        now = whole.clock.now()
        await whole.alerts.put([replace(alert, ends_at=now, updated_at=now)])
        await room.take(press)
        assert (room.active(), room.counted("over")) == (0, 1)


async def test_another_receivers_secret_moves_nothing_here(tmp_path: Path) -> None:
    """Whoever may click in one workspace has no say in another one's incidents."""
    async with (
        SlackStandIn() as slack,
        alerting(tmp_path, ROUTE, [receiver(slack)]) as whole,
    ):
        room = Room(whole, slack, Secret("theirs"))
        room.interactions = Interactions(
            whole.store,
            signing=lambda: [
                (("ops", "slack/0"), Secret(slack.signing_secret)),
                (("others", "slack/0"), Secret("theirs")),
            ],
            find_alert=whole.alerts.get,
            silence=Silencing(whole.silences, whole.clock).silence,
            record=room.acted.append,
            metrics=SlackMetrics(prometheus := whole.registry.__class__()),
        )
        await whole.alerts.put([firing(whole.clock.now(), instance="a")])
        await slack.wait_for(lambda: bool(slack.messages))
        await whole.worker.idle()
        press = room.press("acknowledge").signed("theirs", int(whole.clock.now() / 1000))
        await room.take(press)
        assert (room.active(), room.acted) == (0, [])
        name = "controlplane_slack_interactions_total"
        assert prometheus.get_sample_value(name, {"outcome": "unknown"}) == 1
