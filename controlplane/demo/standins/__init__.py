"""Stand-ins for Slack, PagerDuty and a webhook receiver: real servers on loopback.

In come the requests that the real services take, checked field by field
against what those document; out go their answers, and their state for
whoever looks: messages, threads, incidents. On command they fail as services
do: 429, 500, silence, a reset. They know nothing of the rest of the program.
"""

from controlplane.demo.standins.faults import Fault
from controlplane.demo.standins.pagerduty import PagerDutyStandIn
from controlplane.demo.standins.received import Received, render_for_person
from controlplane.demo.standins.slack import SlackStandIn
from controlplane.demo.standins.webhook import WebhookStandIn

__all__ = [
    "Fault",
    "PagerDutyStandIn",
    "Received",
    "SlackStandIn",
    "WebhookStandIn",
    "render_for_person",
]
