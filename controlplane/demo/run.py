"""The demo itself: the real service, three services that register, two stand-ins, one screen."""

import asyncio
import json
import socket
import sysconfig
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import controlplane
from controlplane.app.lifecycle import bind, serve
from controlplane.clock import Clock, SystemClock
from controlplane.config.loader import load
from controlplane.demo.screen import Screen
from controlplane.demo.services import Cycle, SampleServices
from controlplane.demo.standins import (
    PagerDutyStandIn,
    Received,
    SlackStandIn,
    render_for_person,
)
from controlplane.demo.stories import FAILING, HEALTHY, SILENT, Step, Story, demo_stories
from controlplane.demo.watching import Messages, watch_alerts
from controlplane.errors import Conflict, Unavailable
from controlplane.settings.parsing import Listen
from controlplane.settings.settings import DEFAULT_LISTEN, Settings

_CYCLE: Final = Cycle(first=6.0, trouble=16.0, calm=16.0)
_REMIND_SECONDS: Final = 10.0
_ROUTING_KEY: Final = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Arguments:
    """`seconds` None runs until it is interrupted; `directory` keeps files and data.

    `listen` None is the default address, or a free port of it when somebody else has it.
    """

    listen: Listen | None
    directory: Path
    seconds: float | None = None


async def run_demo(arguments: Arguments, screen: Screen, clock: Clock | None = None) -> bool:
    """Run the demo; return whether every story was seen to its end. Raises as `serve` does."""
    demo = _Demo(arguments, screen, clock or SystemClock())
    await demo.run()
    return all(story.complete for story in demo.stories)


class _Demo:
    def __init__(self, arguments: Arguments, screen: Screen, clock: Clock) -> None:
        self._arguments = arguments
        self._screen = screen
        self._clock = clock
        self._start = clock.monotonic()
        self._messages: Messages
        self.stories: Sequence[Story] = demo_stories()
        self._messages = Messages(self.stories)
        self._done = asyncio.Event()

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            slack = await stack.enter_async_context(SlackStandIn(on_message=self._on_message))
            pager = await stack.enter_async_context(PagerDutyStandIn(on_message=self._on_message))
            listening = self._bind()
            host, port = listening.getsockname()[:2]
            path = self._arguments.directory / "controlplane.yml"
            path.write_text(json.dumps(_configuration(slack, pager), indent=2), encoding="utf-8")
            settings = Settings(
                listen=Listen(host, port), data_dir=self._arguments.directory / "data", config=path
            )
            self._introduce(settings, path)
            await serve(
                settings,
                await asyncio.to_thread(load, path),
                clock=self._clock,
                listening=listening,
                meanwhile=self._meanwhile,
            )

    def _bind(self) -> socket.socket:
        asked = self._arguments.listen
        if asked is not None:
            return bind(asked)
        try:
            return bind(DEFAULT_LISTEN)
        except Conflict:
            self._screen.say(
                f"{DEFAULT_LISTEN} is taken: the demo listens on a free port", "yellow"
            )
            return bind(Listen(DEFAULT_LISTEN.host, 0))

    async def _meanwhile(self, url: str) -> None:
        services = SampleServices(url, clock=self._clock, cycle=_CYCLE)
        tasks = [
            asyncio.create_task(services.run()),
            asyncio.create_task(watch_alerts(url, self.stories, self._on_step, self._clock)),
            asyncio.create_task(self._remind()),
        ]
        end = asyncio.create_task(self._end())
        try:
            done, _ = await asyncio.wait([*tasks, end], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in [*tasks, end]:
                task.cancel()
            await asyncio.gather(*tasks, end, return_exceptions=True)

    async def _end(self) -> None:
        """Return when the demo is over: all was seen, or the time is up."""
        if self._arguments.seconds is None:
            await asyncio.Event().wait()
            return
        sleep = asyncio.create_task(self._clock.sleep(self._arguments.seconds))
        seen = asyncio.create_task(self._done.wait())
        await asyncio.wait([sleep, seen], return_when=asyncio.FIRST_COMPLETED)
        sleep.cancel()
        seen.cancel()

    async def _remind(self) -> None:
        while True:
            await self._clock.sleep(_REMIND_SECONDS)
            if not self._done.is_set():
                self._screen.waiting(self.stories)

    def _on_message(self, message: Received) -> None:
        self._screen.message(message.service, render_for_person(message))
        step = self._messages.step_of(message)
        if step is not None:
            self._on_step(*step)

    def _on_step(self, story: Story, step: Step) -> None:
        if not story.note(step, self._clock.monotonic() - self._start):
            return
        self._screen.step(story, step)
        if all(story.complete for story in self.stories):
            self._done.set()
            self._screen.heading("all three stories were seen from pending to resolved")

    def _introduce(self, settings: Settings, path: Path) -> None:
        say, url = self._screen.say, settings.external_url
        self._screen.heading("controlplane demo: one service that watches, three that are watched")
        say(f"{HEALTHY:<9} stays healthy")
        say(f"{FAILING:<9} turns slow and fails 40 % of its requests, then recovers, in cycles")
        say(f"{SILENT:<9} stops answering, then comes back, in cycles")
        say("rules     alert_rules/ unchanged, and the same alerts with windows of seconds")
        say("receivers stand-ins for Slack and PagerDuty; their messages are shown here")
        self._screen.heading("where to look meanwhile")
        say(f"console   {url}/")
        say(f"targets   {url}/api/v1/targets")
        say(f"alerts    {url}/api/v1/alerts")
        say(f"scaling   {url}/autoscaling")
        say(f"rules     {url}/prometheus/api/v1/rules")
        say(f"query     .venv/bin/controlplane query --url {url} 'probe_success'")
        say(f"itself    {url}/ready  {url}/metrics")
        say(f"files     {path}, log in {path.parent / 'demo.log'}")
        self._screen.heading("what happens")
        say("the first troubles begin in a few seconds; each lasts about a quarter of a minute")


def _configuration(slack: SlackStandIn, pager: PagerDutyStandIn) -> dict[str, Any]:
    shipped = _shipped_rules()
    own = Path(__file__).with_name("demo.rules.yml")
    oncall = {
        "name": "oncall",
        "slack_configs": [
            {
                "app_token": slack.token,
                "app_url": slack.app_url,
                "channel": "#alerts",
                "update_message": True,
                "send_resolved": True,
            }
        ],
        "pagerduty_configs": [{"routing_key": _ROUTING_KEY, "url": f"{pager.url}/v2/enqueue"}],
    }
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [f"{shipped}/*.rules.yml", str(own)],
        "route": {
            "receiver": "oncall",
            "group_by": ["alertname", "job", "pace"],
            "group_wait": "1s",
            "group_interval": "2s",
            "repeat_interval": "1h",
            # Made for machines that scale, not for people.
            "routes": [{"receiver": "nobody", "matchers": ['severity="none"']}],
        },
        "receivers": [oncall, {"name": "nobody"}],
        "autoscaling": [_policy(FAILING)],
    }


def _policy(job: str) -> dict[str, Any]:
    """Return what is recommended for a service, at the pace of the demo: nothing is scaled."""
    return {
        "name": job,
        "max_replicas": 6,
        "interval": "1s",
        "replicas": f'sum(service_replicas{{job="{job}"}})',
        "metrics": [
            {
                "name": "load",
                "query": f'sum(rate(http_requests_total{{job="{job}"}}[5s]))',
                "target": {"type": "AverageValue", "value": 20},
            },
            {
                "name": "cpu",
                "kind": "cpu",
                "query": f'avg(rate(process_cpu_seconds_total{{job="{job}"}}[5s]))',
            },
            {
                "name": "p95",
                "query": f'service:latency_seconds:p95_5s{{job="{job}"}}',
                "up": {"threshold": 0.5, "for": "3s"},
            },
            {
                "name": "errors",
                "query": f'service:errors:ratio_rate5s{{job="{job}"}}',
                "up": {"threshold": 0.05, "for": "3s"},
            },
        ],
    }


def _shipped_rules() -> Path:
    """Return the folder alert_rules/: beside the package in a checkout, else as installed."""
    below = Path("share", "controlplane", "alert_rules")
    user = sysconfig.get_preferred_scheme("user")
    places = (
        Path(controlplane.__file__).parents[1] / "alert_rules",
        sysconfig.get_path("data") / below,
        sysconfig.get_path("data", user) / below,
    )
    for place in places:
        if place.is_dir():
            return place
    raise Unavailable(f"the shipped rules are in none of {', '.join(map(str, places))}")
