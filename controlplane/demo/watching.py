"""Seeing a story happen: alerts as the API shows them, messages as the receivers get them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import httpx

from controlplane.clock import Clock
from controlplane.demo.standins import Received
from controlplane.demo.standins.received import Action
from controlplane.demo.stories import Step, Story

_POLL_SECONDS: Final = 0.2
_STATES: Final = {"pending": Step.PENDING, "firing": Step.FIRING}

# Called when a story takes a step, whether or not it was taken before.
OnStep = Callable[[Story, Step], None]


def of_alerts(
    stories: Sequence[Story], alerts: Iterable[Mapping[str, Any]]
) -> list[tuple[Story, Step]]:
    """Return the steps that a list of alerts shows (`data.alerts` of Prometheus' API)."""
    steps = []
    for alert in alerts:
        labels, step = alert["labels"], _STATES.get(alert["state"])
        for story in stories:
            named = (labels.get("alertname"), labels.get("job"), labels.get("pace"))
            if step is not None and named == (story.alertname, story.service, "demo"):
                steps.append((story, step))
    return steps


class Messages:
    """Knows which story a message belongs to, also when it only names its incident."""

    def __init__(self, stories: Sequence[Story]) -> None:
        self._stories = stories
        self._incidents: dict[str, Story] = {}

    def step_of(self, message: Received) -> tuple[Story, Step] | None:
        """Return the step that a message is, or None when it belongs to no story."""
        story = self._incidents.get(message.where) or self._named(message.body)
        if story is None:
            return None
        if message.service == "pagerduty":
            self._incidents[message.where] = story
            resolved = message.action is Action.RESOLVED
            return story, Step.PAGERDUTY_RESOLVED if resolved else Step.PAGERDUTY_TOLD
        resolved = "RESOLVED" in json.dumps(message.body).upper()
        return story, Step.SLACK_RESOLVED if resolved else Step.SLACK_TOLD

    def _named(self, body: Mapping[str, Any]) -> Story | None:
        text = json.dumps(body)
        for story in self._stories:
            if story.alertname in text and story.service in text:
                return story
        return None


async def watch_alerts(
    base_url: str, stories: Sequence[Story], on_step: OnStep, clock: Clock
) -> None:
    """Tell every step that the service's API shows, until cancelled."""
    async with httpx.AsyncClient(base_url=base_url, timeout=5.0, trust_env=False) as client:
        while True:
            answer = await client.get("/prometheus/api/v1/alerts")
            answer.raise_for_status()
            for story, step in of_alerts(stories, answer.json()["data"]["alerts"]):
                on_step(story, step)
            await clock.sleep(_POLL_SECONDS)
