"""From an accepted alert to the request at the receiver, over real sockets and SQLite."""

from pathlib import Path

from controlplane.demo.standins import PagerDutyStandIn, SlackStandIn, WebhookStandIn
from controlplane.model.secret import Secret
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from tests.support.alerting import alerting, firing, resolved
from tests.support.clock import ManualClock

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
INTERVAL = 50
AT_ONCE = Route(
    receiver="ops",
    group_by=("alertname",),
    group_wait=0,
    group_interval=INTERVAL,
    repeat_interval=60_000,
)


def everything(
    slack: SlackStandIn, pagerduty: PagerDutyStandIn, webhook: WebhookStandIn
) -> Receiver:
    """Return a receiver that tells all three, Slack twice."""
    return Receiver(
        "ops",
        slack_configs=(
            SlackConfig(send_resolved=True, api_url=Secret(slack.webhook_url)),
            SlackConfig(
                send_resolved=True,
                app_token=Secret(slack.token),
                app_url=slack.app_url,
                channel="#alerts",
                update_message=True,
            ),
        ),
        pagerduty_configs=(
            PagerdutyConfig(Secret(ROUTING_KEY), url=f"{pagerduty.url}/v2/enqueue"),
        ),
        webhook_configs=(WebhookConfig(Secret(f"{webhook.url}/hook")),),
    )


async def test_an_alert_is_told_to_all_and_resolved_at_all(tmp_path: Path) -> None:
    """Firing and resolved arrive everywhere, and nothing that was sent was refused.

    The clock stands still: an accepted alert waits for no timer on its way,
    and its end only for the group's interval.
    """
    clock = ManualClock()
    async with SlackStandIn() as slack, PagerDutyStandIn() as pagerduty, WebhookStandIn() as hook:
        receiver = everything(slack, pagerduty, hook)
        async with alerting(tmp_path, AT_ONCE, [receiver], clock=clock) as system:
            alert = firing(clock.now(), severity="critical", instance="web-1")
            await system.alerts.put([alert])
            await hook.wait_for(lambda: bool(hook.payloads))
            await pagerduty.wait_for(lambda: len(pagerduty.open_incidents()) == 1)
            await slack.wait_for(lambda: len(slack.messages) == 2)
            await system.alerts.put([resolved(alert, clock.now())])
            await clock.advance(INTERVAL / 1000)
            await pagerduty.wait_for(lambda: not pagerduty.open_incidents())
            await slack.wait_for(lambda: len(slack.received) == 5)
            await hook.wait_for(lambda: len(hook.payloads) == 2)
        assert [p["status"] for p in hook.payloads] == ["firing", "resolved"]
        assert pagerduty.incidents[0].triggers == 1
        assert slack.refused == pagerduty.refused == hook.refused == []
