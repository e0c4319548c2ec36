"""Messages of thousands of alerts: whole, within limits, and without holding the event loop."""

import asyncio
import json
import sys
import threading
import time
from dataclasses import replace
from types import FrameType
from typing import Any

import aiohttp

from controlplane.demo.standins import PagerDutyStandIn, SlackStandIn, WebhookStandIn
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.attempting import attempt
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.pagerduty.render import MAX_EVENT, event
from controlplane.notify.integrations.slack.blocks import blocks
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.table import Surroundings, build_integrations
from controlplane.notify.message import Content, Delivery, FailureReason, Notification
from controlplane.notify.rendering import Render, Templates
from controlplane.notify.silenced import quiet
from controlplane.templating import evaluate
from tests.support.alerting import EXTERNAL_URL, firing, plain_client, plain_dial, plain_guard
from tests.unit.notify.test_end_to_end import everything

NOW = 1_700_000_000_000
TEMPLATES = Templates(external_url=EXTERNAL_URL)
# A text that takes long to write: a loop through all alerts, and their labels.
SLOW = (
    "{{ range .Alerts }}{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}{{ end }}"
)
# What the event loop may be held by one attempt, in seconds of its own processor time.
HELD = 0.05


def group(alerts: int) -> Notification:
    """Return a group of so many alerts."""
    told = tuple(
        replace(
            firing(NOW, rack="r17", job="node", instance=f"host-{n:05}:9100", severity="critical"),
            annotations=Labels({"summary": f"host-{n:05} is down", "description": "d" * 100}),
        )
        for n in range(alerts)
    )
    content = Content("{}:{}", Labels({"rack": "r17"}), Reason.FIRST, told, NOW)
    return Notification("ops", "x/0", "{}:{}", content)


async def held_by(work: "asyncio.Task[Any]") -> float:
    """Return the most processor time that a turn of this loop took until the work was done."""
    longest = 0.0
    while not work.done():
        began = time.thread_time()
        await asyncio.sleep(0)  # noqa: TID251 - exactly one turn
        longest = max(longest, time.thread_time() - began)
    return longest


async def test_a_large_message_does_not_hold_the_event_loop() -> None:
    """One attempt of a thousand alerts at each kind takes a small part of any turn."""
    subject = group(1_000)
    async with SlackStandIn() as slack, PagerDutyStandIn() as pagerduty, WebhookStandIn() as hook:
        receiver = everything(slack, pagerduty, hook)
        own = SlackConfig(api_url=Secret(slack.webhook_url), text=SLOW)
        receiver = replace(receiver, slack_configs=(*receiver.slack_configs, own))
        made = build_integrations([receiver], surroundings())["ops"]
        for integration in made:
            work = asyncio.create_task(attempt(integration, subject, limit=30_000, lease=60_000))
            longest = await held_by(work)
            assert isinstance(work.result(), Delivery), work.result()
            assert longest < HELD, (integration.name, longest)
            await integration.close()


def surroundings() -> Surroundings:
    return Surroundings(TEMPLATES, plain_client, aiohttp.TCPConnector, plain_dial, plain_guard)


class Slow:
    """An integration that takes a while to write a message, and then a while to send it."""

    name = "slow/0"
    send_resolved = True
    timeout = 0

    def __init__(self, *, writing: float, sending: float) -> None:
        self._writing = writing
        self._sending = sending

    async def send(self, notification: Notification) -> Delivery:
        await TEMPLATES.made(notification, self._write)
        await asyncio.sleep(self._sending)  # noqa: TID251 - a receiver that takes its time
        return Delivery()

    async def close(self) -> None:
        """Nothing is open."""

    def _write(self, _render: Render) -> None:
        threading.Event().wait(self._writing)


async def test_writing_a_message_takes_nothing_of_the_receivers_time() -> None:
    """What takes longer to write than an attempt may is sent; what is sent for too long is not."""
    subject = group(21)
    made = await attempt(Slow(writing=0.5, sending=0), subject, limit=100, lease=2_000)
    assert isinstance(made, Delivery), made
    made = await attempt(Slow(writing=0.5, sending=5), subject, limit=100, lease=2_000)
    assert isinstance(made, DeliveryError)
    assert made.reason is FailureReason.CONTEXT_DEADLINE_EXCEEDED


async def test_all_of_an_attempt_ends_before_its_lease() -> None:
    """A message that takes longer to write than that is left to the next attempt."""
    made = await attempt(Slow(writing=0.6, sending=0), group(21), limit=100, lease=400)
    assert isinstance(made, DeliveryError)
    assert made.temporary


def test_pagerduty_is_told_of_a_group_of_any_size() -> None:
    """Ten thousand alerts: without the details, which the event says; never without the page."""
    subject = group(10_000)
    said = event(subject, PagerdutyConfig(Secret("k")), "k" * 32, TEMPLATES.renderer(subject))
    body = json.loads(said.body)
    assert len(said.body) < MAX_EVENT
    assert said.cut == 1
    assert "left out" in body["payload"]["custom_details"]["error"]
    assert body["payload"]["custom_details"]["num_firing"] == "10000"


def test_what_a_message_does_not_show_is_not_written() -> None:
    """Slack shows ten alerts: a hundred times as many take no more steps of a template."""
    config = SlackConfig(app_token=Secret("x"), channel="#a", update_message=True)

    def steps(alerts: int) -> int:
        subject = group(alerts)
        render = TEMPLATES.renderer(subject)
        counted = 0

        def count(frame: FrameType, event: str, _arg: object) -> None:
            nonlocal counted
            counted += event == "call" and frame.f_code.co_filename == evaluate.__file__

        sys.setprofile(count)
        try:
            blocks(subject, config, render, quiet((), lambda _labels: ()))
        finally:
            sys.setprofile(None)
        return counted

    assert steps(1_100) == steps(1_000) > 0
